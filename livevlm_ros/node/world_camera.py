# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The executable `world_camera`: films the procedural world as a camera driver would.

Publishes `<topic>` (raw), `<topic>/compressed` (jpeg) and `camera_info` beside it; what nobody
listens to is not made. In stream time (`speed` other than 1, or `publish_clock`) it also publishes
/clock, just before each image.
"""

from __future__ import annotations

import array
import sys
import threading
import time
from collections.abc import Callable, Sequence

import cv2
import rclpy
from builtin_interfaces.msg import Time
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from livevlm_ros.intrinsics import pinhole
from livevlm_ros.node import declaration
from livevlm_ros.node.parameters import Parameter
from livevlm_ros.node.spinning import Refused, Spinner, enter_ros
from livevlm_ros.node.stopping import hear_signals
from livevlm_ros.world import FOCAL, World

ENDLESS_WORLD_S = 300.0
JPEG_QUALITY = 90

PARAMETERS = (
    Parameter('topic', 'camera/image_raw', 'Image topic.', change='start'),
    Parameter('frame_id', 'camera_optical_frame', 'Frame id of the headers.', change='start'),
    Parameter('seed', 7, 'Which world.', low=0, high=2147483647, change='start'),
    Parameter('width', 640, 'Pixels.', low=96, high=1280, change='start'),
    Parameter('height', 480, 'Pixels.', low=72, high=1280, change='start'),
    Parameter('rate', 30.0, 'Images per wall second.', low=0.1, high=120.0, change='start'),
    Parameter(
        'speed', 1.0, 'World seconds per wall second.', low=0.1, high=1000.0, change='start'
    ),
    Parameter('publish_clock', False, 'Publish /clock at any speed.', change='start'),
    Parameter(
        'start_stamp',
        1000.0,
        'Seconds: stamp of the first image in stream time; otherwise the time of day.',
        low=1.0,
        high=4e9,
        change='start',
    ),
    Parameter(
        'duration',
        0.0,
        'World seconds until the camera ends; 0: endless, a new world each 300 s.',
        low=0.0,
        high=86400.0,
        change='start',
    ),
    Parameter(
        'transports', ('raw', 'compressed'), 'Forms: raw, compressed or both.', change='start'
    ),
    Parameter(
        'wait_for_subscriber',
        False,
        'Begin the world when the first listener to the images comes.',
        change='start',
    ),
)


class WorldCamera(Node):
    """A camera in the procedural world."""

    def __init__(self, *, finished: Callable[[], None] = lambda: None) -> None:
        """
        Start filming.

        :param finished: called when `duration` is over
        :raises ValueError: for a transport that is not known
        """
        super().__init__('world_camera')
        self._finished = finished
        declaration.declare(self, PARAMETERS)
        values = declaration.values(self, {row.name: row for row in PARAMETERS})
        self._size = (values['width'], values['height'])
        self._rate, self._speed = values['rate'], values['speed']
        self._duration_s = values['duration']
        self._frame_id = values['frame_id']
        self._seed = values['seed']
        self._world_s = self._duration_s or ENDLESS_WORLD_S
        self._world_number = 0
        self._world = World(self._seed, self._world_s)
        self._waits = values['wait_for_subscriber']
        self._in_stream_time = values['publish_clock'] or self._speed != 1.0
        self._start_ns = round(values['start_stamp'] * 1e9)
        self._images = 0
        self._began_s = 0.0

        topic = values['topic']
        qos = QoSProfile(depth=5)
        overrides = QoSOverridingOptions.with_default_policies()
        unknown = set(values['transports']) - {'raw', 'compressed'}
        if unknown or not values['transports']:
            raise ValueError(
                f'transports is {values["transports"]}, expected raw, compressed or both'
            )
        self._raw = self._jpeg = None
        if 'raw' in values['transports']:
            self._raw = self.create_publisher(Image, topic, qos, qos_overriding_options=overrides)
        if 'compressed' in values['transports']:
            self._jpeg = self.create_publisher(
                CompressedImage, f'{topic}/compressed', qos, qos_overriding_options=overrides
            )
        base = topic.rpartition('/')[0]
        self._info = self.create_publisher(
            CameraInfo, f'{base}/camera_info' if base else 'camera_info', qos
        )
        self._ticks = (
            self.create_publisher(ClockMessage, '/clock', qos) if self._in_stream_time else None
        )
        self.create_timer(
            1.0 / self._rate, self._film, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        width, height = self._size
        where = self.resolve_topic_name(topic)
        self.get_logger().info(f'filming to {where}, {width}x{height} at {self._rate:g} Hz')

    def _film(self) -> None:
        """Publish the next image; the timer's callback."""
        listened = any(
            p is not None and p.get_subscription_count() for p in (self._raw, self._jpeg)
        )
        if self._waits and not listened:
            return
        self._waits = False
        t = self._next_time()
        if self._duration_s and t >= self._duration_s:
            self._finished()
            return
        stamp_ns = self._start_ns + round(t * 1e9)
        stamp = Time(sec=stamp_ns // 1_000_000_000, nanosec=stamp_ns % 1_000_000_000)
        if self._ticks is not None:
            self._ticks.publish(ClockMessage(clock=stamp))
        header = Header(stamp=stamp, frame_id=self._frame_id)
        if listened:
            self._publish_image(header, t)
        self._info.publish(self._camera_info(header))
        self._images += 1

    def _next_time(self) -> float:
        """Return the next image's time in the world: by count in stream time, else by clock."""
        if self._in_stream_time:
            return self._images * self._speed / self._rate
        now_s = time.monotonic()
        if not self._images:
            self._began_s = now_s
            self._start_ns = self.get_clock().now().nanoseconds
        return now_s - self._began_s

    def _publish_image(self, header: Header, t: float) -> None:
        number, t = divmod(t, self._world_s)
        if number != self._world_number:
            self._world_number = int(number)
            self._world = World(self._seed + self._world_number, self._world_s)
        pixels = self._world.image(t, self._size)  # uint8 RGB [height, width, 3]
        if self._raw is not None and self._raw.get_subscription_count():
            width, height = self._size
            image = Image(
                header=header, width=width, height=height, encoding='rgb8', step=3 * width
            )
            image.data = _fast_bytes(pixels)
            self._raw.publish(image)
        if self._jpeg is not None and self._jpeg.get_subscription_count():
            _, packed = cv2.imencode(
                '.jpg', pixels[:, :, ::-1], (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY)
            )
            image = CompressedImage(header=header, format='rgb8; jpeg compressed bgr8')
            image.data = _fast_bytes(packed)
            self._jpeg.publish(image)

    def _camera_info(self, header: Header) -> CameraInfo:
        """Describe the camera."""
        width, height = self._size
        known = pinhole(width, height, FOCAL)
        return CameraInfo(header=header, width=width, height=height, **known._asdict())


def _fast_bytes(pixels: cv2.typing.MatLike) -> array.array[int]:
    """Return what a message field takes without looking at each element."""
    data = array.array('B')
    data.frombytes(pixels.data)
    return data


def main(stop: threading.Event, args: Sequence[str] | None = None) -> int:
    """
    Film until `stop` is set or `duration` is over.

    :returns: 0, or 1 when a parameter is not allowed
    """
    try:
        camera = enter_ros(lambda: WorldCamera(finished=stop.set), args)
    except Refused as error:
        print(f'world_camera: {error}', file=sys.stderr)
        return 1
    executor = SingleThreadedExecutor()
    executor.add_node(camera)
    spinner = Spinner(executor)
    stop.wait()
    spinner.stop()
    executor.shutdown(timeout_sec=1.0)
    camera.destroy_node()
    rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main(hear_signals()))
