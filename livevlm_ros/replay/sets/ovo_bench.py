# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
OVO-Bench (arXiv 2501.05510): `ovo_bench_new.json`, and `src_videos/` or `chunked_videos/`.

Nine tasks choose among options. The three forward tasks ask the same again and again: how often
something was done (REC), whether a step is being done now (SSR), and whether a question can be
answered yet (CRR).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from livevlm_ros.replay.metric import Metric
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.sets.imported import Imported
from livevlm_ros.replay.sets.rows import LeftOut, field, find_file, read_rows, seconds, texts
from livevlm_ros.replay.sets.videos import Videos

FILES = ('ovo_bench_new.json', 'ovo_bench.json')
CHOOSING = ('EPM', 'ASI', 'HLD', 'OCR', 'ACR', 'ATR', 'STU', 'FPD', 'OJR')
FORWARD = ('REC', 'SSR', 'CRR')


class _Asked(NamedTuple):
    """A question, and the name of the video that was cut for it alone."""

    entry: QuestionEntry
    chunk: str


def read(folder: Path, to: Imported) -> None:
    """Read the set."""
    file = find_file(folder, FILES, what='the annotations of OVO-Bench, and its src_videos/')
    videos = Videos(folder)
    for row in to.each(read_rows(file)):
        with to.row():
            task = field(row, 'task', str)
            if task not in (*CHOOSING, *FORWARD):
                raise LeftOut('a task that OVO-Bench has no rule for')
            asked = [_choosing(row, task)] if task in CHOOSING else list(_forward(row, task))
            whole = field(row, 'video', str)
            for entry, chunk in asked:
                with to.row():  # a row has several questions, and each may have a video of its own
                    to.add(videos.find(whole, chunk), entry)


def _choosing(row: Any, task: str) -> _Asked:
    options, right = texts(field(row, 'options', list)), field(row, 'gt', int)
    if not 0 <= right < len(options):
        raise LeftOut('gt names no option')
    number = field(row, 'id', int)
    entry = QuestionEntry(
        at=seconds(row.get('realtime'), 'realtime'),
        question=field(row, 'question', str),
        id=str(number),
        answer=(options[right],),
        type=task,
        choices=options,
    )
    return _Asked(entry, f'chunked_videos/{number}.mp4')


def _forward(row: Any, task: str) -> Iterator[_Asked]:
    for number, test in enumerate(field(row, 'test_info', list)):
        name = f'{field(row, "id", int)}_{number}'
        at = seconds(test.get('realtime') if isinstance(test, dict) else None, 'realtime')
        if task == 'REC':
            entry = QuestionEntry(
                at=at,
                question=f'How many times did they do this: {field(row, "activity", str)} ? '
                'Answer with a number.',
                id=name,
                type=task,
                metric=Metric('number', (float(field(test, 'count', int)),), 'times', 0.0),
            )
        else:
            entry = QuestionEntry(
                at=at,
                question=_yes_or_no(row, test, task),
                id=name,
                answer=('Yes' if field(test, 'type', int) else 'No',),
                type=task,
                choices=('Yes', 'No'),
            )
        yield _Asked(entry, f'chunked_videos/{name}.mp4')


def _yes_or_no(row: Any, test: Any, task: str) -> str:
    if task == 'SSR':
        return f'Is this step of the work being done now: {field(test, "step", str)} ?'
    return f'Has enough been seen by now to answer this: {field(row, "question", str)}'
