# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An archive's file as it is found when it has not been read for long: on the disk alone."""

from __future__ import annotations

import ctypes
import mmap
import os

from livevlm_ros.memory import Memory
from livevlm_ros.memory.archive.file import ArchiveFile

_MADV_DONTNEED = 4
_libc = ctypes.CDLL(None, use_errno=True)


def archive_file(memory: Memory) -> ArchiveFile:
    """Return the file of a memory whose archive has one."""
    file = memory.archive_file
    if file is None:
        raise ValueError('the memory has no archive on disk: set archive_disk_bytes')
    return file


def drop_cache(file: ArchiveFile) -> None:
    """Write back what is dirty and have the kernel forget the file's pages; Linux alone."""
    number = file.descriptor
    os.fdatasync(number)
    _checked(_libc.madvise(*_mapping(file), _MADV_DONTNEED), 'madvise')
    os.fdatasync(number)  # what the mapping alone knew to be dirty
    os.posix_fadvise(number, 0, 0, os.POSIX_FADV_DONTNEED)


def cached_bytes(file: ArchiveFile) -> int:
    """Return the bytes of the file that the kernel holds in RAM."""
    address, size = _mapping(file)
    pages = (ctypes.c_ubyte * -(-size.value // mmap.PAGESIZE))()
    _checked(_libc.mincore(address, size, pages), 'mincore')
    return mmap.PAGESIZE * sum(page & 1 for page in pages)


def _mapping(file: ArchiveFile) -> tuple[ctypes.c_void_p, ctypes.c_size_t]:
    """Return where the file is mapped, and how long it is."""
    return ctypes.c_void_p(file.records.data_ptr()), ctypes.c_size_t(file.records.nbytes)


def _checked(code: int, what: str) -> None:
    if code:
        number = ctypes.get_errno()
        raise OSError(number, f'{what} of the archive: {os.strerror(number)}')
