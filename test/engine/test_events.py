# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What happens to an engine is told, whoever listens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from livevlm_ros.engine import Answer, Latency, Question, Status
from livevlm_ros.engine.events import MOST_EVENTS, Event, EventKind, Events
from livevlm_ros.memory.snapshot import MANIFEST, TENSORS


def taken(engine: Any) -> list[Event]:
    events, lost = engine.take_events()
    assert not lost
    return events


def test_the_oldest_events_are_lost_when_nobody_takes_them_and_counted() -> None:
    events = Events()
    for number in range(MOST_EVENTS + 3):
        events.tell(EventKind.OOM, value=number)
    kept, lost = events.take()
    assert (len(kept), kept[0].value, lost) == (MOST_EVENTS, 3, 3)
    assert events.take() == ([], 0)


def test_what_answers_give_up_is_told_when_it_changes() -> None:
    events = Events()
    for rung in (0, 1, 1, 4, 0, 0):
        events.answered(Answer(Status.OK, degradation=rung))
    events.answered(Answer(Status.INVALID, degradation=5))
    told = [(event.kind.name, event.detail, event.value) for event in events.take()[0]]
    assert told == [
        ('DEGRADED', 'fewer pages', 1),
        ('DEGRADED', 'partial', 4),
        ('RECOVERED', '', 0),
    ]


def test_a_budget_that_was_missed_is_told() -> None:
    events = Events()
    events.answered(Answer(Status.OK, latency=Latency(total_ms=90.0, budget_ms=100.0)))
    events.answered(Answer(Status.OK, latency=Latency(total_ms=110.0, budget_ms=100.0)))
    events.answered(Answer(Status.DEADLINE, 'too short', latency=Latency(budget_ms=5.0)))
    events.answered(Answer(Status.OK, latency=Latency(total_ms=110.0)))
    told = [(event.kind.name, event.detail, event.value) for event in events.take()[0]]
    assert told == [
        ('DEADLINE_MISS', 'OK after 110 ms: ', 100.0),
        ('DEADLINE_MISS', 'DEADLINE after 0 ms: too short', 5.0),
    ]


def test_a_leap_in_time_is_told_with_how_far_it_was(make_engine: Any, frame: Any) -> None:
    engine = make_engine(target_fps=1000.0)
    engine.load()
    for second in (100, 101, 95, 96, 9000, 9001):
        engine.see(frame(second))
        engine.turn()
    back, ahead = taken(engine)
    assert back == Event(
        EventKind.TIME_JUMP, 'camera', 'the memory stays and goes on', pytest.approx(-5.0)
    )
    assert (ahead.kind, ahead.value) == (EventKind.TIME_JUMP, pytest.approx(8905.0))


def test_a_memory_that_is_cleared_is_told_with_what_it_held(make_engine: Any, frame: Any) -> None:
    engine = make_engine(target_fps=1000.0, on_jump='reset')
    engine.load()
    for second in (100, 101, 5, 6):
        engine.see(frame(second))
        engine.turn()
    jump, cleared = taken(engine)
    assert (jump.kind, jump.detail) == (EventKind.TIME_JUMP, 'the memory is cleared')
    assert cleared == Event(EventKind.CLEARED, '', 'time began anew', 2 * 2)
    engine.clear()
    assert taken(engine) == [Event(EventKind.CLEARED, '', 'all', 2)]


def test_snapshots_are_told_with_their_size(make_saving: Any, watch: Any, tmp_path: Path) -> None:
    first, second = make_saving(), make_saving()
    watch(first, range(1, 20))
    first.cleanup()
    (saved,) = taken(first)
    files = [*tmp_path.glob(MANIFEST), *tmp_path.glob(TENSORS)]
    size = sum(file.stat().st_size for file in files)
    assert saved == Event(EventKind.SAVED, '', str(tmp_path), size)
    second.load()
    (loaded,) = taken(second)
    frames = second.stats().memory.frames
    assert loaded == Event(EventKind.LOADED, '', str(tmp_path), frames)


def test_a_device_out_of_memory_is_told_each_time(
    make_engine: Any, model: Any, frame: Any
) -> None:
    def broken(images: Any) -> None:
        raise torch.OutOfMemoryError('no room')

    engine = make_engine(target_fps=1000.0)
    engine.load()
    model.on_encode = broken
    for second in (1, 2):
        engine.see(frame(second))
        engine.turn()
    told = taken(engine)
    assert [event.kind for event in told] == [EventKind.OOM] * 2
    assert told[0].detail.startswith('step: no room')


def test_answers_of_a_running_engine_are_told(make_engine: Any, model: Any, frame: Any) -> None:
    with make_engine(target_fps=1000.0) as engine:
        engine.see(frame(1))
        engine.ask(Question('now ?', budget_s=1e-6))
        assert [event.kind for event in taken(engine)] == [EventKind.DEADLINE_MISS]
