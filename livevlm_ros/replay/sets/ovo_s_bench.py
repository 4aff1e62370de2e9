# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
OVO-S-Bench (arXiv 2606.03890): `ovo_s_bench.parquet`, and videos below `videos/`.

A row has several query times, each with an answer of its own; the last answer stands for the times
that have none. Options are pairs of letter and text; those of level 4.3 are pictures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.sets.imported import Imported
from livevlm_ros.replay.sets.rows import (
    LeftOut,
    field,
    find_file,
    read_rows,
    seconds,
    stretches,
    texts,
)
from livevlm_ros.replay.sets.videos import Videos

FILES = ('ovo_s_bench.parquet', 'ovo_s_bench.json')


def read(folder: Path, to: Imported) -> None:
    """Read the set."""
    file = find_file(folder, FILES, what='the annotations of OVO-S-Bench, and its videos/')
    videos = Videos(folder)
    for row in to.each(read_rows(file)):
        with to.row():
            options = _options(field(row, 'options', list, dict))
            video = videos.find(field(row, 'video_path', str))
            to.add(video, *_questions(row, options))


def _questions(row: Any, options: dict[str, str]) -> list[QuestionEntry]:
    """Return a question for each query time."""
    times, answers = field(row, 'query_times', list), field(row, 'answers', list)
    named = all(isinstance(answer, str) and answer in options for answer in answers)
    if not times or not answers or not named:
        raise LeftOut('answers missing or unreadable')
    shown = stretches(row.get('evidence_times'))
    kind = f'{field(row, "task_subcategory", str)} {row.get("task_type_name") or ""}'.strip()
    return [
        QuestionEntry(
            at=seconds(at, 'query_times'),
            question=field(row, 'question', str),
            id=f'{field(row, "id", str)}_q{number}',
            answer=(options[answers[min(number, len(answers) - 1)]],),
            type=kind,
            choices=tuple(options.values()),
            evidence=(shown[0][0], max(last for _, last in shown)) if shown else None,
            intervals=shown if len(shown) > 1 else (),
        )
        for number, at in enumerate(times)
    ]


def _options(given: Any) -> dict[str, str]:
    """Return the options by letter; parquet has them as pairs, as keys and values, or as a map."""
    pairs = list(given.items()) if isinstance(given, dict) else [_pair(one) for one in given]
    contents = texts([content for _, content in pairs])
    return {str(label): text for (label, _), text in zip(pairs, contents, strict=True)}


def _pair(one: Any) -> tuple[Any, Any]:
    values = list(one.values()) if isinstance(one, dict) else one
    if not isinstance(values, list | tuple) or len(values) != 2:
        raise LeftOut('options missing or unreadable')
    return values[0], values[1]
