# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""RAM that the system gives as it is written, and gets back piece by piece."""

from __future__ import annotations

import mmap
from math import prod

import torch
from torch import Tensor

PIECE_BYTES = 2**26
"""Given back at once: milliseconds, for which a thread that asks for RAM may have to wait."""


class Slab:
    """
    RAM of its own, `bytes` uint8 [nbytes].

    :param nbytes: at least 1
    """

    def __init__(self, nbytes: int) -> None:
        self._map = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.bytes = torch.frombuffer(self._map, dtype=torch.uint8)
        self._pieces = -(-nbytes // PIECE_BYTES)

    def give_back(self) -> bool:
        """Give back a piece, which reads as zeros then; returns whether there is more."""
        self._pieces -= 1
        start = self._pieces * PIECE_BYTES
        length = min(PIECE_BYTES, len(self._map) - start)
        self._map.madvise(mmap.MADV_DONTNEED, start, length)
        return self._pieces > 0


def apart(*shape: int, dtype: torch.dtype) -> Tensor:
    """
    Return zeros in RAM of their own, at least one.

    The system gets it back with the tensor. What C frees in a thread it mostly keeps, whatever is
    free: of large tensors that come and go that may be many times what they take.
    """
    return Slab(prod(shape) * dtype.itemsize).bytes.view(dtype).view(shape)
