# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The checksum of a large file, computed by several threads.

SHA-256 of the SHA-256 of each piece, in order: a file of gigabytes is checked as fast as the
cores, or the disk, allow.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PIECE_BYTES = 2**24
READ_BYTES = 2**18
"""Read at once: what is read is hashed while it is in the cache."""


class Checksum:
    """The checksum of bytes that come one after another."""

    def __init__(self) -> None:
        self._pieces, self._piece, self._left = hashlib.sha256(), hashlib.sha256(), PIECE_BYTES

    def update(self, data: bytes | memoryview) -> None:
        """Take the next bytes."""
        view = memoryview(data)
        while len(view):
            part, view = view[: self._left], view[self._left :]
            self._piece.update(part)
            self._left -= len(part)
            if not self._left:
                self._pieces.update(self._piece.digest())
                self._piece, self._left = hashlib.sha256(), PIECE_BYTES

    def hexdigest(self) -> str:
        """Return the checksum of all bytes so far."""
        whole = self._pieces.copy()
        if self._left < PIECE_BYTES:
            whole.update(self._piece.digest())
        return whole.hexdigest()


def checksum_of(path: Path, progress: Callable[[float], None] = lambda share: None) -> str:
    """
    Return the checksum of a file's bytes, as `Checksum` has it.

    :param progress: called with the share that is read
    :raises OSError: if it cannot be read
    """
    whole = hashlib.sha256()
    with path.open('rb') as file, ThreadPoolExecutor(os.cpu_count()) as pool:
        starts = range(0, os.fstat(file.fileno()).st_size, PIECE_BYTES)
        digests = pool.map(lambda start: _digest_of_piece(file.fileno(), start), starts)
        for number, digest in enumerate(digests, start=1):
            whole.update(digest)
            progress(number / len(starts))
    return whole.hexdigest()


def _digest_of_piece(descriptor: int, start: int) -> bytes:
    piece = hashlib.sha256()
    for data in _read_piece(descriptor, start):
        piece.update(data)
    return piece.digest()


def _read_piece(descriptor: int, start: int) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(READ_BYTES))
    for at in range(start, start + PIECE_BYTES, READ_BYTES):
        count = os.preadv(descriptor, [buffer], at)
        if not count:
            return
        yield buffer[:count]
