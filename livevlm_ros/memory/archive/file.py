# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The archive's file: records that RAM has no room for, mapped into memory."""

from __future__ import annotations

import os
import tempfile
from math import prod
from pathlib import Path

import numpy as np
import torch

WIPED_BYTES = 2**24
"""Written over at once: milliseconds."""


class ArchiveFile:
    """
    Equal records in a file without a name, which is gone with the process however that ends.

    `records` maps the whole file, uint8 [slots, *record]; a slot may be written once `allocate`
    has given it its bytes, for a mapped page that the disk has no room for would kill the process.

    :param folder: where the file lies
    :raises ValueError: if no file can be made there
    """

    def __init__(self, folder: Path, *, slots: int, record: tuple[int, ...]) -> None:
        self._record_bytes = prod(record)
        self._allocated = self._wiped = 0  # slots
        try:
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - open until `close`
            os.ftruncate(self.descriptor, slots * self._record_bytes)
        except OSError as error:
            raise ValueError(
                f'the archive cannot make a file of {slots * self._record_bytes} bytes in '
                f'{str(folder)!r}: {error.strerror}; give a folder that can be written'
            ) from error
        mapped = np.memmap(self._file, dtype=np.uint8, mode='r+', shape=(slots, *record))
        self.records = torch.from_numpy(mapped)

    @property
    def nbytes(self) -> int:
        """Bytes the disk has given."""
        return self._allocated * self._record_bytes

    @property
    def descriptor(self) -> int:
        """The open file's number."""
        return self._file.fileno()

    def allocate(self, slot: int) -> None:
        """
        Have the disk give a slot its bytes, all slots before it having theirs.

        :raises OSError: if the disk has none left
        """
        if slot >= self._allocated:
            os.posix_fallocate(self.descriptor, slot * self._record_bytes, self._record_bytes)
            self._allocated = slot + 1

    def wipe(self) -> bool:
        """Write zeros over a piece of what was ever written; returns whether there is more."""
        first, at_once = self._wiped, max(1, WIPED_BYTES // self._record_bytes)
        self._wiped = min(first + at_once, self._allocated)
        self.records[first : self._wiped] = 0
        if self._wiped < self._allocated:
            return True
        self.sync()
        self._wiped = 0
        return False

    def sync(self) -> None:
        """Have the disk take what was written."""
        os.fdatasync(self.descriptor)

    def close(self) -> None:
        """Remove the file; the disk gets its bytes back as soon as nobody reads `records`."""
        self.records = torch.empty(0, dtype=torch.uint8)
        self._file.close()
        self._allocated = 0
