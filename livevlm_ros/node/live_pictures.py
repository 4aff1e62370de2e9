# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of camera topics for people: the newest wins, and is made small when it is taken."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import cv2
from rclpy.node import Node

from livevlm_ros.engine.messages import BadFrame, Frame, Pixels
from livevlm_ros.node.cameras import Camera, CameraSettings

WIDTH = 640
JPEG_QUALITY = 75
COMPRESSED = '/compressed'


class LivePicture(NamedTuple):
    """A camera image as a jpeg, with its header stamp."""

    camera: str
    stamp_ns: int
    jpeg: bytes


class LivePictures:
    """Listens to the topics of cameras; any thread may take what came."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._cameras: dict[str, tuple[str, Camera]] = {}  # by name, with its topic
        self._newest: dict[str, Frame] = {}
        self._lock = threading.Lock()

    def follow(self, topics: Mapping[str, str]) -> None:
        """
        Listen to these topics and to no others.

        :param topics: of images, compressed ones where they end so, by camera; none: nobody looks
        """
        for name, (topic, camera) in list(self._cameras.items()):
            if topics.get(name) != topic:
                camera.stop()
                del self._cameras[name]
        for name in topics.keys() - self._cameras.keys():
            transport = 'compressed' if topics[name].endswith(COMPRESSED) else 'raw'
            settings = CameraSettings(name, topics[name].removesuffix(COMPRESSED), transport)
            camera = Camera(self._node, settings, self._see, _pass_over)
            camera.start()
            self._cameras[name] = topics[name], camera

    def take(self) -> Iterator[LivePicture]:
        """Yield the newest picture of each camera that sent one since the last call."""
        with self._lock:
            newest, self._newest = self._newest, {}
        for name, frame in newest.items():
            try:
                pixels = frame.pixels() if callable(frame.pixels) else frame.pixels
            except BadFrame:
                continue  # the node's diagnostics say why
            yield LivePicture(name, frame.stamp_ns, small_jpeg(pixels))

    def _see(self, frame: Frame) -> None:
        with self._lock:
            self._newest[frame.camera] = frame


def small_jpeg(pixels: Pixels) -> bytes:
    """Return an image as a jpeg that is at most `WIDTH` wide."""
    height, width = pixels.shape[:2]
    if width > WIDTH:
        size = WIDTH, max(1, round(height * WIDTH / width))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    done, jpeg = cv2.imencode('.jpg', cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), quality)
    assert done
    return jpeg.tobytes()


def _pass_over(camera: str, why: str) -> None:
    """Leave it to the node's diagnostics to tell of images that make no frame."""
