# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras that are published from here: one that goes on, and others for all that goes wrong."""

from __future__ import annotations

import array
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from rclpy.context import Context
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image

STEADY, RAW, JPEG, STRICT = 'steady', 'raw', 'jpeg', 'strict'
SIZE = (96, 72)  # width, height
EACH_S = 0.2
NS = 1_000_000_000
LATEST_S = 2**31 - 1


class Sensors:
    """
    Publishes pictures of a steady camera, and what it is given on the topics of others.

    All stamps come from one clock, which goes on by `EACH_S` with each image.
    """

    def __init__(self) -> None:
        self._context = Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node('sensors', context=self._context)
        self._publishers = {
            STEADY: self._publisher(Image, STEADY),
            RAW: self._publisher(Image, RAW),
            JPEG: self._publisher(CompressedImage, JPEG),
        }
        self._ns = time.time_ns()
        self._clock = threading.Lock()
        self._steady = threading.Lock()
        self._noise = np.random.default_rng(0)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name='sensors', daemon=True)

    def __enter__(self) -> Sensors:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._ended.set()
        self._thread.join()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def publish(self, camera: str, message: Any, *, offset_s: float = 0.0) -> None:
        """
        Publish an image.

        :param offset_s: of its stamp
        """
        with self._clock:
            self._ns += round(EACH_S * NS)
            stamp_ns = self._ns + round(offset_s * NS)
        message.header.stamp = Time(sec=stamp_ns // NS, nanosec=stamp_ns % NS)
        self._publishers[camera].publish(message)

    def picture(self) -> Image:
        """Return a picture that may be used."""
        width, height = SIZE
        pixels = self._noise.integers(0, 256, 3 * width * height, dtype=np.uint8)
        data = array.array('B', pixels.tobytes())
        return Image(width=width, height=height, encoding='rgb8', step=3 * width, data=data)

    @contextmanager
    def steady_held(self) -> Iterator[None]:
        """Keep the steady camera from publishing as long as a block."""
        with self._steady:
            yield

    @contextmanager
    def stranger(self, kind: Any, camera: str, qos: QoSProfile) -> Iterator[None]:
        """Let another publisher be on a camera's topic as long as a block."""
        publisher = self._node.create_publisher(kind, f'{camera}/image_raw', qos)
        try:
            yield
        finally:
            self._node.destroy_publisher(publisher)

    def _publisher(self, kind: Any, camera: str) -> Any:
        topic = f'{camera}/image_raw' + ('/compressed' if kind is CompressedImage else '')
        return self._node.create_publisher(kind, topic, QoSProfile(depth=5))

    def _run(self) -> None:
        while not self._ended.wait(EACH_S):
            with self._steady:
                self.publish(STEADY, self.picture())
