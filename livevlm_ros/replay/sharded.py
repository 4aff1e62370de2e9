# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An evaluation in parts: each measures recordings of its own, and all make one report."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from livevlm_ros.replay.accuracy import Report
from livevlm_ros.replay.compare import Load, Run
from livevlm_ros.replay.counts import Counts
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.evaluate import Progress, check_source, check_used, evaluate_one
from livevlm_ros.replay.oracle import bound_of
from livevlm_ros.replay.outcome import Evaluation
from livevlm_ros.replay.part import Job, Measured, Part
from livevlm_ros.replay.report import report_of

if TYPE_CHECKING:  # they bring torch
    from livevlm_ros.engine import Engine
    from livevlm_ros.replay.rows import Row


def run_part(
    job: Job,
    part: Part,
    *,
    load: Load,
    progress: Progress = lambda name, share: None,
) -> None:
    """
    Measure what is left of a part.

    :param load: makes a loaded engine of a configuration
    :param progress: called with row and recording, and the share of what is left, [0, 1]
    :raises BadInput: as `evaluate` does, and where the part cannot be written
    """
    check_source(job.path, job.procedure)
    left = {row.name: part.left(row.name) for row in job.rows}
    recordings, total, done = job.recordings(), sum(map(len, left.values())), 0
    part.begin()
    for row in job.rows:
        if not left[row.name]:
            continue
        engine = load(row.config, lambda phase, share: None)
        try:
            for name in left[row.name]:

                def tell(share: float, words: str = f'{row.name}: {name}', n: int = done) -> None:
                    progress(words, (n + share) / total)

                part.add(row.name, name, measure(engine, row, job, recordings[name], tell))
                done += 1
        finally:
            engine.cleanup()


def measure(
    engine: Engine,
    row: Row,
    job: Job,
    recording: Path,
    progress: Callable[[float], None] = lambda share: None,
) -> Measured:
    """
    Replay one recording and ask its questions.

    :param engine: of the row's configuration, loaded, not started
    :param progress: called with the share that is done, [0, 1]
    """
    before, started = Counts.of(engine.stats()), time.monotonic()
    evaluation = evaluate_one(
        recording,
        engine,
        replace(job.procedure, thumbnails=True),
        ask=bound_of(engine, row),
        progress=progress,
    )
    counts = Counts.of(engine.stats()).since(before)
    return Measured(evaluation, counts, time.monotonic() - started)


def merge_parts(parts: Sequence[Part]) -> list[Run]:
    """
    Make of all parts of an evaluation what a single run would have made.

    :returns: one run per row, in their order
    :raises BadInput: for parts that are not all those of one evaluation, each once and done
    """
    _check_complete(parts)
    first = parts[0]
    names = list(first.plan['questions'])
    by_name = {name: part for part in parts for name in part.shard.deal(names)}
    return [
        _merged(row, head, {name: by_name[name].measured(row, name) for name in names}, first.path)
        for row, head in first.plan['rows'].items()
    ]


def _merged(row: str, head: Report, measured: dict[str, Measured], path: str) -> Run:
    evaluation, counts, seconds = Evaluation(), Counts(), 0.0
    for one in measured.values():
        evaluation += one.evaluation
        counts += one.counts
        seconds += one.seconds
    check_used(Path(path), evaluation, recordings=len(measured))
    return Run(report_of(evaluation, counts, head, path=path, seconds=seconds), evaluation)


def _check_complete(parts: Sequence[Part]) -> None:
    """
    Refuse parts that overlap, leave something out or do not belong together.

    :raises BadInput: naming them
    """
    first, by_number = parts[0], dict[int, Part]()
    for part in parts:
        if difference := part.difference(first):
            raise BadInput(
                f'{part.file}: is of another evaluation than {first.file}: {difference}'
            )
        if part.shard.of != first.shard.of:
            raise BadInput(
                f'{part.file}: is shard {part.shard}, but {first.file} is shard {first.shard}'
            )
        other = by_number.setdefault(part.shard.number, part)
        if other is not part:
            raise BadInput(f'{part.file}: is shard {part.shard}, and so is {other.file}')
    count = first.shard.of
    missing = [f'{n}/{count}' for n in range(1, count + 1) if n not in by_number]
    if missing:
        raise BadInput(f'no part of shard {", ".join(missing)}; expected all {count}')
    for part in parts:
        if left := part.recordings_left():
            raise BadInput(
                f'{part.file}: shard {part.shard} is not done, {len(left)} '
                f'recording{"s" * (len(left) != 1)} left, such as {left[0]}; run it again'
            )
