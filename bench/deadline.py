# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Suite `deadline`: questions with budgets of all lengths, while frames keep coming.

A robot that asks with half a second to spare wants an answer inside of it, and would rather have
a poorer one than none. What is counted here is by the asker's clock: how many replies came late,
what they gave up to be in time, and whether one said that there was no time when there was.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from livevlm_bench.report_head import head
from livevlm_ros.engine import Answer, Engine, EngineConfig, Frame, Question, Scope, Status
from livevlm_ros.engine.budget import RESERVE_S, Rung
from livevlm_ros.replay.settings import engine_config
from livevlm_ros.replay.write_world import START_S
from livevlm_ros.world import World

STREAM = 90_300_005
"""Seed of the world."""

FRAMES, QUESTIONS = 12_000, 2_000
QUICK_FRAMES, QUICK_QUESTIONS = 300, 40
FRAMES_PER_S = 20.0
FRAME_SIZE = (320, 240)

BUDGETS_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Ends of the ranges that budgets are told apart by; they are drawn from the first to the last."""

ARCHIVE_BYTES = 2**30

ANSWERED = (Status.OK, Status.PARTIAL)

Progress = Callable[[str, float], None]


class Asked(NamedTuple):
    """
    A question, its reply, and when that came.

    :param took_s: by the asker's clock
    :param right: whether the answer is; None: it is not scored
    """

    budget_s: float
    took_s: float
    answer: Answer
    right: bool | None = None


def measure(
    *,
    frames: int = FRAMES,
    questions: int = QUESTIONS,
    frames_per_s: float = FRAMES_PER_S,
    progress: Progress = lambda name, share: None,
) -> dict[str, Any]:
    """
    Ask questions with random budgets through a stream of frames.

    :param frames: of the stream
    :param questions: asked one after another, spread over the stream
    :param frames_per_s: how fast they come
    :param progress: called with what goes on and the share done, [0, 1]
    """
    config = engine_config(
        preset='balanced', fps=1e3, given=[f'memory.archive_host_bytes={ARCHIVE_BYTES}']
    )
    world = World(STREAM, float(frames))
    with Engine(config) as engine:
        feeder = _Feeder(engine, config, world, frames=frames, frames_per_s=frames_per_s)
        asked = feeder.run_with(lambda: _ask(engine, world, feeder, questions, progress))
        stats = engine.stats()
    return {
        **head('deadline', seed=STREAM, threads=torch.get_num_threads()),
        'frames': frames,
        'frames_used': stats.frames_used,
        'frames_per_s': frames_per_s,
        **counted(asked, step_ms=stats.model.costs_ms['step_ms'] if stats.model else 0.0),
    }


class _Feeder:
    """Shows an engine the frames of a world at a steady pace, in a thread of its own."""

    def __init__(
        self,
        engine: Engine,
        config: EngineConfig,
        world: World,
        *,
        frames: int,
        frames_per_s: float,
    ) -> None:
        self._engine, self._camera, self._world = engine, config.cameras[0], world
        self._frames, self._period_s = frames, 1 / frames_per_s
        self._ended = threading.Event()
        self.shown = 0
        self.failed: Exception | None = None

    def run_with(self, ask: Callable[[], list[Asked]]) -> list[Asked]:
        """Show the stream while another thread, this one, asks."""
        thread = threading.Thread(target=self._show, daemon=True)
        thread.start()
        try:
            return ask()
        finally:
            self._ended.set()
            thread.join()

    def wait_for(self, share: float) -> None:
        """Wait until so much of the stream has been shown."""
        while self.shown < share * self._frames:
            if self.failed is not None:
                raise self.failed
            time.sleep(0.002)

    def _show(self) -> None:
        began = time.monotonic()
        try:
            for second in range(self._frames):
                image = self._world.image(second, FRAME_SIZE)
                if self._ended.wait(max(0.0, began + second * self._period_s - time.monotonic())):
                    return
                self._engine.see(Frame(self._camera, (START_S + second) * 10**9, image))
                self.shown = second + 1
        except Exception as error:  # told to who waits for it
            self.failed = error


def _ask(
    engine: Engine, world: World, feeder: _Feeder, count: int, progress: Progress
) -> list[Asked]:
    """Ask questions as the stream comes to their place."""
    texts = [each.question for each in world.questions(count=count)]
    draw, asked = random.Random(0), []
    for number, text in enumerate(texts):
        feeder.wait_for(number / count)
        budget_s = BUDGETS_S[0] * (BUDGETS_S[-1] / BUDGETS_S[0]) ** draw.random()
        began = time.monotonic()
        answer = engine.ask(Question(text=text, budget_s=budget_s))
        asked.append(Asked(budget_s, time.monotonic() - began, answer))
        progress('asking', (number + 1) / count)
    return asked


def counted(asked: Sequence[Asked], *, step_ms: float) -> dict[str, Any]:
    """
    Count what became of questions, all and by budget.

    :param step_ms: what a step takes, for the one that has begun when a question comes is ended
    :returns: `fits_ms`, what nine in ten of the answers from short-term alone took to the first
        token, with a step and the engine's reserve; `rows`, one for each range of budgets and one
        for all
    """
    needed_ms = sorted(
        each.answer.latency.prefill_ms
        for each in asked
        if each.answer.status in ANSWERED and each.answer.scope_used == Scope.SHORT_TERM
    )
    fits_ms = None
    if needed_ms:
        fits_ms = needed_ms[int(0.9 * len(needed_ms))] + step_ms + 1e3 * RESERVE_S
    ranges = list(zip(BUDGETS_S, BUDGETS_S[1:], strict=False))
    rows = [_row(asked, low, high, fits_ms) for low, high in ranges]
    return {
        'questions': len(asked),
        'fits_ms': fits_ms,
        'rows': [*rows, _row(asked, BUDGETS_S[0], BUDGETS_S[-1], fits_ms)],
    }


def _row(asked: Sequence[Asked], low_s: float, high_s: float, fits_ms: float | None) -> dict:
    """Count the questions whose budgets lie in a range."""
    here = [each for each in asked if low_s <= each.budget_s <= high_s]
    took = sorted(1e3 * each.took_s for each in here)
    scored = [each.right for each in here if each.right is not None]
    statuses = Counter(each.answer.status.name for each in here)
    rungs = Counter(
        Rung(each.answer.degradation).name for each in here if each.answer.status in ANSWERED
    )
    return {
        'budget_s': [low_s, high_s],
        'questions': len(here),
        'late': sum(each.took_s > each.budget_s for each in here),
        'refused_though_it_fits': _refused(here, fits_ms),
        'least_left_ms': min((1e3 * (each.budget_s - each.took_s) for each in here), default=None),
        'took_ms': {'p50': took[len(took) // 2], 'most': took[-1]} if took else None,
        'right': {'n': len(scored), 'rate': sum(scored) / len(scored)} if scored else None,
        'statuses': dict(statuses),
        'rungs': dict(rungs),
    }


def _refused(asked: Sequence[Asked], fits_ms: float | None) -> int | None:
    """Count replies that spoke of too little time and had enough when their turn came."""
    if fits_ms is None:
        return None
    spare_ms = (
        1e3 * each.budget_s - each.answer.latency.queue_ms - each.answer.latency.ingest_wait_ms
        for each in asked
        if each.answer.status == Status.DEADLINE
    )
    return sum(left_ms > fits_ms for left_ms in spare_ms)
