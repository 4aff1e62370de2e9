# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The newest frames in the memory can be looked at, and cost nothing while nobody looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip('torch')

from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage

from livevlm_ros.engine.album import Picture
from livevlm_ros.node.annotated import BORDER, GREEN, LINE, panel, sheet


def jpeg(height: int, width: int, grey: int = 90) -> bytes:
    return cv2.imencode('.jpg', np.full((height, width, 3), grey, np.uint8))[1].tobytes()


def test_a_panel_has_a_border_of_its_colour_and_a_legend() -> None:
    image = panel(jpeg(48, 64), 'front: 0.4 s old', GREEN)
    assert image.shape == (48 + LINE + BORDER, 64 + 2 * BORDER, 3)
    assert tuple(image[-1, 0]) == GREEN
    assert (image[:LINE] > 200).any()
    assert tuple(image[LINE + 24, BORDER + 32]) == (90, 90, 90)


def test_cameras_of_any_size_stand_side_by_side_above_what_was_said() -> None:
    panels = [panel(jpeg(48, 64), 'front', GREEN), panel(jpeg(20, 30), 'back', GREEN)]
    silent, spoken = sheet(panels, ''), sheet(panels, 'a red truck')
    assert silent.shape == (48 + LINE + BORDER, 94 + 4 * BORDER, 3)
    assert spoken.shape[0] == silent.shape[0] + LINE
    assert (spoken[-LINE:] > 200).any()


@pytest.fixture
def shown(
    ros: Any, live_node: Any, fake_engine: Any, eventually: Callable[..., Any]
) -> Callable[[], CompressedImage]:
    """Look at what a node whose memory holds two frames shows."""
    node = live_node()
    stats = fake_engine.stats()
    ask = replace(stats.ask, newest_text='red', newest_age_s=1.0)
    fake_engine.stats = lambda: replace(stats, ask=ask)
    node.trigger_configure()
    node.trigger_activate()
    messages: list[CompressedImage] = []

    def look() -> CompressedImage:
        subscriber = ros.node('viewer')
        subscriber.create_subscription(
            CompressedImage,
            '/livevlm/annotated/compressed',
            messages.append,
            qos_profile_sensor_data,
        )
        eventually(lambda: messages)
        return messages[0]

    return look


def test_who_subscribes_sees_the_newest_frame_of_each_camera_with_its_stamp(
    fake_engine: Any, shown: Callable[[], CompressedImage]
) -> None:
    fake_engine.newest_pictures = lambda: {
        'front': Picture('f/1', 7_000_000_005, jpeg(48, 64)),
        'back': Picture('b/1', 3_000_000_000, jpeg(48, 64)),
    }
    message = shown()
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (7, 5)
    assert message.format == 'jpeg'
    image = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (48 + 2 * LINE + BORDER, 128 + 4 * BORDER, 3)


def test_nothing_is_drawn_while_nobody_looks(
    fake_engine: Any, live_node: Any, eventually: Callable[..., Any]
) -> None:
    asked: list[int] = []
    fake_engine.newest_pictures = lambda: asked.append(1) or {}
    node = live_node()
    node.trigger_configure()
    node._annotated.look()
    assert not asked
    subscriber = node.create_subscription(
        CompressedImage, '/livevlm/annotated/compressed', print, qos_profile_sensor_data
    )
    eventually(lambda: asked)
    node.destroy_subscription(subscriber)
