# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

from livevlm_ros.engine import Answer, Latency, Status
from livevlm_ros.engine.slot import CameraStats, Dropped
from livevlm_ros.engine.stats import WINDOW, AskRecord, EngineStats


def _answer(total_ms: float, *, budget_ms: float = 100.0, tokens: int = 1) -> Answer:
    latency = Latency(first_token_ms=total_ms / 2, total_ms=total_ms, budget_ms=budget_ms)
    return Answer(Status.OK, completion_tokens=tokens, latency=latency)


def test_percentiles_look_back_on_a_bounded_window():
    record = AskRecord()
    for number in range(WINDOW + 10):
        record.add(_answer(1000.0 if number < 10 else 1.0))
    stats = record.stats(waiting=0)
    assert (stats.total_ms.max, stats.first_token_ms.max) == (1.0, 0.5)
    assert stats.served == {Status.OK: WINDOW + 10}


def test_deadlines_are_met_missed_or_absent():
    record = AskRecord()
    for answer in (_answer(99.0), _answer(101.0), _answer(1e6, budget_ms=0.0)):
        record.add(answer)
    stats = record.stats(waiting=2)
    assert (stats.deadline_met, stats.deadline_missed, stats.waiting) == (1, 1, 2)


def test_refusals_are_no_latencies():
    record = AskRecord()
    record.add(_answer(1.0, tokens=0))
    assert math.isnan(record.stats(waiting=0).total_ms.p50)


def test_totals_are_over_all_cameras_known_or_not():
    stats = EngineStats(
        cameras={
            'left': CameraStats(
                frames_in=7, frames_used=3, dropped=Dropped(rate=1, newer=2), waiting=1
            ),
            'right': CameraStats(frames_in=2, frames_used=1, dropped=Dropped(bad=1)),
        },
        unknown_cameras=CameraStats(frames_in=4, dropped=Dropped(bad=4)),
        time_jumps=0,
        ask=AskRecord().stats(waiting=0),
    )
    assert stats.dropped == Dropped(rate=1, newer=2, bad=5)
    assert (stats.frames_used, stats.frames_in, stats.waiting) == (4, 13, 1)


def test_the_newest_answer_is_kept_with_its_age():
    record = AskRecord()
    assert math.isnan(record.stats(waiting=0).newest_age_s)
    record.add(Answer(Status.OK, text='red', completion_tokens=1))
    record.add(Answer(Status.OVERLOADED))
    stats = record.stats(waiting=0)
    assert stats.newest_text == 'red'
    assert 0.0 <= stats.newest_age_s < 60.0
