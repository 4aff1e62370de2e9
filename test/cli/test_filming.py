# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import errno
import os
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    'arguments, says',
    [
        (('--size', 'big'), '--size big: expected width x height'),
        (('--size', '64x48'), 'size must be 96 to 1280'),
        (('--frames', '4-8'), '--frames 4-8: expected a number or a range'),
        (('--frames', '8..4'), 'frames must be 1 or more and in order'),
        (('--streams', '0'), 'streams must be 1 to'),
        (('--fps', '0'), 'fps must be between'),
        (('--never', '1.5'), 'never must be a share, 0 to 1, got 1.5'),
        (('--storage', 'rosbag1'), 'storage must be one of mcap, sqlite3'),
    ],
)
def test_world_refuses_what_it_cannot_film_in_one_line(
    refused, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    assert says in refused('world', '--seed', '1', '--out', tmp_path / 'w', *arguments)
    assert not (tmp_path / 'w').exists()


def test_world_never_writes_into_a_folder_that_holds_something(refused, film: Path) -> None:
    assert 'is not an empty folder' in refused('world', '--seed', '4', '--out', film)


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_takes_nothing_is_one_line(
    refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(*given, **options) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr('livevlm_ros.replay.write_world.image_bag', full)
    error = refused('world', '--seed', '4', '--out', tmp_path / 'w')
    assert error == f'livevlm: output: cannot be written: {os.strerror(number)}\n'
