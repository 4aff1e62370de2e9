# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from livevlm_ros.replay.image_bag import image_bag

STAMPS_NS = (1_500_000_000, 2_750_000_001)


def messages(bag: Path) -> dict[str, list[Any]]:
    """Return the messages of a bag by topic."""
    store, found = get_typestore(Stores.ROS2_KILTED), dict[str, list[Any]]()
    with Reader(bag) as reader:
        for connection, _, data in reader.messages():
            message = store.deserialize_cdr(data, connection.msgtype)
            found.setdefault(connection.topic, []).append(message)
    return found


@pytest.mark.parametrize('raw', [True, False])
def test_every_image_has_a_camera_info_of_its_stamp_and_frame(tmp_path: Path, raw: bool) -> None:
    topic = '/front/image'
    with image_bag(tmp_path / 'bag', topic=topic, raw=raw, focal=0.5) as write:
        for stamp_ns in STAMPS_NS:
            write(stamp_ns, np.zeros((24, 32, 3), np.uint8))
    found = messages(tmp_path / 'bag')
    images = found[topic if raw else f'{topic}/compressed']
    infos = found['/front/camera_info']
    assert [info.header for info in infos] == [image.header for image in images]
    assert infos[0].header.frame_id == 'camera_optical_frame'
    assert (infos[0].width, infos[0].height, infos[0].distortion_model) == (32, 24, 'plumb_bob')
    assert infos[0].k.tolist() == [16, 0, 16, 0, 16, 12, 0, 0, 1]
    assert infos[0].p.tolist() == [16, 0, 16, 0, 0, 16, 12, 0, 0, 0, 1, 0]


def test_without_a_focal_length_the_camera_is_uncalibrated(tmp_path: Path) -> None:
    with image_bag(tmp_path / 'bag', focal=0.0) as write:
        write(STAMPS_NS[0], np.zeros((24, 32, 3), np.uint8))
    (info,) = messages(tmp_path / 'bag')['/camera/camera_info']
    assert (info.width, info.height, info.distortion_model) == (32, 24, '')
    assert info.k[0] == 0.0 and not info.p.any() and not len(info.d)
