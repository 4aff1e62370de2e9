# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rclpy.qos import QoSProfile
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image

from livevlm_ros.images import to_rgb
from livevlm_ros.node.bag_player import open_bag
from livevlm_ros.replay import BadInput
from livevlm_ros.replay.image_bag import image_bag

START_S = 1_700_000_000
JPEG = 'sensor_msgs/msg/CompressedImage'
STORE = get_typestore(Stores.ROS2_KILTED)
TYPES = {'raw': Image, 'jpeg': CompressedImage}


def picture(number: int) -> np.ndarray:
    return np.full((24, 32, 3), 20 * number, np.uint8)


def write_bag(path: Path, seconds: Sequence[float], *, raw: bool = False) -> Path:
    """Write a frame for each time, its number in its pixels."""
    with image_bag(path, raw=raw) as write:
        for number, second in enumerate(seconds):
            write(START_S * 1_000_000_000 + round(second * 1e9), picture(number))
    return path


def jpeg(stamp: float) -> bytes:
    """Serialise an image with a header stamp."""
    sec, nanosec = divmod(START_S * 1_000_000_000 + round(stamp * 1e9), 1_000_000_000)
    header = STORE.types['std_msgs/msg/Header'](
        STORE.types['builtin_interfaces/msg/Time'](sec, nanosec), 'camera'
    )
    message = STORE.types[JPEG](header, 'jpeg', np.zeros(9, np.uint8))
    return bytes(STORE.serialize_cdr(message, JPEG))


def write_messages(path: Path, messages: Sequence[bytes]) -> Path:
    """Write messages in this order, whatever their stamps."""
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection('/camera/image_raw/compressed', JPEG, typestore=STORE)
        for number, data in enumerate(messages):
            writer.write(connection, START_S * 1_000_000_000 + number, data)
    return path


class Listener:
    """Hears images and clock in one list, in the order they come."""

    def __init__(self, ros: Any, topic: str, kind: type) -> None:
        self.heard: list[tuple[str, float, Any]] = []
        node = ros.node('listener')
        reliable = QoSProfile(depth=1000)
        node.create_subscription(kind, topic, self._on_image, reliable)
        node.create_subscription(Clock, '/clock', self._on_clock, reliable)

    def _on_image(self, message: Any) -> None:
        self.heard.append(('image', seconds(message.header.stamp), message))

    def _on_clock(self, message: Any) -> None:
        self.heard.append(('clock', seconds(message.clock), None))

    def images(self) -> list[Any]:
        return [message for what, _, message in self.heard if what == 'image']

    def stamps(self, what: str) -> list[float]:
        return [stamp for kind, stamp, _ in self.heard if kind == what]


def seconds(stamp: Any) -> float:
    return float(stamp.sec - START_S) + stamp.nanosec * 1e-9


WAITS = {'wait_for_subscriber': True, 'clock_listeners': 1}


@pytest.mark.parametrize('form', TYPES)
def test_images_come_as_recorded_in_order_and_the_player_ends(
    ros: Any, processes: Any, tmp_path: Path, form: str
) -> None:
    bag = write_bag(tmp_path / 'bag', [0.0, 1.0, 2.0, 2.5], raw=form == 'raw')
    topic = '/camera/image_raw' if form == 'raw' else '/camera/image_raw/compressed'
    listener = Listener(ros, topic, TYPES[form])
    player = processes.start('bag_player', {'bag': bag, 'rate': 10.0, **WAITS})
    assert player.popen.wait(60) == 0, player.said()
    assert listener.stamps('image') == [0.0, 1.0, 2.0, 2.5]
    for number, image in enumerate(listener.images()):
        assert image.header.frame_id == 'camera_optical_frame'
        np.testing.assert_allclose(to_rgb(image), picture(number), atol=3)


def test_stamps_are_the_same_at_every_rate(ros: Any, processes: Any, tmp_path: Path) -> None:
    bag = write_bag(tmp_path / 'bag', [0.0, 0.25, 0.5])
    listener = Listener(ros, '/camera/image_raw/compressed', CompressedImage)
    for rate in (0.5, 1.0, 4.0):
        player = processes.start('bag_player', {'bag': bag, 'rate': rate, **WAITS})
        assert player.popen.wait(60) == 0, player.said()
    assert listener.stamps('image') == [0.0, 0.25, 0.5] * 3


def test_the_clock_runs_between_the_stamps_and_shows_each_before_its_image(
    ros: Any, processes: Any, tmp_path: Path
) -> None:
    bag = write_bag(tmp_path / 'bag', [0.0, 1.0, 2.0])
    listener = Listener(ros, '/camera/image_raw/compressed', CompressedImage)
    began_s = time.monotonic()
    player = processes.start('bag_player', {'bag': bag, 'rate': 2.0, **WAITS})
    assert player.popen.wait(60) == 0, player.said()
    assert time.monotonic() - began_s >= 2.0 / 2.0 + 1.0  # the bag, and a second of clock after it
    clock = listener.stamps('clock')
    assert clock[0] == 0.0 and {1.0, 2.0} <= set(clock)
    assert all(earlier <= later for earlier, later in pairwise(clock))
    assert sum(0.0 < tick < 1.0 for tick in clock) >= 2
    assert clock[-1] > 2.0


def test_images_are_moved_to_another_topic_with_their_form(
    ros: Any, processes: Any, tmp_path: Path
) -> None:
    bag = write_bag(tmp_path / 'bag', [0.0, 0.1])
    listener = Listener(ros, '/robot1/front/compressed', CompressedImage)
    player = processes.start(
        'bag_player',
        {'bag': bag, 'image_topic': 'front', **WAITS},
        arguments=('-r', '__ns:=/robot1'),
    )
    assert player.popen.wait(60) == 0, player.said()
    assert listener.stamps('image') == [0.0, pytest.approx(0.1)]


def test_it_waits_for_everyone_who_is_to_hear_the_clock(
    ros: Any, processes: Any, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    bag = write_bag(tmp_path / 'bag', [0.0, 0.1])
    first = Listener(ros, '/camera/image_raw/compressed', CompressedImage)
    player = processes.start('bag_player', {'bag': bag, **WAITS, 'clock_listeners': 2})
    eventually(lambda: ros.nodes[0].count_publishers('/clock'))
    with pytest.raises(AssertionError, match='not within'):
        eventually(lambda: first.heard, 1.0)
    Listener(ros, '/elsewhere', CompressedImage)
    assert player.popen.wait(60) == 0, player.said()
    assert first.stamps('image') == [0.0, pytest.approx(0.1)]


def test_a_stray_stamp_is_sent_and_moves_neither_the_clock_nor_what_follows(
    ros: Any, processes: Any, tmp_path: Path
) -> None:
    bag = write_messages(tmp_path / 'bag', [jpeg(stamp) for stamp in (0.0, 9000.0, 0.5, 1.0)])
    listener = Listener(ros, '/camera/image_raw/compressed', CompressedImage)
    player = processes.start('bag_player', {'bag': bag, **WAITS})
    assert player.popen.wait(60) == 0, player.said()
    assert listener.stamps('image') == [0.0, 9000.0, 0.5, 1.0]
    assert max(listener.stamps('clock')) < 5.0


def test_a_stretch_is_played_with_its_own_stamps(ros: Any, processes: Any, tmp_path: Path) -> None:
    bag = write_bag(tmp_path / 'bag', [0.0, 5.0, 5.1, 5.2, 9.0])
    listener = Listener(ros, '/camera/image_raw/compressed', CompressedImage)
    player = processes.start('bag_player', {'bag': bag, 'start': 5.0, 'duration': 0.15, **WAITS})
    assert player.popen.wait(60) == 0, player.said()
    assert listener.stamps('image') == [5.0, pytest.approx(5.1)]


def test_nothing_is_read_past_a_stretch(ros: Any, processes: Any, tmp_path: Path) -> None:
    stamps = (0.0, 0.1, 5.0, 5.1, float(-START_S))
    bag = write_messages(tmp_path / 'bag', [jpeg(stamp) for stamp in stamps])
    for given, told in (({'duration': 0.15}, False), ({'rate': 10.0}, True)):
        player = processes.start('bag_player', {'bag': bag, **given})
        assert player.popen.wait(60) == 0, player.said()
        assert ('1 frames on /camera/image_raw/compressed have stamp 0' in player.said()) is told


@pytest.mark.parametrize('raw', [True, False], ids=['raw', 'jpeg'])
def test_in_a_loop_the_images_come_again_and_time_goes_on(
    ros: Any, processes: Any, tmp_path: Path, eventually: Callable[..., Any], raw: bool
) -> None:
    bag = write_bag(tmp_path / 'bag', [0.0, 0.1, 0.2], raw=raw)
    topic = '/camera/image_raw' if raw else '/camera/image_raw/compressed'
    listener = Listener(ros, topic, Image if raw else CompressedImage)
    player = processes.start('bag_player', {'bag': bag, 'loop': True, **WAITS})
    eventually(lambda: len(listener.stamps('image')) > 7)
    assert player.popen.poll() is None, player.said()
    seconds = listener.stamps('image')[:8]
    assert seconds == [pytest.approx(number / 10) for number in range(8)]
    shown = [bytes(image.data) for image in listener.images()]
    assert shown[:3] == shown[3:6]
    clock = listener.stamps('clock')
    assert all(earlier <= later for earlier, later in pairwise(clock))


def test_a_record_that_is_no_image_is_left_out_and_told(
    ros: Any, processes: Any, tmp_path: Path
) -> None:
    bag = write_messages(tmp_path / 'bag', [jpeg(0.0), jpeg(0.0)[:6], jpeg(0.0)])
    listener = Listener(ros, '/jpeg/compressed', CompressedImage)
    player = processes.start('bag_player', {'bag': bag, 'image_topic': '/jpeg', **WAITS})
    assert player.popen.wait(60) == 0, player.said()
    assert listener.stamps('image') == [0.0, 0.0]
    assert '1 records that are no images' in player.said()


@pytest.mark.parametrize(
    ('parameters', 'says'),
    [
        ({}, 'bag is empty'),
        ({'bag': '/nowhere'}, '/nowhere: no such file'),
        ({'bag': '/nowhere', 'rate': 0.0}, 'rate'),
        ({'bag': '/nowhere', 'rate': 'fast'}, 'rate'),
    ],
    ids=['no bag', 'missing bag', 'range', 'type'],
)
def test_a_wrong_parameter_is_refused_in_one_line(
    processes: Any, parameters: dict[str, Any], says: str
) -> None:
    player = processes.start('bag_player', parameters)
    assert player.popen.wait(60) == 1
    assert says in player.said()
    assert 'Traceback' not in player.said()


def test_ctrl_c_ends_it_in_the_middle_of_a_bag(
    ros: Any, processes: Any, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    bag = write_bag(tmp_path / 'bag', [0.0, 3000.0])
    listener = Listener(ros, '/camera/image_raw/compressed', CompressedImage)
    player = processes.start('bag_player', {'bag': bag, **WAITS})
    eventually(listener.images)
    code, took_s = player.interrupt()
    assert code == 0
    assert took_s < 5
    assert 'Traceback' not in player.said()


def test_a_single_bag_of_a_folder_is_opened_and_several_or_a_video_are_refused(
    tmp_path: Path,
) -> None:
    write_bag(tmp_path / 'one', [0.0])
    assert open_bag(tmp_path).topic == '/camera/image_raw/compressed'
    write_bag(tmp_path / 'two', [0.0])
    with pytest.raises(BadInput, match='2 recordings; expected a single bag'):
        open_bag(tmp_path)
    (tmp_path / 'film.mp4').write_bytes(b'')
    with pytest.raises(BadInput, match='film.mp4'):
        open_bag(tmp_path / 'film.mp4')
