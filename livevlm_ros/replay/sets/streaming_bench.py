# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
StreamingBench (arXiv 2411.03628): `questions_real.json` and its siblings, and the videos.

Videos are found as the authors' `preprocess.sh` names them, `sample_7_real.mp4`, and as they are
unpacked before that, the one in `real/sample_7/`. Each question of the sequential part is told of
those before it and of their answers, as the authors do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.sets.imported import Imported
from livevlm_ros.replay.sets.rows import LeftOut, field, find_files, read_rows, seconds, texts
from livevlm_ros.replay.sets.videos import Videos

PARTS = ('real', 'omni', 'sqa', 'proactive')
SEQUENTIAL, PROACTIVE = 'sqa', 'proactive'
LETTERS = tuple('ABCDEFG')

_LETTER = re.compile(r'([A-G])\.\s*')


def read(folder: Path, to: Imported) -> None:
    """Read the set; a part's file of whole streams stands in for that of single questions."""
    videos, found = Videos(folder), False
    for part in PARTS:
        files = find_files(folder, f'questions_{part}.json', f'questions_{part}_stream.json')
        if not files:
            continue
        found = True
        for number, stream in enumerate(map(_stream, to.each(read_rows(files[0])))):
            before = ''
            for turn, (group, question) in enumerate(_turns(stream)):
                with to.row():
                    if part == PROACTIVE:
                        raise LeftOut('asks to speak up at a later time')
                    entry = _question(question, before, id=f'{part}-{number}-{turn}')
                    to.add(videos.find(*_names(field(group, 'video_path', str))), entry)
                    if part == SEQUENTIAL:
                        told = f'{field(question, "question", str)} {entry.answer[0]}'
                        before = f'{before}{told} '
    if not found:
        raise BadInput(
            f'{folder}: no questions_real.json in it; expected the annotations of StreamingBench, '
            f'questions_{{{",".join(PARTS)}}}.json, and its videos'
        )


def _stream(row: Any) -> list[Any]:
    """Return what belongs together: the sequential part is a list of lists."""
    return row if isinstance(row, list) else [row]


def _turns(stream: list[Any]) -> Iterator[tuple[Any, Any]]:
    for group in stream:
        questions = group.get('questions') if isinstance(group, dict) else None
        for question in questions if isinstance(questions, list) else [None]:
            yield group, question


def _question(row: Any, before: str, *, id: str) -> QuestionEntry:
    options = _without_letters(field(row, 'options', list))
    letter = field(row, 'answer', str).strip()
    if letter not in LETTERS[: len(options)]:
        raise LeftOut('answer names no option')
    asked = field(row, 'question', str)
    return QuestionEntry(
        at=seconds(row.get('time_stamp'), 'time_stamp'),
        question=f'Before: {before}Now: {asked}' if before else asked,
        id=id,
        answer=(options[LETTERS.index(letter)],),
        type=field(row, 'task_type', str),
        choices=options,
    )


def _without_letters(options: list[Any]) -> tuple[str, ...]:
    """Return options without the letters that some have before them, which must be in order."""
    given = texts(options)
    found = [match for option in given if (match := _LETTER.match(option))]
    if len(found) < len(given):
        return given
    if tuple(match[1] for match in found) != LETTERS[: len(given)]:
        raise LeftOut('letters of options out of order')
    return tuple(match.string[match.end() :] for match in found)


def _names(path: str) -> tuple[str, ...]:
    """Return what a video may be called: as preprocessed, and as unpacked."""
    sample = re.search(r'(sample_\d+)_([^/]+)\.mp4$', path)
    if sample is None:
        return (path,)
    kind = sample[2]
    return sample[0], f'{kind}/{sample[1]}/', f'{kind.replace("_", " ")}/{sample[1]}/'
