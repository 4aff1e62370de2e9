# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import torch

from livevlm_ros.memory.archive.slab import PIECE_BYTES, Slab, apart


def _resident() -> int:
    """Return the bytes of RAM that this process has."""
    with open('/proc/self/smaps_rollup', encoding='ascii') as file:
        return sum(int(line.split()[1]) for line in file if line.startswith('Rss:')) * 1024


def test_ram_goes_back_piece_by_piece_while_the_rest_stays() -> None:
    slab = Slab(2 * PIECE_BYTES + 5000)
    slab.bytes.fill_(7)
    before = _resident()
    assert slab.give_back()
    assert slab.bytes[2 * PIECE_BYTES :].eq(0).all()
    assert slab.bytes[: 2 * PIECE_BYTES : 4096].eq(7).all()
    assert slab.give_back() and not slab.give_back()
    assert before - _resident() > 1.9 * PIECE_BYTES


def test_a_tensor_apart_takes_ram_as_it_is_written_and_gives_all_back() -> None:
    before = _resident()
    codes = apart(64, 2**20, dtype=torch.int16)
    assert codes.shape == (64, 2**20) and codes.dtype == torch.int16
    codes[:32] = 7
    assert codes[31:33].eq(7).all(1).tolist() == [True, False]
    assert 0.9 * 2**26 < _resident() - before < 1.1 * 2**26
    del codes
    assert _resident() - before < 2**22
