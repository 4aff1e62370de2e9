# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is counted of phases with viewers and without, on steps that were written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from livevlm_bench.over_ros import audience
from livevlm_bench.over_ros.audience import Audience, step_bar
from livevlm_bench.over_ros.timed import Seen, Step

RATE = 30.0
PHASE_S = 10.0


def step(at_s: float, took_ms: float, *, lost: int = 0) -> Step:
    """Return a step of one of two cameras that each sent 30 images a second since 0 s."""
    sent = round(RATE * at_s)
    stamp_ns = round(1e9 * sent / RATE)
    return Step(
        at_s, took_ms, 1, {'left': Seen(sent, stamp_ns), 'right': Seen(sent - lost, stamp_ns)}
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """Give a clock that stands still unless it is moved."""
    now = SimpleNamespace(s=0.0)
    monkeypatch.setattr(audience.time, 'monotonic', lambda: now.s)
    monkeypatch.setattr(audience, 'cpu_s', lambda pid: now.s / 20)
    monkeypatch.setattr(audience, 'resident_mb', lambda pid: 50.0)
    yield now


def seen_by(clock: SimpleNamespace, steps: list[Step]) -> tuple[list[str], dict[str, Any]]:
    """Let two viewers look in the second and fourth of four phases; return what they were told."""
    told: list[str] = []

    def go() -> list[int]:
        told.append('go')
        return [50, 30]

    viewers: Any = SimpleNamespace(come=lambda: told.append('come'), go=go)
    there = Audience(2, viewers, 4 * PHASE_S, page=0)
    for now_s in range(40):
        clock.s = float(now_s)
        there.look(now_s)
    clock.s = 40.0
    return told, there.report(steps, rate=RATE)


def test_steps_with_viewers_are_compared_with_those_of_the_phase_before(
    clock: SimpleNamespace,
) -> None:
    costs_ms = (10.0, 12.0, 20.0, 22.0)  # of each phase
    steps = [step(n / 2, costs_ms[n // 20], lost=n >= 39) for n in range(80)]
    told, page = seen_by(clock, steps)
    assert told == ['come', 'go', 'come', 'go']
    assert page['steps_ms'] == [[10.0, 12.0], [20.0, 22.0]]
    alone, looked_at = page['rows']
    assert (alone['viewers'], looked_at['viewers'], alone['phases']) == (0, 2, 2)
    assert looked_at['step_p50_ms'] == {'p25': 14.5, 'p50': 17.0, 'p75': 19.5}
    assert looked_at['used_per_s']['p50'] == pytest.approx(2.0)
    assert looked_at['pictures_per_viewer_s']['p50'] == 4.0
    assert alone['pictures_per_viewer_s']['p50'] == 0.0
    assert looked_at['page_cpu_share']['p50'] == pytest.approx(0.05)
    assert (alone['images_lost'], looked_at['images_lost']) == (0, 1)
    assert looked_at['images_sent'] == 2 * 2 * round(RATE * 8.5)  # but for those who come and go
    assert page['resident_mb'] == [50.0] * 40


@pytest.mark.parametrize(('slower', 'met'), [(1.05, True), (1.15, False)])
def test_the_median_of_the_quotients_is_judged(slower: float, met: bool) -> None:
    page = {'steps_ms': [[10.0, 10.0 * slower], [20.0, 20.0 * slower], [30.0, 90.0]]}
    judged = step_bar(page)
    assert judged['value'] == pytest.approx(slower)
    assert judged['met'] is met
    assert judged['quartiles']['p75'] > 2.0


def test_a_phase_with_hardly_a_step_is_left_out(clock: SimpleNamespace) -> None:
    costs_ms = (10.0, 12.0, 20.0, 22.0)
    steps = [step(n / 2, costs_ms[n // 20]) for n in range(80) if n < 41 or n > 59]
    _, page = seen_by(clock, steps)
    assert (page['phases'], page['left_out']) == (4, 1)
    assert page['steps_ms'] == [[10.0, 12.0]]
    (looked_at,) = page['rows']
    assert (looked_at['viewers'], looked_at['phases']) == (2, 2)


@pytest.mark.parametrize('seconds', [0, 18])
def test_an_engine_that_takes_hardly_a_step_misses_the_bar(
    clock: SimpleNamespace, seconds: int
) -> None:
    _, page = seen_by(clock, [step(n / 2, 10.0) for n in range(2 * seconds)])
    assert page['rows'] == [] == page['steps_ms'][1:]
    judged = step_bar(page)
    assert judged['quotient'] == 'phases with steps / phases' and not judged['met']
    assert judged['numbers'] == [seconds // 9, 4]
