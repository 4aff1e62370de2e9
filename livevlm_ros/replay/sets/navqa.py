# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
NaVQA (ReMEmbR, arXiv 2409.13682): `navqa/data.csv`, `navqa/*/qa_unfilled.json`, and CODa itself.

A row is about a stretch of a sequence and is asked at its end: places in metres, times as minutes
ago, both read off the frame that the answer rests on most; durations in minutes, yes or no. The
clock times of the answers are those of the annotators, in California.
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.metric import Metric
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.sets.coda import CodaSequence
from livevlm_ros.replay.sets.imported import Imported
from livevlm_ros.replay.sets.rows import LeftOut, field, find_file, find_files, read_rows

CLOCK = ZoneInfo('America/Los_Angeles')
CAPTION_S = 3.0
"""Seconds around an answer's time that show it: the authors caption as much at once."""

TIMES, TYPE = 'Timestamp with answer', 'Type (binary, position, time, text)'
YES_OR_NO = ('yes', 'no')
_BAG = 'navqa-'


def read(folder: Path, to: Imported) -> None:
    """Read the set; each sequence that is asked about becomes a bag in `to.out`."""
    table = find_file(folder, ['data.csv'], what="NaVQA's data.csv, and CODa's 2d_rect/")
    root = next((found.parent for found in find_files(folder, '2d_rect')), folder)
    spans = _spans(table.parent)
    sequences: dict[str, CodaSequence] = {}
    for row in to.each(read_rows(table)):
        with to.row():
            row = {' '.join(key.split()): value for key, value in row.items() if key}
            name = field(row, 'Seq ID', str)
            if name not in sequences:
                sequences[name] = CodaSequence(root, name)
            span = spans.get(field(row, 'UUID', str))
            if span is None:
                raise LeftOut('its stretch of time is in no qa_unfilled.json')
            to.add(to.out / f'{_BAG}{name}', _question(row, *span, sequences[name]))
    for bag in to.questions:
        sequence = sequences[bag.name.removeprefix(_BAG)]
        to.bags[bag] = partial(sequence.write_bag, progress=partial(to.progress, bag.name))


def _spans(folder: Path) -> dict[str, tuple[float, float]]:
    """Return first and last unix second of each question's stretch, by its id."""
    spans = {}
    for file in sorted(folder.glob('*/qa_unfilled.json')):
        try:
            for row in json.loads(file.read_text(encoding='utf-8'))['data']:
                spans[str(row['id'])] = float(row['start_time']), float(row['end_time'])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(
                f'{file}: expected data with id, start_time and end_time: {error!r}'
            ) from error
    return spans


def _question(row: Any, begin_s: float, end_s: float, sequence: CodaSequence) -> QuestionEntry:
    """Return a row's question, its times from the sequence's first picture."""
    kind, asked = field(row, TYPE, str), field(row, 'Question', str)
    times_s = _times(row.get(TIMES), begin_s)
    inside = bool(times_s) and begin_s <= times_s[0] and times_s[-1] <= end_s
    answer: tuple[str, ...] = ()
    metric = None
    if kind == 'binary':
        answer = (_yes_or_no(row),)
    elif kind == 'duration':
        asked = f'{asked} Answer in minutes.'
        metric = Metric('number', (_minutes(row.get('Parsable answer')),), 'minutes')
    elif kind in ('position', 'time'):
        if len(times_s) != 1 or not inside:
            raise LeftOut(f'{kind}: not one time within its stretch')
        metric = _ago(times_s[0], end_s) if kind == 'time' else _where(times_s[0], sequence)
    elif kind == 'text':
        raise LeftOut('text: only people can score it, as its authors say')
    else:
        raise LeftOut('a type that NaVQA has no rule for')
    shown = (times_s[0] - CAPTION_S / 2, times_s[-1] + CAPTION_S / 2) if inside else None
    return QuestionEntry(
        at=end_s - sequence.begin_s,
        question=asked,
        id=field(row, 'UUID', str),
        answer=answer,
        type=kind,
        choices=YES_OR_NO if kind == 'binary' else (),
        evidence=shown and (max(0.0, shown[0] - sequence.begin_s), shown[1] - sequence.begin_s),
        lookback=end_s - begin_s,
        metric=metric,
    )


def _times(given: Any, begin_s: float) -> list[float]:
    """Return clock times, with commas between, as unix seconds of the day of the stretch."""
    day = datetime.fromtimestamp(begin_s, CLOCK)
    try:
        clock = [[int(part) for part in one.split(':')] for one in str(given).split(',')]
        return sorted(
            day.replace(hour=hour, minute=minute, second=second, microsecond=0).timestamp()
            for hour, minute, second in clock
        )
    except ValueError:
        raise LeftOut(f'{TIMES} missing or unreadable') from None


def _yes_or_no(row: Any) -> str:
    answer = field(row, 'Parsable answer', str).strip().lower()
    if answer not in YES_OR_NO:
        raise LeftOut('binary: neither yes nor no')
    return answer


def _minutes(given: Any) -> float:
    try:
        return float(given)
    except (TypeError, ValueError):
        raise LeftOut('duration: no number of minutes') from None


def _ago(time_s: float, end_s: float) -> Metric:
    return Metric('ago', (round((end_s - time_s) / 60, 2),), 'minutes')


def _where(time_s: float, sequence: CodaSequence) -> Metric:
    track = sequence.track
    pose = None if track is None else track.at(time_s)
    if pose is None:
        raise LeftOut('position: the recording has no pose there')
    return Metric('where', tuple(round(part, 3) for part in pose[:3]), 'metres')
