# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Camera topics: each image goes to the engine as a frame, to be decoded there if it is used."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
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

from livevlm_ros.bit_depth import BitDepth
from livevlm_ros.engine.messages import NAME_CHARACTERS, BadFrame, Frame
from livevlm_ros.images import to_rgb, to_stamp_ns
from livevlm_ros.node.traffic import Traffic, TrafficStats
from livevlm_ros.node.transport import TransportChoice

SILENT_S = 3.0  # without an image after which a camera is lost, or thrice its last pause
MOST_SILENT_S = 60.0
TYPES = {'raw': Image, 'compressed': CompressedImage}
UNREAD = ('ffmpeg', 'theora', 'zstd')  # transports whose images must be republished


def type_name(transport: str) -> str:
    """Return the type of a transport's images, as ROS tells it of publishers."""
    return f'sensor_msgs/msg/{TYPES[transport].__name__}'


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """
    A camera as the parameters describe it.

    :param topic: may be remapped
    :param bits: of 16-bit values; 0: by the brightest value seen
    """

    name: str
    topic: str
    transport: str
    bits: int = 0


@dataclass(frozen=True, slots=True)
class CameraReport:
    """
    A camera as ROS sees it.

    :param topics: what it listens to, or would, fully resolved
    :param transport: raw or compressed; '' while `auto` has found no publisher
    :param publishers: matched publishers
    :param incompatible: the QoS policy for which a publisher could not be matched, or ''
    :param silent_s: seconds since the last image, or since a publisher came, or since the start
    :param patience_s: seconds after which that is too long
    :param wrong_type: type of what is published on its topic instead of images, or ''
    :param beside: transports that have a publisher, of which none is ever listened to
    :param bits: of 16-bit values
    """

    name: str
    topics: tuple[str, ...]
    transport: str
    publishers: int
    incompatible: str
    silent_s: float
    encoding: str
    traffic: TrafficStats
    patience_s: float = SILENT_S
    wrong_type: str = ''
    beside: tuple[str, ...] = ()
    bits: int = 0


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
        self._depth = BitDepth(settings.bits)
        self._group = MutuallyExclusiveCallbackGroup()
        self._traffic = Traffic()
        self._encoding = ''
        self._warned_of_stamp = False
        self._changes = threading.Lock()  # of the subscription: by transitions and by `look`
        self._started = False
        self._subscription: Subscription[Any] | None = None
        self._choice = TransportChoice()
        self._image_s = math.nan  # when the last one came
        self._since_s: float
        self._heard_s: float
        self._forget_connection()

    def start(self) -> None:
        """Subscribe, or with `auto` leave it to `look` to find a publisher."""
        with self._changes:
            self._started = True
            self._choice = TransportChoice()
            self._forget_connection()
            if self._wanted != 'auto':
                self._subscribe(self._wanted)

    def stop(self) -> None:
        """Unsubscribe."""
        with self._changes:
            self._started = False
            self._unsubscribe()
            self._image_s = math.nan

    def look(self) -> None:
        """With `auto`: take the transport that delivers, raw if both do; keep what works."""
        with self._changes:
            if self._started and self._wanted == 'auto':
                self._choose()

    @property
    def silent_s(self) -> float:
        """Seconds since the last image, or since a publisher came, or since the start."""
        return time.monotonic() - self._since_s

    @property
    def patience_s(self) -> float:
        """Seconds without an image after which the camera is held to be lost."""
        return min(max(SILENT_S, 3 * self._pause_s), MOST_SILENT_S)

    @property
    def unheard_s(self) -> float:
        """Seconds since the last image; NaN before the first since the start."""
        return time.monotonic() - self._image_s

    def report(self, window_s: float) -> CameraReport:
        """Return the state of the camera; rates and times over `window_s` seconds."""
        transport = self._transport
        wanted = transport or self._wanted
        listened = tuple(self._topics) if wanted == 'auto' else (wanted,)
        beside = {form: f'{self._topics["raw"]}/{form}' for form in UNREAD}
        if self._wanted != 'auto':
            beside = {form: self._topics[form] for form in TYPES if form != wanted} | beside
        return CameraReport(
            name=self.name,
            topics=tuple(self._topics[form] for form in listened),
            transport=transport,
            publishers=self._publishers,
            incompatible=self._incompatible if self._is_unmatched(transport) else '',
            silent_s=self.silent_s,
            patience_s=self.patience_s,
            encoding=self._encoding,
            traffic=self._traffic.stats(window_s),
            wrong_type='' if self._publishers else self._wrong_type(listened),
            beside=tuple(self._published(beside)),
            bits=self._depth.bits,
        )

    def _published(self, topics: Mapping[str, str]) -> list[str]:
        """Return the transports whose topic has a publisher."""
        return [form for form, topic in topics.items() if self._node.count_publishers(topic)]

    def _is_unmatched(self, transport: str) -> bool:
        """Return whether there is a publisher of images that is not heard."""
        if not transport:
            return False
        return self._types_on(transport).count(type_name(transport)) > self._publishers

    def _wrong_type(self, listened: Iterable[str]) -> str:
        """Return the type of what comes on a topic in place of images, or ''."""
        for form in listened:
            others = [each for each in self._types_on(form) if each != type_name(form)]
            if others:
                return others[0]
        return ''

    def _types_on(self, transport: str) -> list[str]:
        """Return the type of each publisher on the topic of a transport."""
        found = self._node.get_publishers_info_by_topic(self._topics[transport])
        return [str(publisher.topic_type) for publisher in found]

    def _choose(self) -> None:
        before, in_vain = self._transport, self._choice.in_vain
        published = self._published(self._topics)
        taken = self._choice.choose(
            before,
            published,
            silent_s=time.monotonic() - max(self._subscribed_s, self._heard_s),
            heard=self._heard_s >= self._subscribed_s,
        )
        if taken == before:
            return
        since_s, lasts = self._since_s, self.silent_s >= SILENT_S
        self._unsubscribe()
        self._subscribe(taken)
        if before not in published:
            return
        if lasts:  # it goes on
            self._since_s, self._moved = since_s, True
        if not in_vain:
            self._node.get_logger().warning(
                f'camera {self.name}: nothing comes on {self._topics[before]}; taking '
                f'{self._topics[taken]}, which has a publisher too'
            )

    def _unsubscribe(self) -> None:
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
        self._forget_connection()

    def _subscribe(self, transport: str) -> None:
        self._transport, self._subscribed_s = transport, time.monotonic()
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
        self._moved = False  # to another transport, in a silence that lasts
        self._subscribed_s, self._heard_s = 0.0, 0.0
        self._pause_s = 0.0  # between the last two images
        self._since_s = time.monotonic()

    def _on_image(self, message: Any) -> None:
        began = time.monotonic()
        try:
            stamp_ns = to_stamp_ns(message) or self._arrival_ns()
            decode = partial(to_rgb, message, self._depth)
            self._see(Frame(self.name, stamp_ns, decode, message.header.frame_id))
            form = message.encoding if isinstance(message, Image) else message.format
            self._encoding = form[:NAME_CHARACTERS]
        except BadFrame as error:
            self._turn_away(self.name, f'camera {self.name}: {error}')
        except Exception as error:
            self._node.get_logger().error(
                f'camera {self.name}: {error!r}', throttle_duration_sec=5
            )
        self._pause_s = began - self._heard_s if self._heard_s else 0.0
        self._since_s = self._heard_s = self._image_s = began
        self._traffic.add(began, time.monotonic() - began)

    def _arrival_ns(self) -> int:
        if not self._warned_of_stamp:
            self._warned_of_stamp = True
            self._node.get_logger().warning(
                f'camera {self.name}: header stamp is zero; the time of arrival is taken instead. '
                'Set header.stamp in the driver to the time of exposure.'
            )
        now_ns = self._node.get_clock().now().nanoseconds
        if not now_ns:
            raise BadFrame('header stamp is zero, and so is the clock: nothing comes on /clock')
        return int(now_ns)

    def _on_matched(self, event: QoSSubscriptionMatchedInfo) -> None:
        if not self._publishers and event.current_count and not self._moved:
            self._since_s = time.monotonic()
        self._moved = False
        self._publishers = event.current_count

    def _on_incompatible(self, event: QoSRequestedIncompatibleQoSInfo) -> None:
        self._incompatible = qos_policy_name_from_kind(event.last_policy_kind)
