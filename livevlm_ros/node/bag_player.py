# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The executable `bag_player`: plays the images of a bag as a camera would have sent them.

The messages go out byte for byte as they were recorded; played in a loop, with stamps that go on.
/clock runs from stamp to stamp and shows each image's own just before the image; a stray stamp,
which the node would not believe, moves neither the clock nor the images that follow. It needs no
ROS installation beside rclpy, unlike `ros2 bag play`.
"""

from __future__ import annotations

import math
import struct
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image

from livevlm_ros.engine.messages import BadFrame, Frame
from livevlm_ros.engine.slot import FORTH_NS, CameraSlot
from livevlm_ros.node import declaration
from livevlm_ros.node.conversions import to_time
from livevlm_ros.node.parameters import Parameter
from livevlm_ros.node.spinning import Refused, Spinner, enter_ros
from livevlm_ros.node.stopping import hear_signals
from livevlm_ros.replay import BadInput
from livevlm_ros.replay.bag import BagSource
from livevlm_ros.replay.clip import Stretch
from livevlm_ros.replay.endless import round_ns
from livevlm_ros.replay.recording_time import RecordingTime
from livevlm_ros.replay.source import find_recordings, open_source

TICK_S = 0.05  # wall seconds between two ticks of /clock, and between two looks for listeners
LONGEST_S = 1e9
END_S = 1.0  # wall seconds that /clock goes on after the last image

STRETCH_PARAMETERS = (
    Parameter(
        'start',
        0.0,
        'Seconds from the first image to the first played.',
        low=0.0,
        high=LONGEST_S,
        change='start',
    ),
    Parameter(
        'duration',
        0.0,
        'Seconds played from there; 0: all.',
        low=0.0,
        high=LONGEST_S,
        change='start',
    ),
)

PARAMETERS = (
    Parameter('bag', '', 'Bag folder, or its .mcap or .db3 file.', change='start'),
    Parameter('topic', '', 'Image topic in the bag, where it has several.', change='start'),
    Parameter(
        'image_topic',
        '',
        'Where to publish: raw images here, others at <image_topic>/compressed. Empty: as '
        'recorded.',
        change='start',
    ),
    Parameter('rate', 1.0, 'Bag seconds per wall second.', low=0.01, high=1000.0, change='start'),
    *STRETCH_PARAMETERS,
    Parameter('loop', False, 'Play again and again, the stamps going on.', change='start'),
    Parameter(
        'wait_for_subscriber',
        False,
        'Begin when the first listener to the images comes.',
        change='start',
    ),
    Parameter(
        'clock_listeners',
        0,
        'Begin when at least so many listen to /clock.',
        low=0,
        high=100,
        change='start',
    ),
)


def open_bag(path: Path, *, topic: str | None = None) -> BagSource:
    """
    Open the one bag that a path stands for.

    :param topic: image topic, where the bag has several
    :raises BadInput: for a video, several recordings, or a bag without readable images
    """
    recordings = find_recordings(path)
    if len(recordings) > 1:
        raise BadInput(f'{path}: {len(recordings)} recordings; expected a single bag')
    source = open_source(recordings[0], topic=topic)
    if not isinstance(source, BagSource):
        raise BadInput(
            f'{path}: a video has no ROS messages; livevlm bag {path} makes a bag of it'
        )
    return source


def stretch_of(values: Mapping[str, Any]) -> Stretch:
    """Return the stretch that `STRETCH_PARAMETERS` name."""
    return Stretch(values['start'], values['duration'] or math.inf)


def stretch_parameters(stretch: Stretch) -> dict[str, float]:
    """Return what `stretch_of` reads."""
    endless = math.isinf(stretch.duration_s)
    return {'start': stretch.start_s, 'duration': 0.0 if endless else stretch.duration_s}


class BagPlayer(Node):
    """A camera whose images were recorded."""

    def __init__(self) -> None:
        """
        Open the bag and advertise its images.

        :raises ValueError: for a parameter that is not allowed, or a bag that cannot be played
        """
        super().__init__('bag_player')
        declaration.declare(self, PARAMETERS)
        values = declaration.values(self, {row.name: row for row in PARAMETERS})
        if not values['bag']:
            raise ValueError('bag is empty, expected the path of a bag')
        self._source = open_bag(Path(values['bag']), topic=values['topic'] or None)
        self._rate, self._loop = values['rate'], values['loop']
        self._stretch = stretch_of(values)
        self._waits = values['wait_for_subscriber']
        self._clock_listeners = values['clock_listeners']
        self._now_ns = 0

        raw = self._source.type.endswith('/Image')
        topic = values['image_topic']
        if topic and not raw:
            topic = f'{topic}/compressed'
        qos = QoSProfile(depth=5)
        self._images = self.create_publisher(
            Image if raw else CompressedImage,
            topic or self._source.topic,
            qos,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self._clock = self.create_publisher(Clock, '/clock', qos)

    def play(self, stop: threading.Event) -> None:
        """Publish every image at its time, then a last second of /clock; returns early on stop."""
        while not self._awaited() and not stop.wait(TICK_S):
            pass
        due_s, unreadable = time.monotonic(), 0
        slot = CameraSlot('camera', target_fps=1.0, on_jump='keep')  # knows stray stamps
        for frame, message in self._played():
            with suppress(BadFrame):
                slot.put(frame)
            step_ns, self._now_ns = self._now_ns, slot.stats().newest_stamp_ns
            step_ns = self._now_ns - step_ns
            due_s += step_ns / 1e9 / self._rate if 0 < step_ns <= FORTH_NS else 0.0
            self._run_clock(due_s, stop)
            if stop.is_set():
                return
            self._tick(self._now_ns)
            if message:
                self._images.publish(bytes(message))
            else:
                unreadable += 1
        if unreadable:
            self.get_logger().warning(f'{unreadable} records that are no images were not sent')
        for warning in self._source.warnings:
            self.get_logger().warning(warning)
        self._now_ns += round(END_S * self._rate * 1e9)
        self._run_clock(due_s + END_S, stop)

    def _played(self) -> Iterator[tuple[Frame, bytes]]:
        """Yield the frames to play with their messages; in a loop without end."""
        later_ns = 0
        while True:
            clock = RecordingTime()
            frames = first_ns = last_ns = 0
            for frame, message in self._source.messages():
                elapsed_ns = clock.after(frame.stamp_ns)
                if self._stretch.ended(elapsed_ns / 1e9):
                    break
                if self._stretch.holds(elapsed_ns / 1e9):
                    first_ns = first_ns if frames else elapsed_ns
                    frames, last_ns = frames + 1, elapsed_ns
                    yield _later(frame, message, later_ns) if later_ns else (frame, message)
            if not self._loop or not frames:
                return
            later_ns += round_ns(frames, last_ns - first_ns)

    def _awaited(self) -> bool:
        """Return whether everyone who was to listen does."""
        heard = self._images.get_subscription_count() or not self._waits
        return bool(heard) and self._clock.get_subscription_count() >= self._clock_listeners

    def _run_clock(self, until_s: float, stop: threading.Event) -> None:
        """Wait until a monotonic time, at which the clock is to show `_now_ns`; tick meanwhile."""
        while (left_s := until_s - time.monotonic()) > 0 and not stop.is_set():
            self._tick(self._now_ns - round(left_s * self._rate * 1e9))
            stop.wait(min(left_s, TICK_S))

    def _tick(self, stamp_ns: int) -> None:
        self._clock.publish(Clock(clock=to_time(stamp_ns)))


def _later(frame: Frame, message: bytes, later_ns: int) -> tuple[Frame, bytes]:
    """Return a frame and its message, which begins with its stamp, at a later time."""
    stamp_ns = frame.stamp_ns + later_ns
    frame = replace(frame, stamp_ns=stamp_ns, stream_ns=stamp_ns)
    if not message:
        return frame, message
    form = '<iI' if message[1] & 1 else '>iI'  # by CDR's head of four bytes
    stamp = struct.pack(form, *divmod(stamp_ns, 1_000_000_000))
    return frame, b''.join((message[:4], stamp, message[4 + len(stamp) :]))


def main(stop: threading.Event, args: Sequence[str] | None = None) -> int:
    """
    Play the bag to its end, or until `stop` is set.

    :returns: 0, or 1 when a parameter is not allowed or the bag cannot be read
    """
    try:
        player = enter_ros(BagPlayer, args)
    except Refused as error:
        print(f'bag_player: {error}', file=sys.stderr)
        return 1
    executor = SingleThreadedExecutor()
    executor.add_node(player)
    spinner = Spinner(executor)
    player.play(stop)
    spinner.stop()
    executor.shutdown(timeout_sec=1.0)
    player.destroy_node()
    rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main(hear_signals()))
