# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an archive costs in bytes, and how many frames fit into some. It needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, prod

from livevlm_ros.memory.archive.sizes import ArchiveRoom
from livevlm_ros.memory.shape import CacheShape

LEAST_FRAMES = 4
"""Frames of a lane that there is room for in RAM, so that there is always something to thin."""

ROW_BYTES = 360
"""Bytes that know a frame: its id and address, its reference, and both in Python's tables."""

CENTROIDS = 2048
"""Of a kv head in a layer of the sketch."""

SAMPLED_KEYS = 16 * CENTROIDS
"""Most keys of a kv head that its centroids are made from."""

RANKED_FRAMES = 256
"""Frames of the archive that are ranked by their keys; of more, the sketch names so many."""


@dataclass(frozen=True, slots=True)
class RecordSize:
    """
    The record of a frame: uint8 [layers, kv_heads, 2, block], the 2 for keys and values.

    :param page_tokens: tokens of a page, a divisor of those of a frame
    :param bits: of a number: 4, 8, or 16 for float16 as it is
    """

    shape: CacheShape
    page_tokens: int
    bits: int

    @property
    def pages(self) -> int:
        """Pages of a frame."""
        return self.shape.tokens_per_frame // self.page_tokens

    @property
    def record(self) -> tuple[int, int, int, int]:
        """Shape of a record."""
        return self.shape.layers, self.shape.kv_heads, 2, self.block_bytes

    @property
    def record_bytes(self) -> int:
        """Bytes of a record."""
        return prod(self.record)

    @property
    def block_bytes(self) -> int:
        """Bytes of a head's keys, or values, in a layer: codes and then scales."""
        return self.code_bytes + self.scales_bytes

    @property
    def code_bytes(self) -> int:
        """Bytes of a block's codes."""
        return self.pages * self.page_bytes

    @property
    def page_bytes(self) -> int:
        """Bytes of a page's codes in a block."""
        return self.page_tokens * self.shape.head_dim * self.bits // 8

    @property
    def scales_bytes(self) -> int:
        """Bytes of a block's scales and zeros."""
        return scales_bytes(dim=self.shape.head_dim, bits=self.bits)

    @property
    def unit(self) -> int:
        """Bytes that pages, scales and blocks are multiples of."""
        return gcd(self.page_bytes, self.scales_bytes)


def scales_bytes(*, dim: int, bits: int) -> int:
    """Bytes that a run's scales and zeros take for one head's keys, or values."""
    return 4 * dim if bits < 16 else 0


def index_bytes(size: RecordSize, sketched: tuple[int, ...] | None) -> int:
    """
    Return the bytes of RAM that go with a frame's record.

    :param sketched: layers whose keys are sketched; None: page means are kept in its place
    """
    if sketched is None:
        return ROW_BYTES + means_bytes(size.shape, page_tokens=size.page_tokens)
    return ROW_BYTES + codes_bytes(size.shape, len(sketched))


def means_bytes(shape: CacheShape, *, page_tokens: int) -> int:
    """Bytes of the mean keys of a frame's pages."""
    pages = shape.tokens_per_frame // page_tokens
    return 4 * shape.layers * shape.kv_heads * pages * shape.head_dim


def codes_bytes(shape: CacheShape, layers: int) -> int:
    """Bytes of a frame's codes, by the sketch and by the next one."""
    return 2 * 2 * layers * shape.kv_heads * shape.tokens_per_frame


def sketch_bytes(shape: CacheShape, layers: int, *, frames: int) -> int:
    """
    Return the most bytes beside those of the rows, of an archive of so many frames.

    They are centroids with their norms and counts, the next ones while those are made, and the
    keys of a layer that they are made from.
    """
    if frames <= RANKED_FRAMES:
        return 0
    of_layer = shape.kv_heads * CENTROIDS * (shape.head_dim + 2)
    sampled = min(SAMPLED_KEYS, frames * shape.tokens_per_frame)
    return 4 * (2 * layers * of_layer + shape.kv_heads * sampled * shape.head_dim)


def room_for(
    size: RecordSize,
    sketched: tuple[int, ...] | None,
    *,
    lanes: int,
    host_bytes: int,
    disk_bytes: int,
) -> ArchiveRoom:
    """
    Divide bytes: a record on disk has its index in RAM.

    :raises ValueError: for too little RAM
    """
    record, index = size.record_bytes, index_bytes(size, sketched)
    least = lanes * LEAST_FRAMES * (record + index)
    if host_bytes < least:
        raise ValueError(f'archive_host_bytes must be at least {least}, got {host_bytes}')
    disk = min(disk_bytes // record, (host_bytes - least) // index)
    host = (host_bytes - disk * index) // (record + index)
    return ArchiveRoom(host, host * record + (host + disk) * index, disk, disk * record)
