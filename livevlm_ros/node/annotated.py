# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The topic `~/annotated/compressed`: the newest frames in the memory, and what was last said."""

from __future__ import annotations

import array
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage

from livevlm_ros.node.conversions import to_time

if TYPE_CHECKING:
    from livevlm_ros.engine.album import Picture
    from livevlm_ros.node.reporter import Reported

EVERY_S = 0.5
ANSWER_S = 10.0  # for which an answer is shown
BORDER, LINE = 4, 16  # pixels: around each picture, and the height of a line of text
GREEN, ORANGE, GREY, BLACK = (0, 160, 0), (0, 140, 255), (128, 128, 128), (0, 0, 0)  # BGR
FONT, SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.4


class Annotated:
    """Draws and publishes while somebody subscribes."""

    def __init__(self, node: Node, subject: Reported, *, clock: Clock) -> None:
        """
        Start.

        :param clock: steady
        """
        self._node, self._subject = node, subject
        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._topic = node.create_publisher(CompressedImage, '~/annotated/compressed', qos)
        node.create_timer(EVERY_S, self.look, MutuallyExclusiveCallbackGroup(), clock=clock)

    def look(self) -> None:
        """Publish, if somebody subscribes and the memory has seen a frame."""
        engine = self._subject.engine()
        if engine is None or not self._topic.get_subscription_count():
            return
        try:
            if pictures := engine.newest_pictures():
                self._topic.publish(self._message(pictures, engine))
        except Exception as error:
            self._node.get_logger().error(f'annotated: {error!r}', throttle_duration_sec=10)

    def _message(self, pictures: Mapping[str, Picture], engine: Any) -> Any:
        now_ns = self._node.get_clock().now().nanoseconds
        stats, label = engine.stats(), self._subject.state().label
        state = 'paused' if label == 'active' and stats.paused else label
        limit_s = self._subject.values()['diagnostics.warn_frame_age_s']
        panels = []
        for name, picture in pictures.items():
            age_s = (now_ns - picture.stamp_ns) / 1e9
            color = GREY if state != 'active' else GREEN if abs(age_s) <= limit_s else ORANGE
            legend = '' if state == 'active' else f', {state}'
            panels.append(panel(picture.jpeg, f'{name}: {age_s:.1f} s old{legend}', color))
        said = stats.ask.newest_text if stats.ask.newest_age_s <= ANSWER_S else ''
        done, jpeg = cv2.imencode('.jpg', sheet(panels, said))
        assert done
        message = CompressedImage(format='jpeg', data=array.array('B', jpeg.tobytes()))
        message.header.stamp = to_time(max(picture.stamp_ns for picture in pictures.values()))
        return message


def panel(jpeg: bytes, legend: str, color: tuple[int, int, int]) -> np.ndarray:
    """Return a picture in a border of a colour, with a line of text above: BGR uint8."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None  # the engine made the jpeg
    image = cv2.copyMakeBorder(
        image, LINE, BORDER, BORDER, BORDER, cv2.BORDER_CONSTANT, value=color
    )
    cv2.putText(image, legend, (BORDER, LINE - 4), FONT, SCALE, (255, 255, 255), 1, cv2.LINE_AA)
    return image


def sheet(panels: list[np.ndarray], said: str) -> np.ndarray:
    """Return panels side by side, and below them what was said, if anything: BGR uint8."""
    height = max(image.shape[0] for image in panels)
    filled = [
        cv2.copyMakeBorder(image, 0, height - image.shape[0], 0, 0, cv2.BORDER_CONSTANT)
        for image in panels
    ]
    image = cv2.hconcat(filled)
    if said:
        image = cv2.copyMakeBorder(image, 0, LINE, 0, 0, cv2.BORDER_CONSTANT, value=BLACK)
        at = BORDER, image.shape[0] - 4
        cv2.putText(image, said, at, FONT, SCALE, (255, 255, 255), 1, cv2.LINE_AA)
    return image
