# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags that rosbag2 compressed, whole and damaged."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from livevlm_ros.replay.image_bag import image_bag
from livevlm_ros.replay.packed import unpacked_message
from livevlm_ros.replay.questions import questions_file
from livevlm_ros.replay.source import find_recordings, open_source

FRAMES = 8
SHAPE = (400, 400, 3)  # several chunks and blocks, so that a cut leaves some
KIND = 'sensor_msgs/msg/Image'


@pytest.fixture
def compressed(tmp_path: Path):
    """Record a bag with a compression mode of rosbag2."""

    def make(mode: CompressionMode, storage: StoragePlugin) -> Path:
        with image_bag(tmp_path / 'plain', raw=True) as write:
            rng = np.random.default_rng(0)
            for second in range(1, FRAMES + 1):
                write(second * 10**9, rng.integers(0, 255, SHAPE, np.uint8))
        store = get_typestore(Stores.ROS2_KILTED)
        writer = Writer(tmp_path / 'bag', version=9, storage_plugin=storage)
        writer.set_compression(mode, CompressionFormat.ZSTD)
        with writer:
            connection = writer.add_connection('/eye', KIND, typestore=store)
            for frame, data in open_source(tmp_path / 'plain').messages():  # type: ignore
                writer.write(connection, frame.stamp_ns, data)
        shutil.rmtree(tmp_path / 'plain')
        return tmp_path / 'bag'

    return make


def read(path: Path) -> tuple[int, list[str]]:
    """Return how many frames have pixels, and what is warned of."""
    (recording,) = find_recordings(path)
    source = open_source(recording)
    good = sum(frame.pixels().shape == SHAPE for frame in source.frames())  # type: ignore
    return good, source.warnings


@pytest.mark.parametrize('storage', [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
@pytest.mark.parametrize('mode', [CompressionMode.MESSAGE, CompressionMode.FILE])
def test_a_compressed_bag_is_read_whole_alone_and_without_its_metadata(
    compressed, tmp_path: Path, mode: CompressionMode, storage: StoragePlugin
) -> None:
    bag = compressed(mode, storage)
    assert read(bag) == (FRAMES, [])
    (bag / 'metadata.yaml').unlink()
    assert read(bag)[0] == FRAMES
    (file,) = bag.iterdir()
    assert read(file) == (FRAMES, [])
    assert read(tmp_path)[0] == FRAMES


@pytest.mark.parametrize('storage', [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
@pytest.mark.parametrize('mode', [CompressionMode.MESSAGE, CompressionMode.FILE])
def test_a_compressed_bag_that_is_cut_off_is_used_up_to_the_cut(
    compressed, mode: CompressionMode, storage: StoragePlugin
) -> None:
    bag = compressed(mode, storage)
    (bag / 'metadata.yaml').unlink()
    (file,) = bag.iterdir()
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 7 // 10])
    good, (warning,) = read(bag)
    assert 1 <= good < FRAMES and 'cut off or damaged' in warning


def test_questions_lie_beside_a_compressed_file_by_its_name_alone(tmp_path: Path) -> None:
    assert questions_file(tmp_path / 'a.b.mcap.zstd') == tmp_path / 'a.b.questions.yaml'
    assert questions_file(tmp_path / 'GOPR1.MP4') == tmp_path / 'GOPR1.questions.yaml'


def test_a_message_that_does_not_unpack_stays_as_it_is() -> None:
    broken = b'\x28\xb5\x2f\xfd and no more'
    assert unpacked_message(broken) == broken and unpacked_message(b'') == b''
