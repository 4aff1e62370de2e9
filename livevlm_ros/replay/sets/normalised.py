# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
One schema for any set, as `kfkas/qaego4d-mc-benchmark` has it on the hub: a row a question.

Needed are `question`, `query_time_s`, `choices`, `answer_index` (from 0) and `video_relpath`; read
are `question_id`, `category` or `task_type_name`, `evidence_intervals_causal` or
`evidence_intervals`, and `video_start_s`, at which the part begins that a row is about.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.sets.imported import Imported
from livevlm_ros.replay.sets.rows import (
    LeftOut,
    field,
    find_files,
    read_rows,
    seconds,
    stretches,
    texts,
)
from livevlm_ros.replay.sets.videos import Videos

ENDINGS = ('parquet', 'jsonl', 'json')
COLUMNS = ('question', 'query_time_s', 'choices', 'answer_index', 'video_relpath')


def read(folder: Path, to: Imported) -> None:
    """Read every file of rows in this schema."""
    videos = Videos(folder)
    files = find_files(folder, *(f'*.{ending}' for ending in ENDINGS))
    ours = [(file, rows) for file in sorted(files) if _is_ours(rows := _rows(file, alone=files))]
    if not ours:
        raise BadInput(
            f'{folder}: no rows with {", ".join(COLUMNS)} in it; '
            f'expected them as {", ".join(ENDINGS)}, and the videos'
        )
    for file, rows in ours:
        for number, row in enumerate(to.each(rows)):
            with to.row():
                video = videos.find(field(row, 'video_relpath', str))
                to.add(video, _question(row, default_id=f'{file.stem}-{number}'))


def _rows(file: Path, *, alone: list[Path]) -> list[Any]:
    """Read a file; one among others that is something else is passed over."""
    try:
        return read_rows(file)
    except BadInput:
        if len(alone) == 1 or file.suffix == '.parquet':
            raise
        return []


def _is_ours(rows: list[Any]) -> bool:
    return any(isinstance(row, dict) and row.keys() >= set(COLUMNS) for row in rows)


def _question(row: Any, *, default_id: str) -> QuestionEntry:
    if row.get('image_option_count'):
        raise LeftOut('options are pictures')
    choices, right = texts(field(row, 'choices', list)), field(row, 'answer_index', int)
    if not 0 <= right < len(choices):
        raise LeftOut('answer_index names no choice')
    begin = seconds(row.get('video_start_s') or 0.0, 'video_start_s')
    at = seconds(row.get('query_time_s'), 'query_time_s')
    shown = stretches(row.get('evidence_intervals_causal') or row.get('evidence_intervals'))
    return QuestionEntry(
        at=at,
        question=field(row, 'question', str),
        id=str(row.get('question_id') or default_id),
        answer=(choices[right],),
        type=str(row.get('category') or row.get('task_type_name') or ''),
        choices=choices,
        evidence=(shown[0][0], max(last for _, last in shown)) if shown else None,
        intervals=shown if len(shown) > 1 else (),
        lookback=at - begin if 0 < begin < at else None,
    )
