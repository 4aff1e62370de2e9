# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The topic `~/events`: what happened to the memory, its answers and its cameras."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock
from rclpy.node import Node
from rclpy.qos import QoSProfile

from livevlm_interfaces.msg import MemoryEvent
from livevlm_ros.engine.events import Event, EventKind
from livevlm_ros.node.cameras import Camera

if TYPE_CHECKING:
    from livevlm_ros.engine import EngineStats
    from livevlm_ros.node.reporter import Reported

LOOK_S = 0.2
EVERY_S = 1.0  # between two events of one kind and camera
DEPTH = 100
SUMMED = frozenset({EventKind.BUCKETED, EventKind.ARCHIVED})  # their values are counts
ONE_STORY = {EventKind.RECOVERED: EventKind.DEGRADED}  # of which the last event is the truth


class EventTeller:
    """Looks at engine and cameras, and publishes what happened since the last look."""

    def __init__(self, node: Node, subject: Reported, *, clock: Clock) -> None:
        """
        Start telling.

        :param clock: steady
        """
        self._node, self._subject, self._clock = node, subject, clock
        self._topic = node.create_publisher(MemoryEvent, '~/events', QoSProfile(depth=DEPTH))
        self._pace = Pace()
        self._cameras: dict[str, CameraWatch] = {}
        self._flow = FlowWatch()
        node.create_timer(LOOK_S, self.look, MutuallyExclusiveCallbackGroup(), clock=clock)

    def look(self) -> None:
        """Publish what is due now."""
        try:
            for event in self._happened():
                self._pace.add(event)
            for event in self._pace.due(self._clock.now().nanoseconds / 1e9):
                self._topic.publish(self._message(event))
        except Exception as error:
            self._node.get_logger().error(f'events: {error!r}', throttle_duration_sec=10)

    def _happened(self) -> Iterator[Event]:
        engine = self._subject.engine()
        if engine is None:
            self._flow = FlowWatch()
        else:
            events, lost = engine.take_events()
            yield from events
            if lost:
                self._node.get_logger().warning(f'events: {lost} were lost')
            yield from self._flow.look(engine.stats())
        for camera in self._subject.cameras():
            yield from self._cameras.setdefault(camera.name, CameraWatch()).look(camera)

    def _message(self, event: Event) -> Any:
        message = MemoryEvent(
            type=int(event.kind),
            camera=event.camera,
            detail=event.detail,
            value=float(event.value),
        )
        message.header.stamp = self._node.get_clock().now().to_msg()
        return message


class Pace:
    """Lets one event of a kind and camera pass in `EVERY_S`, with what came before it."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[EventKind, str], tuple[Event, int]] = {}
        self._told_s: dict[tuple[EventKind, str], float] = {}

    def add(self, event: Event) -> None:
        """Take an event."""
        key = ONE_STORY.get(event.kind, event.kind), event.camera
        before, count = self._waiting.get(key, (None, 0))
        if before is not None and event.kind in SUMMED:
            event = event._replace(value=before.value + event.value)
        self._waiting[key] = event, count + 1

    def due(self, now_s: float) -> list[Event]:
        """
        Return what may be told now.

        :param now_s: steady time
        """
        due = [key for key in self._waiting if now_s - self._told_s.get(key, -math.inf) >= EVERY_S]
        self._told_s |= dict.fromkeys(due, now_s)
        return [_joined(*self._waiting.pop(key)) for key in due]


def _joined(event: Event, count: int) -> Event:
    """Say of the last of several events how many there were."""
    if count == 1 or event.kind in SUMMED:
        return event
    return event._replace(detail=f'{event.detail} (the last of {count})'.lstrip())


class CameraWatch:
    """Tells when a camera that sent images is lost, and when it is back."""

    def __init__(self) -> None:
        self._lost_s = math.nan  # seconds without an image, of a camera that is lost

    def look(self, camera: Camera) -> Iterator[Event]:
        """Yield what happened to the camera since the last look."""
        unheard_s, lost_s = camera.unheard_s, self._lost_s
        self._lost_s = unheard_s if unheard_s >= camera.patience_s else math.nan
        if math.isnan(lost_s) and not math.isnan(self._lost_s):
            yield Event(EventKind.CAMERA_LOST, camera.name, value=unheard_s)
        elif not math.isnan(lost_s) and unheard_s < camera.patience_s:
            yield Event(EventKind.CAMERA_BACK, camera.name, value=lost_s)


class FlowWatch:
    """Tells how many frames left short-term, and went to the archive."""

    def __init__(self) -> None:
        self._memory_id = ''
        self._before: tuple[int, int] | None = None  # frames that left, and were not archived

    def look(self, stats: EngineStats) -> Iterator[Event]:
        """Yield what became of the frames that left since the last look."""
        sizes = stats.memory
        if sizes is None:
            return
        now = sizes.evictions, sizes.archive_lost
        if stats.memory_id != self._memory_id:  # another memory, with counts of its own
            self._memory_id, self._before = stats.memory_id, None
        before, self._before = self._before or now, now
        left, lost = now[0] - before[0], max(0, now[1] - before[1])
        if left <= 0:  # none, or the memory was cleared
            return
        if sizes.long_term_capacity:
            yield Event(EventKind.BUCKETED, value=left)
        if sizes.room.archive is not None and left > lost:
            yield Event(EventKind.ARCHIVED, value=left - lost)
