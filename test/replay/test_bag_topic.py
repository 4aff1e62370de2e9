# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A topic is found as people type it, and depth is no camera."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from livevlm_ros.engine.messages import BadFrame
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.source import open_source


def cameras_bag(path: Path) -> None:
    """Write a bag of two cameras, one of which has only jpegs."""
    write_images(path, {'/left/image_raw/compressed': 'jpeg', '/right/image_raw': 'rgb8'})


def depth_bag(path: Path, encoding: str, *, colour: str = '') -> None:
    """Write a bag of depth images, perhaps beside those of a colour camera."""
    write_images(path, {'/cam/depth': encoding, **({colour: 'rgb8'} if colour else {})})


def write_images(path: Path, topics: dict[str, str]) -> None:
    """Write two images of a pixel to each topic, of an encoding or, unlike those, a format."""
    store = get_typestore(Stores.ROS2_KILTED)
    header, time = store.types['std_msgs/msg/Header'], store.types['builtin_interfaces/msg/Time']
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for topic, name in topics.items():
            kind = 'sensor_msgs/msg/Image'
            nbytes = {'16UC1': 2, '32FC1': 4, 'rgb8': 3}.get(name, 0)
            fields: tuple = (1, 1, name, 0, nbytes, np.zeros(nbytes, np.uint8))
            if not nbytes:
                kind = 'sensor_msgs/msg/CompressedImage'
                data = cv2.imencode('.jpg', np.zeros((8, 8, 3), np.uint8))[1]
                fields = (name, data.reshape(-1))
            connection = writer.add_connection(topic, kind, typestore=store)
            for number in range(2):
                stamp = header(time(1 + number, 0), 'eye')
                data = store.serialize_cdr(store.types[kind](stamp, *fields), kind)
                writer.write(connection, (1 + number) * 10**9, data)


@pytest.mark.parametrize(
    ('wanted', 'taken'),
    [
        ('/left/image_raw/compressed', '/left/image_raw/compressed'),
        ('left/image_raw/compressed', '/left/image_raw/compressed'),
        ('/left/image_raw', '/left/image_raw/compressed'),
        ('left/image_raw', '/left/image_raw/compressed'),
        ('/right/image_raw', '/right/image_raw'),
        ('right/image_raw', '/right/image_raw'),
    ],
)
def test_a_topic_may_be_given_as_people_type_it(tmp_path: Path, wanted: str, taken: str) -> None:
    cameras_bag(tmp_path / 'bag')
    source = open_source(tmp_path / 'bag', topic=wanted)
    assert source.topic == taken  # type: ignore
    assert len(list(source.frames())) == source.length == 2


@pytest.mark.parametrize('wanted', ['image_raw', '/left', 'left/image', '/left/image_raw/', ''])
def test_a_topic_that_is_not_there_is_refused_with_those_that_are(
    tmp_path: Path, wanted: str
) -> None:
    cameras_bag(tmp_path / 'bag')
    names = '/left/image_raw/compressed, /right/image_raw$'
    with pytest.raises(BadInput, match=f'no images on topic {wanted}; images are on {names}'):
        open_source(tmp_path / 'bag', topic=wanted)


@pytest.mark.parametrize('metadata', [True, False], ids=['metadata', 'no-metadata'])
@pytest.mark.parametrize('encoding', ['16UC1', '32FC1', '16UC1; compressedDepth png'])
def test_depth_beside_colour_is_no_camera(tmp_path: Path, encoding: str, metadata: bool) -> None:
    depth_bag(tmp_path / 'bag', encoding, colour='/cam/color/image_raw')
    if not metadata:
        (tmp_path / 'bag/metadata.yaml').unlink()
    source = open_source(tmp_path / 'bag')
    assert source.topic == '/cam/color/image_raw'  # type: ignore
    assert [frame.pixels().shape for frame in source.frames()] == [(1, 1, 3)] * 2
    told = 'depth, no pictures, on topic cam/depth; images are on /cam/color/image_raw$'
    with pytest.raises(BadInput, match=told):
        open_source(tmp_path / 'bag', topic='cam/depth')


def test_depth_alone_is_read_and_refused_image_by_image(tmp_path: Path) -> None:
    depth_bag(tmp_path / 'bag', '16UC1')
    for frame in open_source(tmp_path / 'bag').frames():
        with pytest.raises(BadFrame, match="'16UC1' is depth, not a colour or grey picture"):
            frame.pixels()
