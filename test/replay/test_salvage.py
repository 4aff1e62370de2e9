# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags of several parts, of which some are lost."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from livevlm_ros.replay.image_bag import STORAGES, image_bag
from livevlm_ros.replay.source import open_source

START_NS = 1_700_000_000_000_000_000


def split_bag(bag: Path, storage: str, parts: int) -> list[Path]:
    """Make a bag of parts of two frames."""
    bag.mkdir()
    files = []
    for number in range(parts):
        one = bag.with_name(f'{bag.name}_{number}')
        with image_bag(one, storage=storage) as write:
            for frame in (2 * number, 2 * number + 1):
                write(START_NS + frame, np.zeros((8, 8, 3), np.uint8))
        metadata = yaml.safe_load((one / 'metadata.yaml').read_text())
        (file,) = one.glob(f'{one.name}.*')
        files.append(file.rename(bag / file.name))
    metadata['rosbag2_bagfile_information']['relative_file_paths'] = [f.name for f in files]
    (bag / 'metadata.yaml').write_text(yaml.safe_dump(metadata))
    return files


@pytest.mark.parametrize('storage', STORAGES)
def test_parts_are_read_in_the_order_of_their_numbers(tmp_path: Path, storage: str) -> None:
    split_bag(tmp_path / 'bag', storage, parts=11)
    (tmp_path / 'bag/metadata.yaml').unlink()
    stamps = [frame.stamp_ns for frame in open_source(tmp_path / 'bag').frames()]
    assert stamps == [START_NS + n for n in range(22)]


@pytest.mark.parametrize('damage', ['missing', 'empty', 'cut off'])
@pytest.mark.parametrize('storage', STORAGES)
def test_a_part_that_is_lost_costs_its_own_frames(
    tmp_path: Path, storage: str, damage: str
) -> None:
    parts = split_bag(tmp_path / 'bag', storage, parts=3)
    assert len(list(open_source(tmp_path / 'bag').frames())) == 6
    whole = parts[1].read_bytes()
    parts[1].unlink()
    if damage != 'missing':
        parts[1].write_bytes(whole[:60] if damage == 'cut off' else b'')
    source = open_source(tmp_path / 'bag')
    stamps = [frame.stamp_ns for frame in source.frames()]
    assert stamps == [START_NS + n for n in (0, 1, 4, 5)]
    (warning,) = source.warnings
    assert 'using the 4 messages that can be read' in warning
