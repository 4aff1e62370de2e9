# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import os
from pathlib import Path

import pytest

from livevlm_ros.memory.archive.file import WIPED_BYTES, ArchiveFile


def test_slots_hold_what_is_written_and_are_paid_for_one_by_one(tmp_path: Path) -> None:
    file = ArchiveFile(tmp_path, slots=4, record=(2, 3))
    assert file.nbytes == 0
    for slot in range(3):
        file.allocate(slot)
        file.records[slot] = slot + 1
    file.allocate(1)
    assert file.nbytes == 18
    assert file.records[:3, 1, 2].tolist() == [1, 2, 3]


def test_nothing_is_left_in_the_folder(tmp_path: Path) -> None:
    file = ArchiveFile(tmp_path, slots=4, record=(2, 3))
    file.allocate(0)
    file.close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'taken').touch()
    for folder in (tmp_path / 'missing', tmp_path / 'taken', Path('/proc')):
        with pytest.raises(ValueError, match=f"24 bytes in '{folder}': .*; give a folder"):
            ArchiveFile(folder, slots=4, record=(2, 3))


def test_what_was_written_is_written_over_piece_by_piece(tmp_path: Path) -> None:
    record = (WIPED_BYTES // 2,)
    file = ArchiveFile(tmp_path, slots=6, record=record)
    for slot in range(5):
        file.allocate(slot)
        file.records[slot] = 7
    pieces = 1
    while file.wipe():
        pieces += 1
    assert pieces == 3 and not any(os.pread(file.descriptor, file.nbytes, 0))
    file.close()
