# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Camera topics: each image goes to the engine as a frame, to be decoded there if it is used."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.event_handler import (
    QoSRequestedIncompatibleQoSInfo,
    QoSSubscriptionMatchedInfo,
    SubscriptionEventCallbacks,
)
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image

from livevlm_ros.engine.messages import NAME_CHARACTERS, BadFrame, Frame
from livevlm_ros.images import to_rgb, to_stamp_ns
from livevlm_ros.node.traffic import Traffic, TrafficStats

TYPES = {'raw': Image, 'compressed': CompressedImage}


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """A camera as the parameters describe it; `topic` may be remapped."""

    name: str
    topic: str
    transport: str


@dataclass(frozen=True, slots=True)
class CameraReport:
    """
    A camera as ROS sees it.

    :param topics: what it listens to, or would, fully resolved
    :param transport: raw or compressed; '' while `auto` has found no publisher
    :param publishers: matched publishers
    :param incompatible: the QoS policy for which a publisher could not be matched, or ''
    :param silent_s: seconds since the last image, or since the subscription began
    """

    name: str
    topics: tuple[str, ...]
    transport: str
    publishers: int
    incompatible: str
    silent_s: float
    encoding: str
    traffic: TrafficStats


class Camera:
    """The subscription of one camera; `start` and `stop` may follow each other at will."""

    def __init__(
        self,
        node: Node,
        settings: CameraSettings,
        see: Callable[[Frame], None],
        turn_away: Callable[[str, str], None],
    ) -> None:
        """
        Prepare a camera without subscribing.

        :param see: takes each frame; must not block
        :param turn_away: is told of each image that makes no frame, by camera, and why
        :raises ValueError: for a topic that is no name
        """
        self.name = settings.name
        self._node = node
        self._wanted = settings.transport
        self._see, self._turn_away = see, turn_away
        try:
            base = node.resolve_topic_name(settings.topic)
        except Exception as error:  # of a class that rclpy keeps to itself
            raise ValueError(
                f'cameras.{self.name}.topic is {settings.topic!r}, expected the name of a topic: '
                f'{error}'
            ) from error
        self._topics = {'raw': base, 'compressed': f'{base}/compressed'}
        self._group = MutuallyExclusiveCallbackGroup()
        self._traffic = Traffic()
        self._encoding = ''
        self._warned_of_stamp = False
        self._changes = threading.Lock()  # of the subscription: by transitions and by `look`
        self._started = False
        self._subscription: Subscription[Any] | None = None
        self._saw_compressed = False
        self._forget_connection()

    def start(self) -> None:
        """Subscribe, or with `auto` leave it to `look` to find a publisher."""
        with self._changes:
            self._started = True
            self._forget_connection()
            if self._wanted != 'auto':
                self._subscribe(self._wanted)

    def stop(self) -> None:
        """Unsubscribe."""
        with self._changes:
            self._started = False
            self._unsubscribe()

    def look(self) -> None:
        """With `auto`: take the transport that is published, raw if both are; keep what works."""
        with self._changes:
            if self._started and self._wanted == 'auto':
                self._choose()

    def report(self, window_s: float) -> CameraReport:
        """Return the state of the camera; rates and times over `window_s` seconds."""
        now = time.monotonic()
        wanted = self._transport or self._wanted
        topics = self._topics.values() if wanted == 'auto' else (self._topics[wanted],)
        return CameraReport(
            name=self.name,
            topics=tuple(topics),
            transport=self._transport,
            publishers=self._publishers,
            incompatible=self._incompatible,
            silent_s=now - self._since_s,
            encoding=self._encoding,
            traffic=self._traffic.stats(window_s),
        )

    def _choose(self) -> None:
        count = {kind: self._node.count_publishers(topic) for kind, topic in self._topics.items()}
        if self._transport and (count[self._transport] or not any(count.values())):
            return
        found = next((kind for kind in TYPES if count[kind]), '')
        if found == 'compressed' and not self._saw_compressed:
            self._saw_compressed = True  # raw of the same camera may be discovered a moment later
        elif found:
            self._unsubscribe()
            self._subscribe(found)

    def _unsubscribe(self) -> None:
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
        self._forget_connection()

    def _subscribe(self, transport: str) -> None:
        self._transport = transport
        self._subscription = self._node.create_subscription(
            TYPES[transport],
            self._topics[transport],
            self._on_image,
            QoSProfile(
                history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT
            ),
            callback_group=self._group,
            event_callbacks=SubscriptionEventCallbacks(
                matched=self._on_matched, incompatible_qos=self._on_incompatible
            ),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def _forget_connection(self) -> None:
        self._subscription = None
        self._transport = ''
        self._publishers = 0
        self._incompatible = ''
        self._saw_compressed = False
        self._since_s = time.monotonic()

    def _on_image(self, message: Any) -> None:
        began = time.monotonic()
        try:
            stamp_ns = to_stamp_ns(message) or self._arrival_ns()
            decode = partial(to_rgb, message)
            self._see(Frame(self.name, stamp_ns, decode, message.header.frame_id))
            form = message.encoding if isinstance(message, Image) else message.format
            self._encoding = form[:NAME_CHARACTERS]
        except BadFrame as error:
            self._turn_away(self.name, f'camera {self.name}: {error}')
        except Exception as error:
            self._node.get_logger().error(
                f'camera {self.name}: {error!r}', throttle_duration_sec=5
            )
        self._since_s = began
        self._traffic.add(began, time.monotonic() - began)

    def _arrival_ns(self) -> int:
        if not self._warned_of_stamp:
            self._warned_of_stamp = True
            self._node.get_logger().warning(
                f'camera {self.name}: header stamp is zero; the time of arrival is taken instead. '
                'Set header.stamp in the driver to the time of exposure.'
            )
        return int(self._node.get_clock().now().nanoseconds)

    def _on_matched(self, event: QoSSubscriptionMatchedInfo) -> None:
        if not self._publishers and event.current_count:
            self._since_s = time.monotonic()
        self._publishers = event.current_count

    def _on_incompatible(self, event: QoSRequestedIncompatibleQoSInfo) -> None:
        self._incompatible = qos_policy_name_from_kind(event.last_policy_kind)
        self._node.get_logger().warning(
            f'camera {self.name}: a publisher on {self._topics[self._transport]} offers a '
            f'{self._incompatible} that does not match; no image will come from it. '
            f'Set qos_overrides.{self._topics[self._transport]}.subscription.* of this node.'
        )
