# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Standing questions over ROS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from builtin_interfaces.msg import Duration
from rclpy.qos import QoSProfile

from livevlm_interfaces.msg import Watch, WatchEvent
from livevlm_interfaces.srv import AddWatch, ListWatches, RemoveWatch
from livevlm_ros.engine.messages import Evidence, Frame
from livevlm_ros.engine.watch import Reason
from livevlm_ros.engine.watch import WatchEvent as Told
from livevlm_ros.node.memory_client import MemoryClient
from livevlm_ros.node.node import load_engine

SECOND = 10**9
ASKED = 'what color was the last traffic light ?'


@pytest.fixture
def asker() -> Iterator[MemoryClient]:
    """Give a client of the node in the root namespace."""
    with MemoryClient() as client:
        yield client


@pytest.fixture
def heard(ros: Any) -> list[WatchEvent]:
    """Give the events that a subscriber hears."""
    events: list[WatchEvent] = []
    ros.node('listener').create_subscription(
        WatchEvent, '/livevlm/watch_events', events.append, QoSProfile(depth=50)
    )
    return events


def _added(asker: MemoryClient, **fields: Any) -> Any:
    watch = Watch(**{'question': ASKED, 'period': Duration(sec=1), **fields})
    return asker.call(AddWatch, 'add_watch', AddWatch.Request(watch=watch))


def _listed(asker: MemoryClient) -> list[Any]:
    return list(asker.call(ListWatches, 'list_watches', ListWatches.Request()).watches)


def _removed(asker: MemoryClient, watch_id: str) -> tuple[bool, int, str]:
    request = RemoveWatch.Request(watch_id=watch_id)
    reply = asker.call(RemoveWatch, 'remove_watch', request)
    return reply.success, reply.removed, reply.message


def test_the_reasons_are_those_of_the_message() -> None:
    assert {reason.name: reason.value for reason in Reason} == {
        name: getattr(WatchEvent, name) for name in Reason.__members__
    }


def test_an_event_says_it_all(
    live_node: Any, fake_engine: Any, heard: list[WatchEvent], eventually: Callable[..., Any]
) -> None:
    node = live_node()
    eventually(lambda: node.count_subscribers('/livevlm/watch_events'))
    found = Evidence('front', 12 * SECOND, 'optical', 'front/12', 0.5)
    told = [Told('gate', ASKED, Reason.CHANGED, 'red', 'green', 0.75, 13 * SECOND + 1, (found,))]
    fake_engine.watches.take_events = lambda: ([told.pop()], 0) if told else ((), 0)
    node.trigger_configure()
    eventually(lambda: heard)
    event = heard[0]
    assert (event.header.stamp.sec, event.header.stamp.nanosec) == (13, 1)
    assert (event.watch_id, event.question, event.reason) == ('gate', ASKED, WatchEvent.CHANGED)
    assert (event.answer, event.answer_before, event.confidence) == ('red', 'green', 0.75)
    assert [(e.frame_key, e.header.stamp.sec, e.score) for e in event.evidence] == [
        ('front/12', 12, 0.5)
    ]


def test_without_an_engine_the_node_says_why(live_node: Any, asker: MemoryClient) -> None:
    live_node()
    assert not _added(asker).success
    assert _added(asker).message == 'the node is unconfigured'
    assert _removed(asker, '') == (False, 0, 'the node is unconfigured')
    assert _listed(asker) == []


@pytest.mark.slow
def test_a_watch_is_told_over_ros_and_outlives_a_deactivation(
    live_node: Any,
    asker: MemoryClient,
    heard: list[WatchEvent],
    eventually: Callable[..., Any],
) -> None:
    from livevlm_ros.world import World

    node = live_node({'ask.default_budget': 20.0}, make_engine=load_engine)
    node.trigger_configure()
    eventually(lambda: node.count_subscribers('/livevlm/watch_events'))
    for fields, said in (
        ({'question': ''}, 'question: got an empty text'),
        ({'cameras': ['side']}, "cameras: got 'side'"),
        ({'period': Duration()}, 'period, every_frames: both are 0'),
        ({'every_frames': 2}, 'period, every_frames: both are set'),
        ({'period': Duration(sec=-3)}, 'period: got -3 s'),
        ({'cooldown': Duration(sec=-1)}, 'cooldown: got -1 s'),
        ({'latency_budget': Duration(sec=-1)}, 'latency_budget: got -1'),
        ({'question': 'caf\ufffd ?'}, 'question is not valid UTF-8'),
    ):
        refused = _added(asker, **fields)
        assert not refused.success and refused.message.startswith(said), refused.message
    added = _added(asker, watch_id='light', cooldown=Duration(sec=2))
    assert added.success and added.watch_id == 'light'
    assert not _added(asker, watch_id='light').success
    node.trigger_activate()

    world = World(90_300_002, 60.0)

    def see(second: int) -> None:
        used = node.engine().stats().frames_used
        frame = Frame(
            'camera', (1000 + second) * SECOND, world.image(second, (320, 240)), 'optical'
        )
        node.engine().see(frame)
        eventually(lambda: node.engine().stats().frames_used > used)

    see(0)
    eventually(lambda: heard)
    assert (heard[0].reason, heard[0].answer_before) == (WatchEvent.FIRST, '')
    assert heard[0].answer and heard[0].evidence and heard[0].header.stamp.sec == 1000
    node.trigger_deactivate()
    (listed,) = _listed(asker)
    assert (listed.watch_id, listed.question, listed.answer) == ('light', ASKED, heard[0].answer)
    assert (listed.period.sec, listed.cooldown.sec, listed.events) == (1, 2, 1)
    assert listed.latency_budget.sec == 20 and listed.answered_at.sec == 1000
    node.trigger_activate()
    see(1)
    eventually(lambda: _listed(asker)[0].answered_at.sec == 1001)
    assert _removed(asker, 'light') == (True, 1, '')
    assert _removed(asker, 'light') == (False, 0, "watch_id: got 'light', which is no watch")
    assert _removed(asker, '') == (True, 0, '')
