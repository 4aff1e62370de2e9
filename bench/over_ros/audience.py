# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page of a node, viewers who come and go by the minute, and what they cost the engine."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import fmean, median
from typing import Any, NamedTuple

import numpy as np

from livevlm_bench.bars import bar
from livevlm_bench.over_ros.process import cpu_s, resident_mb
from livevlm_bench.over_ros.timed import Step
from livevlm_bench.over_ros.viewers import Viewers, viewers
from livevlm_bench.rounds import Quartiles
from livevlm_ros.node.children import Children

PHASE_S = 60.0
LEAST_STEPS = 2  # of a phase that counts
LEAST_ROUNDS = 2  # phases with viewers and before, by whose steps one can judge
LEAST_PHASES = 2 * LEAST_ROUNDS  # two without viewers, and each followed by one with them
ARRIVAL_SHARE = 0.1  # of a phase, in which viewers come or go: its steps count nowhere
MOST_STEP = 1.1


class Phase(NamedTuple):
    """
    A time with viewers, or without.

    :param began_s: on the steady clock, after they have come or gone
    :param pictures: that each of them got
    :param page_cpu_s: processor time of the page's process
    """

    viewers: int
    began_s: float
    ended_s: float
    pictures: list[int]
    page_cpu_s: float


class Audience:
    """
    Who looks at the page.

    :param seconds: for which they come and go; nobody looks at first
    :param page: process id of `livevlm view`
    """

    def __init__(self, count: int, viewers: Viewers, seconds: float, page: int) -> None:
        self._phases: list[Phase] = []
        self._resident_mb: list[float] = []  # of the page, at each call of `look`
        self._count, self._viewers, self._page = count, viewers, page
        self._phase_s = min(PHASE_S, seconds / LEAST_PHASES)
        self._begin()

    def look(self, now_s: float) -> None:
        """
        Let viewers come or go if it is time.

        :param now_s: since the beginning
        """
        self._resident_mb.append(resident_mb(self._page))
        if now_s // self._phase_s > len(self._phases):
            self._end()
            if len(self._phases) % 2:
                self._viewers.come()
            self._begin()

    def report(self, steps: Sequence[Step], *, rate: float) -> dict[str, Any]:
        """
        End the last phase, and say how phases without viewers and with them went.

        Those in which the engine took fewer than two steps are left out.

        :param steps: of the engine until now
        :param rate: of the cameras, images a second
        """
        self._end()
        phases = [_account(phase, steps, rate) for phase in self._phases]
        alone, looked_at = phases[::2], phases[1::2]
        rows = (_row(0, alone), _row(self._count, looked_at))
        return {
            'phases': len(phases),
            'left_out': phases.count(None),
            'rows': [row for row in rows if row is not None],
            'steps_ms': [
                [one['step_p50_ms'], other['step_p50_ms']]
                for one, other in zip(alone, looked_at, strict=False)
                if one is not None and other is not None
            ],
            'resident_mb': self._resident_mb,
        }

    def _end(self) -> None:
        ended_s, there = time.monotonic(), len(self._phases) % 2
        spent_s = cpu_s(self._page) - self._spent_s
        pictures = self._viewers.go() if there else []
        self._phases.append(Phase(self._count * there, self._began_s, ended_s, pictures, spent_s))

    def _begin(self) -> None:
        self._began_s, self._spent_s = time.monotonic(), cpu_s(self._page)


@contextmanager
def audience(count: int, children: Children, seconds: float) -> Iterator[Audience]:
    """
    Give viewers of the page of the node that runs.

    :param children: among which the page lives, and ends
    :param seconds: for which they come and go
    """
    port = _free_port()
    page = children.start('livevlm_ros.cli', {}, 'view', '--port', str(port))
    with viewers(count, f'http://localhost:{port}') as there:
        there.come()  # when the page is served
        there.go()
        yield Audience(count, there, seconds, page.pid)


def step_bar(page: Mapping[str, Any]) -> dict[str, Any]:
    """
    Judge steps with viewers by those of the phase before, which had none.

    Where hardly any phase had steps, this is what is judged.
    """
    if len(page['steps_ms']) < LEAST_ROUNDS:
        there = page['phases'] - page['left_out']
        return bar('phases with steps / phases', there, page['phases'], least=1.0, unit='times')
    alone, looked_at = zip(*page['steps_ms'], strict=True)
    quotients = [above / below for below, above in page['steps_ms']]
    return bar(
        'step, with viewers / without',
        median(looked_at),
        median(alone),
        most=MOST_STEP,
        rounds=Quartiles.of(quotients),
    )


def _account(phase: Phase, steps: Sequence[Step], rate: float) -> dict[str, float] | None:
    """Count what became of images and steps in a phase, from its first step to its last."""
    seconds = phase.ended_s - phase.began_s
    from_s = phase.began_s + ARRIVAL_SHARE * seconds
    mine = [step for step in steps if from_s <= step.began_s < phase.ended_s]
    if len(mine) < LEAST_STEPS:
        return None
    first, last = mine[0], mine[-1]
    came = sum(last.seen[camera].images - seen.images for camera, seen in first.seen.items())
    sent = sum(
        round((last.seen[camera].stamp_ns - seen.stamp_ns) * rate / 1e9)
        for camera, seen in first.seen.items()
    )
    p50_ms, p99_ms = np.percentile([step.took_ms for step in mine], (50, 99))
    return {
        'step_p50_ms': float(p50_ms),
        'step_p99_ms': float(p99_ms),
        'used_per_s': sum(step.frames for step in mine[1:]) / (last.began_s - first.began_s),
        'pictures_per_viewer_s': fmean(phase.pictures) / seconds if phase.pictures else 0.0,
        'page_cpu_share': phase.page_cpu_s / seconds,
        'images_sent': sent,
        'images_lost': sent - came,
    }


def _row(viewers: int, phases: Sequence[Mapping[str, float] | None]) -> dict[str, Any] | None:
    """Return quartiles of what phases were, and sums of images; None of fewer than two."""
    there = [phase for phase in phases if phase is not None]
    if len(there) < LEAST_ROUNDS:
        return None
    values = {name: [phase[name] for phase in there] for name in there[0]}
    counts = {name: sum(values.pop(name)) for name in ('images_sent', 'images_lost')}
    quartiles = {name: Quartiles.of(each)._asdict() for name, each in values.items()}
    return {'viewers': viewers, 'phases': len(there), **quartiles, **counts}


def _free_port() -> int:
    with socket.socket() as unbound:
        unbound.bind(('localhost', 0))
        return int(unbound.getsockname()[1])
