# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Suite `standing`: what choosing ahead is worth to a question that is asked again every second.

Two memories see the same frames and are asked the same question, second by second in turn:
`BLOCKING` trusts no pages that were chosen ahead, so that each question chooses its own and waits
for them; `DEFAULT` is as it ships.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from statistics import fmean, median
from typing import Any

import torch

from livevlm_bench.bars import bar
from livevlm_bench.filling import archive_on_disk
from livevlm_bench.report_head import head
from livevlm_bench.robots import Robot, Run, Second
from livevlm_ros.engine import Frame
from livevlm_ros.engine.percentiles import Percentiles
from livevlm_ros.memory import RetrievalSettings
from livevlm_ros.model import load_model
from livevlm_ros.replay.accuracy import rate
from livevlm_ros.replay.settings import engine_config
from livevlm_ros.replay.write_world import START_S
from livevlm_ros.world import World, score
from livevlm_ros.world.questions import Subject, truth_of

STREAM = 90_300_002
"""Seed of the world; many lights of several colors pass, so that the right answer changes."""

KIND, SUBJECT = 'light', Subject('light')
QUESTION = 'what color was the last traffic light ?'

SECONDS = 1800
QUICK_SECONDS = 150
FIRST_ASKED_S = 60
FRAME_SIZE = (320, 240)
LEFT_OUT = 10
"""Questions, the first ones, whose times do not count."""

BLOCKING, DEFAULT = 'blocking', 'default'

TRUSTS_NONE = 1.01
"""A tau that no cosine reaches."""

MOST_EXPOSED = 1 / 3
"""Most that `DEFAULT` may wait for its pages, over what `BLOCKING` waits."""

MOST_OF_ANSWER = 0.1
"""Most that `DEFAULT` may wait for its pages, over the time an answer takes."""

Progress = Callable[[str, float], None]


def measure(
    *,
    seconds: int = SECONDS,
    first_asked_s: int = FIRST_ASKED_S,
    left_out: int = LEFT_OUT,
    bars: bool = True,
    progress: Progress = lambda name, share: None,
) -> dict[str, Any]:
    """
    Ask the standing question of both memories through a stream of one frame a second.

    :param seconds: length of the stream
    :param first_asked_s: second of the first question
    :param left_out: questions, the first ones, whose times do not count
    :param bars: whether bars are judged
    :param progress: called with what goes on and the share done, [0, 1]
    :raises BadInput: if the folder for temporary files is no disk
    """
    world = World(STREAM, float(seconds))
    runs, right = _live_through(world, seconds, first_asked_s, progress)
    return {
        **head('standing', seed=STREAM, threads=torch.get_num_threads()),
        'seconds': seconds,
        'question': QUESTION,
        'left_out': left_out,
        **compared(runs, right, left_out=left_out),
        'bars': judged(runs, left_out=left_out) if bars else [],
    }


def _live_through(
    world: World, seconds: int, first_asked_s: int, progress: Progress
) -> tuple[dict[str, Run], list[tuple[str, ...]]]:
    """Return what each memory did, and the right answers."""
    config = engine_config(preset='balanced')
    torch.set_num_threads(config.torch_threads)
    model = load_model(config.model)
    right: list[tuple[str, ...]] = []
    with ExitStack() as stack:
        robots = []
        retrieval = RetrievalSettings.from_settings(model.memory_settings, model.shape)
        for name, tau in ((BLOCKING, TRUSTS_NONE), (DEFAULT, config.memory.tau)):
            memory = archive_on_disk(
                replace(config.memory, tau=tau),
                model.shape,
                retrieval,
                frames=seconds,
                folder=stack.enter_context(tempfile.TemporaryDirectory()),
            )
            robot = Robot(replace(config, memory=memory), model, QUESTION)
            robots.append((name, stack.enter_context(closing(robot))))
        for second in range(seconds):
            frame = Frame(
                config.cameras[0], (START_S + second) * 10**9, world.image(second, FRAME_SIZE)
            )
            asked = second >= first_asked_s
            first = second % len(robots)  # none is always the one after another
            for _, robot in robots[first:] + robots[:first]:
                robot.live(frame, asked=asked)
            if asked:
                truth = truth_of(KIND, SUBJECT, world.history(second))
                right.append(truth.answer if truth else ())
            progress('asking' if asked else 'seeing', (second + 1) / seconds)
        return {name: robot.run for name, robot in robots}, right


def compared(
    runs: Mapping[str, Run], right: Sequence[tuple[str, ...]], *, left_out: int
) -> dict[str, Any]:
    """
    Lay the runs side by side.

    :param right: accepted answers to each question
    :param left_out: questions, the first ones, whose times do not count
    :returns: `questions`, the `commonest` answer of `BLOCKING` with its share, and `rows`
    """
    blocking = runs[BLOCKING].answers
    commonest, times = Counter(blocking).most_common(1)[0]
    return {
        'questions': len(blocking),
        'commonest': {'answer': commonest, **rate(times, len(blocking), key='agreed')},
        'rows': [
            {
                'name': name,
                'agrees': rate(_same(run, runs[BLOCKING]), len(blocking), key='agreed'),
                'right': rate(sum(map(score, run.answers, right)), len(right)),
                'ahead': rate(run.ahead, len(run.answers), key='ahead'),
                'corrected': rate(run.corrected, run.ahead, key='corrected'),
                'disk_bytes': run.disk_bytes,
                'cached_bytes': run.cached_bytes,
                **_times(run.seconds[left_out:]),
            }
            for name, run in runs.items()
        ],
    }


def judged(runs: Mapping[str, Run], *, left_out: int) -> list[dict[str, Any]]:
    """Say which bars are met, with the numbers that say so."""
    default = runs[DEFAULT].seconds[left_out:]
    waited_ms = median(second.exposed for second in default)
    blocking_ms = median(second.exposed for second in runs[BLOCKING].seconds[left_out:])
    answer_ms = median(second.answer for second in default)
    slowest_ms = max(second.step + second.idle + second.answer for second in runs[DEFAULT].seconds)
    return [
        bar('wait for pages, default / blocking', waited_ms, blocking_ms, most=MOST_EXPOSED),
        bar('default, wait for pages / answer', waited_ms, answer_ms, most=MOST_OF_ANSWER),
        bar('default, slowest second / a second', slowest_ms, 1000.0, most=1.0),
    ]


def _same(run: Run, other: Run) -> int:
    return sum(map(str.__eq__, run.answers, other.answers))


def _times(seconds: Sequence[Second]) -> dict[str, Any]:
    spreads = {
        f'{name}_ms': _spread([getattr(second, name) for second in seconds])
        for name in Second._fields
    }
    return {
        **spreads,
        'hidden_ms_per_s': fmean(second.hidden for second in seconds),
        'exposed_share': median(second.exposed / second.answer for second in seconds),
    }


def _spread(times_ms: Sequence[float]) -> dict[str, float]:
    """Return median, 95th percentile and the longest."""
    spread = Percentiles.of(times_ms)
    return {'p50': spread.p50, 'p95': spread.p95, 'most': spread.max}
