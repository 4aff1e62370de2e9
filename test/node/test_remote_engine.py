# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

from collections.abc import Callable
from dataclasses import replace
from threading import Timer
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Duration
from diagnostic_msgs.msg import DiagnosticStatus

pytest.importorskip('torch')

from livevlm_interfaces.msg import CameraState, MemoryState
from livevlm_interfaces.srv import Ask, GetInfo
from livevlm_ros.engine.messages import Answer, Frame, Latency, Question, Status
from livevlm_ros.node import remote_engine
from livevlm_ros.node.ask_service import fill_response
from livevlm_ros.node.diagnostics import ERROR
from livevlm_ros.node.parameters import table
from livevlm_ros.node.remote_engine import SETTLE_S, RemoteEngine, ReplayFailed
from livevlm_ros.replay import BadInput


class FakeClient:
    """A node that answers by a script; keeps what was waited for and asked."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {'ingest.target_fps': 1.0}
        self.waited_s: list[float] = []
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[Answer | None] = []
        self.clock_runs = True
        self.statuses: dict[str, Any] = {}
        self.told: list[Callable[[MemoryState], None]] = []

    def parameters(self, names: list[str], timeout_s: float) -> dict[str, Any]:
        return {name: self.given.get(name, table()[name].default) for name in names}

    def status(self, task: str) -> Any:
        return self.statuses.get(task)

    def wait_for_clock(self, time_s: float, timeout_s: float) -> bool:
        self.waited_s.append(time_s)
        return self.clock_runs

    def hear(self, kind: Any, name: str, on_message: Callable[[MemoryState], None]) -> None:
        assert (kind, name) == (MemoryState, 'memory_state')
        self.told.append(on_message)
        on_message(MemoryState(frames=7, device_bytes=100))

    def call(self, kind: Any, name: str, request: Any) -> Any:
        assert (kind, name) == (GetInfo, 'get_info')
        return GetInfo.Response(model_id='tiny')

    def send(self, question: str, **fields: Any) -> Any:
        self.sent.append((question, fields))
        answer = self.answers.pop(0)
        response = None if answer is None else Ask.Response()
        if answer is not None:
            fill_response(response, answer, asked_at_ns=1)
        return SimpleNamespace(wait=lambda timeout_s: response)


@pytest.fixture
def node() -> FakeClient:
    return FakeClient()


@pytest.fixture
def drive(node: FakeClient) -> Callable[..., RemoteEngine]:
    """Make an engine that has begun."""

    def make(**options: Any) -> RemoteEngine:
        engine = RemoteEngine(node, **options)  # type: ignore[arg-type]
        engine.clear()
        return engine

    return make


def show(engine: RemoteEngine, *seconds: float) -> list[bool]:
    turned = []
    for second in seconds:
        engine.see(Frame('camera', round(second * 1e9), np.zeros((1, 1, 3), np.uint8)))
        turned.append(engine.turn())
    return turned


def answer(newest_s: float, *, total_ms: float = 10.0) -> Answer:
    return Answer(
        Status.OK,
        text='red',
        confidence=0.0,
        newest_stamp_ns=round(newest_s * 1e9),
        latency=Latency(total_ms=total_ms, budget_ms=2000.0),
    )


def test_a_frame_to_be_used_is_given_time_and_one_of_another_is_only_waited_for(
    node: FakeClient, drive: Callable[..., RemoteEngine]
) -> None:
    assert show(drive(), 10.0, 10.05, 10.5, 11.0) == [True, False, False, True]
    expected = [10.0 + SETTLE_S, 10.0 + SETTLE_S, 10.5, 11.0 + SETTLE_S]
    assert node.waited_s == pytest.approx(expected, abs=1e-5)


def test_the_time_a_frame_is_given_is_of_the_wall(
    node: FakeClient, drive: Callable[..., RemoteEngine]
) -> None:
    show(drive(rate=4.0), 10.0)
    assert node.waited_s == pytest.approx([10.0 + 4.0 * SETTLE_S], abs=1e-5)


def test_it_counts_frames_as_the_node_is_configured_to(
    node: FakeClient, drive: Callable[..., RemoteEngine]
) -> None:
    node.given = {'ingest.target_fps': 2.0}
    engine = drive()
    assert show(engine, 10.0, 10.5, 11.0) == [True, True, True]
    assert engine.config.target_fps == 2.0


def test_the_memory_holds_no_frame_that_is_not_counted_yet(
    drive: Callable[..., RemoteEngine],
) -> None:
    engine = drive()
    show(engine, 10.0, 11.0)
    memory = engine.stats().memory
    assert memory is not None
    assert (memory.frames, memory.device_bytes) == (2, 100)


def test_the_counts_are_the_nodes_own_and_told_after_they_are_asked_for(
    node: FakeClient, drive: Callable[..., RemoteEngine]
) -> None:
    engine = drive()
    newer = MemoryState(cameras=[CameraState(name='camera', frames_in=5, frames_used=3)])
    later = Timer(0.1, lambda: [tell(newer) for tell in node.told])
    later.start()
    counts = engine.counts()
    assert (counts.frames_in, counts.frames_used, counts.model_id) == (5, 3, 'tiny')


def test_a_question_is_asked_with_its_budget_and_its_wish_for_images(
    node: FakeClient, drive: Callable[..., RemoteEngine]
) -> None:
    engine = drive()
    show(engine, 10.0)
    node.answers = [answer(10.0), answer(10.0)]
    asked = Question('what ?', request_id='a', budget_s=0.5, attach_images=True)
    assert engine.ask_now(asked).text == 'red'
    narrowed = Question('where ?', request_id='b', unlimited=True, lookback_s=2.5)
    engine.ask_now(replace(narrowed, choices=('left', 'right')))
    whole: dict[str, Any] = {'choices': [], 'lookback': Duration()}
    part = {'choices': ['left', 'right'], 'lookback': Duration(sec=2, nanosec=500_000_000)}
    assert node.sent == [
        ('what ?', {'budget_s': 0.5, 'request_id': 'a', 'attach_evidence_images': True, **whole}),
        ('where ?', {'budget_s': 0.0, 'request_id': 'b', 'attach_evidence_images': False, **part}),
    ]
    assert engine.warnings() == []


def test_lost_late_and_shifted_replies_are_counted_and_named(
    node: FakeClient, drive: Callable[..., RemoteEngine]
) -> None:
    engine = drive()
    show(engine, 10.0, 11.0)
    node.answers = [answer(11.0), None, answer(11.0, total_ms=2001.0), answer(10.0)]
    answers = [engine.ask_now(Question('what ?', request_id=name)) for name in 'abcd']
    assert (engine.lost, engine.late, engine.shifted) == (['b'], ['c'], ['d'])
    assert answers[1].status == Status.ERROR
    lost, late, shifted = engine.warnings()
    assert lost.startswith('1 of 4 questions') and lost.endswith(': b')
    assert 'after the budget' in late and late.endswith(': c')
    assert 'another newest frame' in shifted and shifted.endswith(': d')


def test_a_refusal_looked_at_no_frame_and_so_at_no_other_one(
    node: FakeClient, drive: Callable[..., RemoteEngine]
) -> None:
    engine = drive()
    show(engine, 10.0)
    node.answers = [
        Answer(status, confidence=0.0, latency=Latency(total_ms=1.0, budget_ms=2.0))
        for status in (Status.DEADLINE, Status.OVERLOADED, Status.NO_EVIDENCE)
    ]
    for name in 'abc':
        engine.ask_now(Question('what ?', request_id=name))
    assert (engine.late, engine.shifted) == ([], ['c'])


def test_what_cannot_be_loaded_is_bad_input(
    node: FakeClient, drive: Callable[..., RemoteEngine]
) -> None:
    engine = drive()
    node.clock_runs = False
    problem = 'configure failed: no model folder /m'
    node.statuses['model'] = DiagnosticStatus(level=ERROR, message=problem)
    with pytest.raises(BadInput, match='no model folder /m'):
        show(engine, 10.0)


def test_a_clock_that_stands_still_ends_the_replay(
    node: FakeClient, drive: Callable[..., RemoteEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_engine, 'PATIENCE_S', {'start': 0.0, 'clock': 0.0, 'told': 0.0})
    engine = drive()
    node.clock_runs = False
    with pytest.raises(ReplayFailed, match='no /clock of 10.150 s'):
        show(engine, 10.0)


def test_a_dead_child_is_noticed_while_waiting(
    node: FakeClient, drive: Callable[..., RemoteEngine]
) -> None:
    def check() -> None:
        raise ChildProcessError('gone')

    engine = drive(check=check)
    node.clock_runs = False
    with pytest.raises(ChildProcessError, match='gone'):
        show(engine, 10.0)
    node.answers = [None]
    with pytest.raises(ChildProcessError, match='gone'):
        engine.ask_now(Question('what ?'))
