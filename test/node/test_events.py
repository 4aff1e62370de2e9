# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What happens is published, and the topic stays readable."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip('torch')

from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

from livevlm_interfaces.msg import MemoryEvent
from livevlm_ros.engine import MemoryRoom, MemorySizes, RecallCounts
from livevlm_ros.engine.events import Event, EventKind
from livevlm_ros.memory.archive.archive import ArchiveRoom
from livevlm_ros.node.events import CameraWatch, FlowWatch, Pace

SIZES = MemorySizes(
    **dict.fromkeys(MemorySizes.__slots__, 0)
    | {'recall': RecallCounts(), 'long_term_capacity': 135}
)
ARCHIVING = MemoryRoom(archive=ArchiveRoom())


def test_the_kinds_are_those_of_the_message() -> None:
    assert {kind.name: kind.value for kind in EventKind} == {
        name: getattr(MemoryEvent, name) for name in EventKind.__members__
    }


def test_the_first_event_passes_and_more_of_its_kind_a_second_later() -> None:
    pace = Pace()
    pace.add(Event(EventKind.OOM, detail='a step'))
    assert pace.due(10.0) == [Event(EventKind.OOM, detail='a step')]
    pace.add(Event(EventKind.OOM, detail='a step'))
    pace.add(Event(EventKind.OOM, detail='a question'))
    pace.add(Event(EventKind.CLEARED))
    assert pace.due(10.5) == [Event(EventKind.CLEARED)]
    assert pace.due(11.0) == [Event(EventKind.OOM, detail='a question (the last of 2)')]
    assert pace.due(99.0) == []


def test_counts_are_added_up_and_cameras_told_apart() -> None:
    pace = Pace()
    for _ in range(5):
        pace.add(Event(EventKind.BUCKETED, value=3))
    for name in ('front', 'back'):
        pace.add(Event(EventKind.CAMERA_LOST, name, value=3.1))
    told = pace.due(10.0)
    assert told[0] == Event(EventKind.BUCKETED, value=15)
    assert [event.camera for event in told[1:]] == ['front', 'back']


@pytest.mark.parametrize(
    ('room', 'kinds'), [(ARCHIVING, ['BUCKETED', 'ARCHIVED']), (MemoryRoom(), ['BUCKETED'])]
)
def test_frames_that_leave_short_term_are_counted(
    fake_engine: Any, room: MemoryRoom, kinds: list[str]
) -> None:
    flow = FlowWatch()
    stats = fake_engine.stats()
    assert not list(flow.look(stats))
    told = []
    for evictions, lost in ((7, 0), (10, 0), (15, 2), (15, 2), (0, 0), (1, 0)):
        sizes = replace(SIZES, evictions=evictions, archive_lost=lost, room=room)
        told.append([(e.kind.name, e.value) for e in flow.look(replace(stats, memory=sizes))])
    assert told[0] == told[3] == told[4] == []
    assert [kind for kind, _ in told[1]] == kinds
    assert told[2][0] == ('BUCKETED', 5)
    if room is ARCHIVING:
        assert told[2][1] == ('ARCHIVED', 3)
    assert told[5][0] == ('BUCKETED', 1)
    other = replace(SIZES, evictions=9_000, room=room)
    assert not list(flow.look(replace(stats, memory=other, memory_id='loaded')))


def test_a_memory_without_long_term_buckets_nothing(fake_engine: Any) -> None:
    flow, stats = FlowWatch(), fake_engine.stats()
    for evictions in (0, 3):
        sizes = replace(SIZES, evictions=evictions, long_term_capacity=0, room=MemoryRoom())
        assert not list(flow.look(replace(stats, memory=sizes)))


def test_of_a_story_the_last_event_is_told_last() -> None:
    pace, told = Pace(), []
    story = ((0.0, 'RECOVERED'), (0.4, 'DEGRADED'), (0.6, 'RECOVERED'), (0.8, 'DEGRADED'))
    for now_s, kind in (*story, (0.9, 'RECOVERED')):
        pace.add(Event(EventKind[kind]))
        told += [event.kind.name for event in pace.due(now_s)]
    told += [event.kind.name for event in pace.due(2.0)]
    assert told == ['RECOVERED', 'RECOVERED']


def test_a_camera_is_lost_once_and_back_once() -> None:
    watch, told = CameraWatch(), []
    for unheard_s in (math.nan, 0.1, 2.9, 3.1, 5.0, 0.2, 0.1, math.nan, 0.3, 3.5, math.nan, 0.1):
        camera = SimpleNamespace(name='front', unheard_s=unheard_s, patience_s=3.0)
        told += [(e.kind.name, e.camera, e.value) for e in watch.look(camera)]  # type: ignore[arg-type]
    assert told == [
        ('CAMERA_LOST', 'front', 3.1),
        ('CAMERA_BACK', 'front', 5.0),
        ('CAMERA_LOST', 'front', 3.5),
    ]


@pytest.fixture
def heard(ros: Any) -> list[MemoryEvent]:
    """Give the events that a subscriber hears."""
    events: list[MemoryEvent] = []
    ros.node('listener').create_subscription(
        MemoryEvent, '/livevlm/events', events.append, QoSProfile(depth=100)
    )
    return events


def test_events_of_the_engine_are_published_in_every_state(
    live_node: Any, fake_engine: Any, heard: list[MemoryEvent], eventually: Callable[..., Any]
) -> None:
    node = live_node()
    eventually(lambda: node.count_subscribers('/livevlm/events'))
    fake_engine.events = [Event(EventKind.LOADED, '', '/memory', 40)]
    node.trigger_configure()
    eventually(lambda: heard)
    assert (heard[0].type, heard[0].detail, heard[0].value) == (MemoryEvent.LOADED, '/memory', 40)
    assert heard[0].header.stamp.sec > 0
    node.trigger_activate()
    fake_engine.events = [Event(EventKind.OOM)] * 50
    eventually(lambda: len(heard) > 1)
    assert (heard[1].type, heard[1].detail) == (MemoryEvent.OOM, '(the last of 50)')


def test_a_camera_that_is_lost_and_back_is_told(
    ros: Any,
    live_node: Any,
    heard: list[MemoryEvent],
    eventually: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr('livevlm_ros.node.cameras.SILENT_S', 0.5)
    node = live_node()
    publisher = ros.node('driver').create_publisher(Image, '/camera/image_raw', 1)
    message = Image(height=1, width=1, encoding='mono8', step=1, data=b'\x05')
    message.header.stamp.sec = 1
    node.trigger_configure()
    node.trigger_activate()
    camera = node.cameras()[0]

    def came() -> bool:
        publisher.publish(message)
        return camera.unheard_s < 0.5

    def back() -> bool:
        publisher.publish(message)
        return [event.type for event in heard][1:] == [MemoryEvent.CAMERA_BACK]

    eventually(lambda: node.count_subscribers('/livevlm/events'))
    eventually(came)
    eventually(lambda: heard)
    assert (heard[0].type, heard[0].camera) == (MemoryEvent.CAMERA_LOST, 'camera')
    assert heard[0].value >= 0.5
    eventually(back)
    assert heard[1].value >= 0.5


@pytest.mark.slow
def test_a_real_node_tells_what_happened_on_its_topic_and_why_nothing_does_on_its_console(
    ros: Any,
    processes: Any,
    heard: list[MemoryEvent],
    eventually: Callable[..., Any],
    tmp_path: Path,
) -> None:
    parameters = {
        'memory.short_term_frames': 4,
        'ingest.target_fps': 100.0,
        'memory.snapshot': True,
        'memory.path': tmp_path,
    }
    process = processes.node(parameters)
    eventually(lambda: 'no publisher on /camera/image_raw or' in process.said(), 120)
    driver = ros.node('driver')
    publisher = driver.create_publisher(Image, '/camera/image_raw', 1)

    def told(kind: EventKind) -> bool:
        message = Image(height=48, width=64, encoding='mono8', step=64, data=bytes(48 * 64))
        message.header.stamp = driver.get_clock().now().to_msg()
        publisher.publish(message)
        return any(event.type == kind for event in heard)

    eventually(lambda: told(EventKind.ARCHIVED))
    eventually(lambda: told(EventKind.BUCKETED))
    eventually(lambda: told(EventKind.BUCKETED) and 'all is well again' in process.said())
    driver.destroy_publisher(publisher)
    eventually(lambda: any(event.type == EventKind.CAMERA_LOST for event in heard))
    assert process.interrupt()[0] == 0
    again = processes.node(parameters)
    eventually(lambda: any(event.type == EventKind.LOADED for event in heard), 120)
    for line in ('loading model', 'configured: the model is ready', 'no publisher on'):
        assert process.said().count(line) == 1
    assert again.interrupt()[0] == 0
