# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Evaluate a folder on a Ray cluster: one actor a GPU, each recording goes to the next free actor.

An actor that dies is started again, and its recording done again. What is done is in a part file,
with which this program goes on if it is itself ended. Every node has the folder at the same path:
`python3 examples/ray_evaluate.py DIR --actors 8 --json part.json --set model.device=cuda`, then
`livevlm merge part.json --html report.html`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import ray
from ray.util import ActorPool

from livevlm_ros.engine import Engine
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.part import Job, Measured, Part, Shard
from livevlm_ros.replay.rows import read_rows
from livevlm_ros.replay.sharded import measure

RETRIES = 3  # of a recording whose actor dies: one that kills every actor must come to an end


class Evaluator:
    """An engine in a process of its own, on a GPU of its own."""

    def __init__(self, job: Job) -> None:
        self._job, self._recordings = job, job.recordings()
        (self._row,) = job.rows
        self._engine = Engine(self._row.config)
        self._engine.load()

    def measure(self, name: str) -> tuple[str, Measured]:
        """Replay a recording and ask its questions."""
        return name, measure(self._engine, self._row, self._job, self._recordings[name])


def evaluate(job: Job, part: Part, *, actors: int) -> None:
    """Have actors measure what is left of a part."""
    (row,) = job.rows
    start = ray.remote(Evaluator).options(
        num_gpus=int(row.config.model.device.startswith('cuda')),
        max_restarts=-1,
        max_task_retries=RETRIES,
    )
    left = part.left(row.name)
    pool = ActorPool([start.remote(job) for _ in range(min(actors, len(left)))])
    for name, measured in pool.map_unordered(lambda actor, name: actor.measure.remote(name), left):
        part.add(row.name, name, measured)
        print(f'{name}: {len(measured.evaluation.outcomes)} answers, {measured.seconds:.1f} s')


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0] if __doc__ else '')
    parser.add_argument('folder', type=Path, help='recordings with their questions files')
    parser.add_argument('--actors', type=int, required=True, help='one a GPU')
    parser.add_argument('--json', type=Path, required=True, help='the part, for `livevlm merge`')
    parser.add_argument('--preset', default='balanced')
    parser.add_argument('--model', default='embedded')
    parser.add_argument('--set', action='append', default=[], help='setting as name=value')
    given = parser.parse_args(arguments)
    try:
        rows = read_rows([given.preset], [], model=given.model, given=given.set)
        job = Job(given.folder, rows)
        part = Part.open(given.json, Shard(1, 1), job)
        if not ray.is_initialized():
            ray.init()  # a cluster's, where RAY_ADDRESS names one, or else of this machine
        evaluate(job, part, actors=given.actors)
    except BadInput as problem:
        raise SystemExit(f'ray_evaluate: {problem}') from None


if __name__ == '__main__':
    main()
