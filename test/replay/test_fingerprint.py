# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from livevlm_ros.replay.fingerprint import PIECE, fingerprint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / 'config.json').write_text('{}')
    (tmp_path / 'weights').write_bytes(bytes(5 * PIECE))
    return tmp_path


def test_the_same_files_have_the_same(folder: Path) -> None:
    assert fingerprint([folder]) == fingerprint([folder, folder / 'missing'])


@pytest.mark.parametrize('place', [0, 5 * PIECE // 2, 5 * PIECE - 1])
def test_another_byte_at_the_ends_or_in_the_middle_makes_another(folder: Path, place: int) -> None:
    before = fingerprint([folder])
    with (folder / 'weights').open('r+b') as file:
        file.seek(place)
        file.write(b'x')
    assert fingerprint([folder]) != before


def test_another_size_or_name_makes_another(folder: Path) -> None:
    found = [fingerprint([folder])]
    (folder / 'weights').write_bytes(bytes(5 * PIECE + 1))
    found.append(fingerprint([folder]))
    (folder / 'config.json').rename(folder / 'other.json')
    found.append(fingerprint([folder]))
    assert len(set(found)) == 3
