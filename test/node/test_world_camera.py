# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from livevlm_ros.images import to_rgb
from livevlm_ros.world import World


@pytest.fixture
def heard(ros: Any) -> dict[str, list[Any]]:
    """Listen to all that a world camera says."""
    node = ros.node('listener')
    topics = {
        '/camera/image_raw': Image,
        '/camera/image_raw/compressed': CompressedImage,
        '/camera/camera_info': CameraInfo,
        '/clock': Clock,
    }
    heard: dict[str, list[Any]] = {topic: [] for topic in topics}
    for topic, kind in topics.items():
        node.create_subscription(kind, topic, heard[topic].append, qos_profile_sensor_data)
    return heard


def seconds(stamp: Any) -> float:
    return float(stamp.sec) + stamp.nanosec * 1e-9


def test_stream_time_has_a_clock_and_the_worlds_pixels(
    processes: Any, heard: dict[str, list[Any]], eventually: Callable[..., Any]
) -> None:
    processes.start(
        'world_camera',
        {'seed': 5, 'speed': 10.0, 'rate': 10.0, 'width': 320, 'height': 240,
         'wait_for_subscriber': True},
    )  # fmt: skip
    eventually(lambda: len(heard['/camera/image_raw']) >= 5)
    image = heard['/camera/image_raw'][-1]
    at = seconds(image.header.stamp) - 1000.0
    assert at == round(at)
    np.testing.assert_array_equal(to_rgb(image), World(5, 300.0).image(at, (320, 240)))
    stamps = [seconds(m.header.stamp) for m in heard['/camera/image_raw']]
    assert set(np.diff(stamps)) <= {1.0, 2.0}
    eventually(lambda: seconds(heard['/clock'][-1].clock) >= stamps[-1])
    packed = eventually(lambda: heard['/camera/image_raw/compressed'])[-1]
    at = seconds(packed.header.stamp) - 1000.0
    difference = to_rgb(packed).astype(int) - World(5, 300.0).image(at, (320, 240))
    assert np.abs(difference).mean() < 8
    info = eventually(lambda: heard['/camera/camera_info'])[-1]
    assert (info.width, info.height) == (320, 240)
    assert info.header.frame_id == image.header.frame_id == 'camera_optical_frame'
    assert info.k[0] == 320.0


def test_real_time_is_stamped_with_the_time_of_day_and_has_no_clock(
    ros: Any, processes: Any, heard: dict[str, list[Any]], eventually: Callable[..., Any]
) -> None:
    processes.start('world_camera', {'rate': 20.0, 'width': 160, 'height': 120})
    image = eventually(lambda: heard['/camera/image_raw'])[0]
    now = ros.nodes[0].get_clock().now().nanoseconds * 1e-9
    assert abs(now - seconds(image.header.stamp)) < 30
    assert not heard['/clock']


def test_it_ends_by_itself_when_its_time_is_over(
    processes: Any, heard: dict[str, list[Any]]
) -> None:
    camera = processes.start(
        'world_camera', {'duration': 3.0, 'speed': 10.0, 'rate': 10.0, 'width': 96, 'height': 72}
    )
    assert camera.popen.wait(60) == 0


@pytest.mark.parametrize(
    ('parameters', 'says'),
    [
        ({'transports': '[raw, theora]'}, 'theora'),
        ({'width': 9}, 'width'),
        ({'rate': 'fast'}, 'rate'),
    ],
    ids=['transport', 'range', 'type'],
)
def test_a_wrong_parameter_is_refused_in_one_line(
    processes: Any, parameters: dict[str, Any], says: str
) -> None:
    camera = processes.start('world_camera', parameters)
    assert camera.popen.wait(60) == 1
    assert says in camera.said()
    assert 'Traceback' not in camera.said()


def test_ctrl_c_ends_it_cleanly(
    processes: Any, heard: dict[str, list[Any]], eventually: Callable[..., Any]
) -> None:
    camera = processes.start('world_camera', {'width': 96, 'height': 72})
    eventually(lambda: heard['/camera/image_raw'])
    code, took_s = camera.interrupt()
    assert code == 0
    assert took_s < 5
    assert 'Traceback' not in camera.said()
