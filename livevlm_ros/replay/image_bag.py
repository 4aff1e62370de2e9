# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writing one camera's frames into a rosbag2 recording, by the pure-Python writer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

from livevlm_ros.intrinsics import UNCALIBRATED, pinhole
from livevlm_ros.replay.errors import BadInput

STORAGES = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}
JPEG_QUALITY = 90
FRAME_ID = 'camera_optical_frame'
TIME, HEADER = 'builtin_interfaces/msg/Time', 'std_msgs/msg/Header'
INFO, REGION = 'sensor_msgs/msg/CameraInfo', 'sensor_msgs/msg/RegionOfInterest'


class WriteImage(Protocol):
    """Append one frame: its stamp, and its pixels as RGB uint8 [height, width, 3]."""

    def __call__(self, stamp_ns: int, pixels: np.ndarray) -> None:
        """Write the frame; it is recorded at its own stamp."""
        ...


@contextmanager
def image_bag(
    path: Path,
    *,
    topic: str = '/camera/image_raw',
    storage: str = 'mcap',
    raw: bool = False,
    focal: float | None = None,
) -> Iterator[WriteImage]:
    """
    Open a new bag for frames.

    :param path: folder of the bag, created here
    :param topic: base topic; jpegs go to its `compressed` sub-topic, as image_transport has it
    :param storage: 'mcap' or 'sqlite3'
    :param raw: write `sensor_msgs/Image` in rgb8 instead of jpeg
    :param focal: focal length in widths of the picture, told in a `CameraInfo` beside each frame;
        0: unknown, as of a camera that is not calibrated; None: there is no `CameraInfo`
    :raises BadInput: when the folder exists or the storage is unknown
    """
    if storage not in STORAGES:
        raise BadInput(f'storage {storage!r}: expected one of {", ".join(STORAGES)}')
    if path.exists():
        raise BadInput(f'{path} exists already; bags are never overwritten')
    store = get_typestore(Stores.ROS2_KILTED)
    kind = 'sensor_msgs/msg/Image' if raw else 'sensor_msgs/msg/CompressedImage'
    image, time, header_of = (store.types[name] for name in (kind, TIME, HEADER))
    with Writer(path, version=9, storage_plugin=STORAGES[storage]) as writer:
        connection = writer.add_connection(
            topic if raw else f'{topic}/compressed', kind, typestore=store
        )
        if focal is not None:
            info_topic = f'{topic.rpartition("/")[0]}/camera_info'
            beside = writer.add_connection(info_topic, INFO, typestore=store)

        def write(stamp_ns: int, pixels: np.ndarray) -> None:
            header = header_of(time(*divmod(stamp_ns, 1_000_000_000)), FRAME_ID)
            message = image(header, *_body(pixels, raw))
            writer.write(connection, stamp_ns, store.serialize_cdr(message, kind))
            if focal is not None:
                info = _camera_info(store, header, pixels, focal)
                writer.write(beside, stamp_ns, store.serialize_cdr(info, INFO))

        yield write


def _camera_info(store: Typestore, header: Any, pixels: np.ndarray, focal: float) -> Any:
    height, width = pixels.shape[:2]
    known = pinhole(width, height, focal) if focal else UNCALIBRATED
    matrices = map(np.array, known[1:])  # d, k, r and p
    whole = store.types[REGION](0, 0, 0, 0, False)
    return store.types[INFO](header, height, width, known.distortion_model, *matrices, 0, 0, whole)


def _body(pixels: np.ndarray, raw: bool) -> tuple:
    """Return the message's fields after the header."""
    height, width = pixels.shape[:2]
    if raw:
        return height, width, 'rgb8', 0, 3 * width, np.ascontiguousarray(pixels).reshape(-1)
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    data = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    return 'rgb8; jpeg compressed bgr8', data.reshape(-1)
