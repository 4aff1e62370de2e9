# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import array
import time
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image

from livevlm_ros.engine.messages import Frame
from livevlm_ros.node.cameras import Camera, CameraSettings

PIXELS = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(4, 6, 3)


def image(*, sec: int = 5, nanosec: int = 7) -> Image:
    message = Image(height=4, width=6, encoding='rgb8', step=18)
    message.header.stamp.sec, message.header.stamp.nanosec = sec, nanosec
    message.header.frame_id = 'front_optical'
    message.data = array.array('B', PIXELS.tobytes())
    return message


def jpeg() -> CompressedImage:
    message = CompressedImage(format='jpeg')
    message.header.stamp.sec = 5
    message.data = array.array('B', cv2.imencode('.jpg', PIXELS)[1].tobytes())
    return message


class Bench:
    """A camera under test, a publisher's node, and what the camera saw."""

    def __init__(self, ros: Any, eventually: Callable[..., Any]) -> None:
        self.ros = ros
        self.eventually = eventually
        self.peer = ros.node('driver')
        self.node = ros.node('listener')
        self.frames: list[Frame] = []
        self.turned_away: list[tuple[str, str]] = []
        self.camera: Any = None

    def listen(
        self, *, topic: str = 'front/image', transport: str = 'raw', bits: int = 0
    ) -> Camera:
        settings = CameraSettings('front', topic, transport, bits)
        self.camera = Camera(
            self.node, settings, self.frames.append, lambda *why: self.turned_away.append(why)
        )
        self.camera.start()
        return self.camera

    def publish(self, message: Any, topic: str, qos: Any = 1) -> Frame:
        """Publish until a frame comes."""
        publisher = self.peer.create_publisher(type(message), topic, qos)

        def came() -> bool:
            publisher.publish(message)
            self.camera.look()
            return bool(self.frames)

        self.eventually(came)
        return self.frames[0]


@pytest.fixture
def bench(ros: Any, eventually: Callable[..., Any]) -> Iterator[Bench]:
    bench = Bench(ros, eventually)
    yield bench
    bench.camera.stop()


RELIABLE = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.mark.parametrize(
    'qos', [RELIABLE, qos_profile_sensor_data, LATCHED], ids=['reliable', 'best effort', 'latched']
)
def test_publishers_of_every_usual_qos_are_heard(bench: Bench, qos: QoSProfile) -> None:
    bench.listen()
    frame = bench.publish(image(), '/front/image', qos)
    assert (frame.camera, frame.stamp_ns, frame.frame_id) == (
        'front',
        5_000_000_007,
        'front_optical',
    )
    assert callable(frame.pixels)
    np.testing.assert_array_equal(frame.pixels(), PIXELS)


def test_auto_takes_compressed_when_nothing_else_is_published(bench: Bench) -> None:
    camera = bench.listen(transport='auto')
    assert camera.report(10).topics == ('/front/image', '/front/image/compressed')
    frame = bench.publish(jpeg(), '/front/image/compressed')
    assert callable(frame.pixels) and frame.pixels().shape == (4, 6, 3)
    report = camera.report(10)
    assert (report.transport, report.encoding) == ('compressed', 'jpeg')
    assert report.topics == ('/front/image/compressed',)


def test_auto_prefers_raw_and_follows_a_driver_that_changes(bench: Bench) -> None:
    compressed = bench.peer.create_publisher(CompressedImage, '/front/image/compressed', 1)
    raw = bench.peer.create_publisher(Image, '/front/image', 1)
    bench.eventually(
        lambda: (
            bench.node.count_publishers('/front/image')
            and bench.node.count_publishers('/front/image/compressed')
        )
    )
    camera = bench.listen(transport='auto')
    camera.look()
    assert camera.report(10).transport == 'raw'
    bench.peer.destroy_publisher(raw)

    def compressed_came() -> bool:
        compressed.publish(jpeg())
        camera.look()
        return bool(bench.frames)

    bench.eventually(compressed_came)
    assert camera.report(10).transport == 'compressed'


def test_auto_leaves_a_raw_topic_that_is_silent_for_a_compressed_one_and_keeps_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr('livevlm_ros.node.transport.UNHEARD_S', 0.5)
    raw = bench.peer.create_publisher(Image, '/front/image', 1)
    bench.eventually(lambda: bench.node.count_publishers('/front/image'))
    camera = bench.listen(transport='auto')
    camera.look()
    assert camera.report(10).transport == 'raw'
    bench.publish(jpeg(), '/front/image/compressed')
    report = camera.report(10)
    assert (report.transport, report.beside) == ('compressed', ())
    said = capfd.readouterr().err
    assert said.count('nothing comes on /front/image; taking /front/image/compressed') == 1
    for _ in range(5):
        raw.publish(image())
        camera.look()
    assert camera.report(10).transport == 'compressed'


def test_a_move_from_one_silent_topic_to_another_does_not_hide_the_silence(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr('livevlm_ros.node.transport.UNHEARD_S', 0.5)
    monkeypatch.setattr('livevlm_ros.node.cameras.SILENT_S', 0.0)
    bench.peer.create_publisher(Image, '/front/image', 1)
    bench.peer.create_publisher(CompressedImage, '/front/image/compressed', 1)
    bench.eventually(lambda: bench.node.count_publishers('/front/image'))
    bench.eventually(lambda: bench.node.count_publishers('/front/image/compressed'))
    camera = bench.listen(transport='auto')
    camera.look()
    bench.eventually(lambda: camera.report(10).publishers)
    began_s = time.monotonic()
    for transport in ('compressed', 'raw'):

        def moved(to: str = transport) -> bool:
            camera.look()
            return camera.report(10).transport == to

        bench.eventually(moved)
        bench.eventually(lambda: camera.report(10).publishers)
        assert camera.report(10).silent_s >= time.monotonic() - began_s - 0.1
    assert capfd.readouterr().err.count('nothing comes on') == 1


def test_what_is_published_beside_the_topic_is_reported(bench: Bench) -> None:
    camera = bench.listen(transport='raw')
    assert camera.report(10).beside == ()
    for form in ('compressed', 'ffmpeg'):
        bench.peer.create_publisher(CompressedImage, f'/front/image/{form}', 1)
    bench.eventually(lambda: camera.report(10).beside == ('compressed', 'ffmpeg'))


@pytest.fixture
def other() -> Iterator[Node]:
    """Give a node of a participant of its own: one has one type a topic."""
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node('other', context=context)
    yield node
    node.destroy_node()
    rclpy.shutdown(context=context)


def test_what_is_no_image_is_reported_by_its_type(bench: Bench, other: Node) -> None:
    camera = bench.listen(transport='raw')
    other.create_publisher(CompressedImage, '/front/image', 1)
    compressed = 'sensor_msgs/msg/CompressedImage'
    bench.eventually(lambda: camera.report(10).wrong_type == compressed)
    assert camera.report(10).publishers == 0


def test_what_is_no_image_is_not_held_to_be_a_mismatch_of_before(
    bench: Bench, other: Node
) -> None:
    name = 'qos_overrides./front/image.subscription.reliability'
    bench.node._parameter_overrides[name] = Parameter(name, value='reliable')
    camera = bench.listen(transport='raw')
    misfit = bench.peer.create_publisher(Image, '/front/image', qos_profile_sensor_data)
    bench.eventually(lambda: camera.report(10).incompatible)
    bench.peer.destroy_publisher(misfit)
    bench.eventually(lambda: not camera.report(10).incompatible)
    other.create_publisher(CompressedImage, '/front/image', 1)
    bench.eventually(lambda: camera.report(10).wrong_type)
    assert not camera.report(10).incompatible


@pytest.mark.parametrize(('bits', 'grey'), [(0, 128), (12, 32), (16, 2)])
def test_the_bits_of_a_sensor_are_a_parameter(bench: Bench, bits: int, grey: int) -> None:
    camera = bench.listen(bits=bits)
    dim = image()
    dim.encoding, dim.step = 'mono16', 12
    dim.data = array.array('B', np.full((4, 6), 512, np.uint16).tobytes())
    frame = bench.publish(dim, '/front/image')
    assert callable(frame.pixels)
    assert set(np.unique(frame.pixels())) == {grey}
    assert camera.report(10).bits == (bits or 10)


def test_a_zero_stamp_without_a_clock_is_refused_by_its_reason(
    bench: Bench, eventually: Callable[..., Any]
) -> None:
    bench.node.set_parameters([Parameter('use_sim_time', value=True)])
    bench.listen()
    publisher = bench.peer.create_publisher(Image, '/front/image', 1)

    def refused() -> bool:
        publisher.publish(image(sec=0, nanosec=0))
        return bool(bench.turned_away)

    eventually(refused)
    assert 'nothing comes on /clock' in bench.turned_away[0][1]
    assert not bench.frames


@pytest.mark.parametrize(('encoding', 'shown'), [('x' * 10**6, 'x' * 256), ('', '')])
def test_an_encoding_is_reported_as_it_is_but_for_its_length(
    bench: Bench, capfd: pytest.CaptureFixture[str], encoding: str, shown: str
) -> None:
    camera = bench.listen()
    odd = image()
    odd.encoding = encoding
    bench.publish(odd, '/front/image')
    bench.eventually(lambda: camera.report(10).traffic.received)
    assert camera.report(10).encoding == shown
    assert not capfd.readouterr().err


def test_a_zero_stamp_becomes_the_time_of_arrival_with_one_warning(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    bench.listen()
    before = bench.node.get_clock().now().nanoseconds
    publisher = bench.peer.create_publisher(Image, '/front/image', 1)

    def three_came() -> bool:
        publisher.publish(image(sec=0, nanosec=0))
        return len(bench.frames) >= 3

    bench.eventually(three_came)
    assert all(frame.stamp_ns > before for frame in bench.frames)
    assert capfd.readouterr().err.count('header stamp is zero') == 1


def test_a_publisher_that_does_not_match_is_named(bench: Bench) -> None:
    name = 'qos_overrides./front/image.subscription.reliability'
    bench.node._parameter_overrides[name] = Parameter(name, value='reliable')
    camera = bench.listen()
    misfit = bench.peer.create_publisher(Image, '/front/image', qos_profile_sensor_data)
    bench.eventually(lambda: camera.report(10).incompatible)
    assert camera.report(10).incompatible == 'RELIABILITY'
    assert camera.report(10).publishers == 0
    bench.peer.create_publisher(Image, '/front/image', RELIABLE)
    bench.eventually(lambda: camera.report(10).publishers == 1)
    assert camera.report(10).incompatible == 'RELIABILITY'
    bench.peer.destroy_publisher(misfit)
    bench.eventually(lambda: not camera.report(10).incompatible)


def test_a_publisher_is_seen_to_come_and_go(bench: Bench) -> None:
    camera = bench.listen()
    assert camera.report(10).publishers == 0
    publisher = bench.peer.create_publisher(Image, '/front/image', 1)
    bench.eventually(lambda: camera.report(10).publishers == 1)
    bench.peer.destroy_publisher(publisher)
    bench.eventually(lambda: camera.report(10).publishers == 0)


def test_nothing_is_heard_after_stop_and_again_after_start(bench: Bench) -> None:
    camera = bench.listen()
    bench.publish(image(), '/front/image')
    camera.stop()
    bench.eventually(lambda: bench.node.count_subscribers('/front/image') == 0)
    bench.frames.clear()
    camera.start()
    bench.publish(image(), '/front/image')


@pytest.mark.parametrize('nanosec', [10**9, 2**32 - 5])
def test_a_stamp_that_is_no_time_makes_no_frame(
    bench: Bench, capfd: pytest.CaptureFixture[str], nanosec: int
) -> None:
    bench.listen()
    publisher = bench.peer.create_publisher(Image, '/front/image', 1)

    def came() -> bool:
        publisher.publish(image(sec=2**31 - 1, nanosec=nanosec))
        return bool(bench.turned_away)

    bench.eventually(came)
    camera, why = bench.turned_away[0]
    assert camera == 'front' and f'front: image with nanosec {nanosec} in its header' in why
    assert not bench.frames and not capfd.readouterr().err
    bench.publish(image(nanosec=10**9 - 1), '/front/image')


def test_an_error_behind_the_callback_does_not_end_the_camera(ros: Any, eventually: Any) -> None:
    calls: list[Frame] = []

    def see(frame: Frame) -> None:
        calls.append(frame)
        raise RuntimeError('no room')

    camera = Camera(ros.node(), CameraSettings('front', 'front/image', 'raw'), see, print)
    camera.start()
    publisher = ros.node('driver').create_publisher(Image, '/front/image', 1)

    def three_came() -> bool:
        publisher.publish(image())
        return len(calls) >= 3

    eventually(three_came)
    assert camera.report(10).traffic.received >= 2
    camera.stop()
