# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from livevlm_ros.memory.archive.slab import PIECE_BYTES, Slab


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
