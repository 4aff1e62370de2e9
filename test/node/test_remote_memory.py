# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a node tells over ROS is what its engine would have told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from livevlm_ros.engine.held import HeldFrame
from livevlm_ros.engine.messages import Answer, Latency, NotDone, Question, Source, Status
from livevlm_ros.engine.watch import Watch, WatchState
from livevlm_ros.node.memory_client import CommandFailed, MemoryClient
from livevlm_ros.node.remote_memory import Freed, RemoteMemory, RemoteWatches
from livevlm_ros.pose import Pose

SECOND = 10**9
POSE = Pose(1.5, -2.0, 0.5, 0.0, 0.0, 0.6, 0.8)
OLD = HeldFrame(
    *('front', 12 * SECOND + 1, 'lens', 'front/12', 0.5, Source.LONG_TERM, b'jpeg', POSE),
    *(12 * SECOND + 1, 0, 4, 9),
)
NEW = HeldFrame(
    'rear', 13 * SECOND, 'lens', 'rear/13', 0.25, stream_ns=13 * SECOND, short_term_tokens=9
)
WATCH = Watch('open ?', 'door', ('front',), 2.5, min_confidence=0.5, cooldown_s=1.0, budget_s=3.0)
CHOICE = {'time_start_ns': 5, 'time_end_ns': 7 * SECOND}


@pytest.fixture
def client() -> Iterator[MemoryClient]:
    """Give a client of the node in the root namespace."""
    with MemoryClient() as client:
        yield client


@pytest.fixture
def engine(live_node: Callable[..., Any], fake_engine: Any) -> Any:
    """Give the engine of an active node."""
    fake_engine.memory = SimpleNamespace()
    node = live_node()
    node.trigger_configure()
    node.trigger_activate()
    return fake_engine


def test_frames_come_as_they_are_held(engine: Any, client: MemoryClient) -> None:
    asked: list[Any] = []

    def timeline(cameras: Any, **chosen: Any) -> Any:
        asked.append((list(cameras), chosen))
        return (OLD, NEW), 7

    engine.memory.timeline, engine.memory.frame = timeline, lambda key: OLD
    memory = RemoteMemory(client)
    assert memory.timeline(('front',), **CHOICE, max_frames=2) == ((OLD, NEW), 7)
    assert asked == [(['front'], {**CHOICE, 'max_frames': 2, 'attach_images': False})]
    assert memory.frame('front/12') == OLD


def test_recall_brings_frames_and_refusals(engine: Any, client: MemoryClient) -> None:
    latency = Latency(total_ms=20.0, budget_ms=1500.0)
    answer = Answer(Status.OK, evidence=(OLD, NEW), frames_considered=4, latency=latency)
    engine.answer = lambda question: answer
    memory = RemoteMemory(client)
    wanted = Question(
        'a box', budget_s=1.5, cameras=('front',), lookback_s=60.0, max_evidence=2, **CHOICE
    )
    assert memory.recall(wanted) == answer
    (asked,) = engine.questions
    assert asked.recalls and (asked.text, asked.budget_s) == ('a box', 1.5)
    assert (asked.lookback_s, asked.max_evidence) == (60.0, 2)
    assert (asked.time_start_ns, asked.time_end_ns) == (5, 7 * SECOND)
    engine.answer = lambda question: Answer(Status.OVERLOADED, 'busy', retry_after_s=0.25)
    refused = memory.recall(wanted)
    assert (refused.status, refused.message) == (Status.OVERLOADED, 'busy')
    assert refused.retry_after_s == 0.25


def test_what_is_refused_says_why(engine: Any, client: MemoryClient) -> None:
    def forget(cameras: Any, **chosen: Any) -> Any:
        if cameras:
            raise NotDone('the engine is busy')
        return Freed(3, 27, 2**33)

    engine.memory.forget = forget
    memory = RemoteMemory(client)
    assert memory.forget((), **CHOICE) == Freed(3, 27, 2**33)
    with pytest.raises(CommandFailed, match='the engine is busy'):
        memory.forget(('front',), **CHOICE)


def test_watches_are_those_of_the_engine(engine: Any, client: MemoryClient) -> None:
    added: list[Watch] = []
    state = WatchState(WATCH, 'yes', 0.5, 12 * SECOND + 1, events=3)
    engine.watches.add = lambda watch: added.append(watch) or watch.watch_id
    engine.watches.list = lambda: (state,)
    engine.watches.remove = lambda watch_id: int(watch_id == 'door')
    watches = RemoteWatches(client)
    assert watches.add(WATCH) == 'door' and added == [WATCH]
    assert watches.list() == (state,)
    assert watches.remove('door') == 1
    with pytest.raises(CommandFailed, match="got 'gate', which is no watch"):
        watches.remove('gate')


def test_a_node_says_what_it_is_and_one_that_is_not_there_is_told(client: MemoryClient) -> None:
    with pytest.raises(NotDone, match='no node serves /livevlm/get_info'):
        RemoteMemory(client).info()


def test_many_calls_leave_one_client(engine: Any, client: MemoryClient) -> None:
    memory = RemoteMemory(client)
    assert [memory.info().preset for _ in range(3)] == ['balanced'] * 3
    names = [each.srv_name for each in client._node.clients]
    assert names.count('/livevlm/get_info') == 1
