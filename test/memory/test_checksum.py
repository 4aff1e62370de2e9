# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import hashlib
from pathlib import Path

import pytest

from livevlm_ros.memory.checksum import PIECE_BYTES, Checksum, checksum_of

SIZES = [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES + 77]


@pytest.mark.parametrize('size', SIZES)
def test_a_file_has_the_checksum_of_its_pieces(tmp_path: Path, size: int) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]
    pieces = [data[at : at + PIECE_BYTES] for at in range(0, size, PIECE_BYTES)]
    digests = b''.join(hashlib.sha256(piece).digest() for piece in pieces)
    expected = hashlib.sha256(digests).hexdigest()
    file = tmp_path / 'file'
    file.write_bytes(data)
    assert checksum_of(file) == expected
    written = Checksum()
    for at in range(0, size, 1_000_003):
        written.update(memoryview(data)[at : at + 1_000_003])
    assert written.hexdigest() == expected


@pytest.mark.parametrize('place', [0, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 99])
def test_one_other_bit_is_another_checksum(tmp_path: Path, place: int) -> None:
    data = bytearray(PIECE_BYTES + 100)
    file = tmp_path / 'file'
    file.write_bytes(data)
    before = checksum_of(file)
    data[place] ^= 1
    file.write_bytes(data)
    assert checksum_of(file) != before
