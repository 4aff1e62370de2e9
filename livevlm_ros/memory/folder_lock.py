# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One process at a time has a memory's folder: two would lose each other's frames."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from pathlib import Path

from livevlm_ros.memory.private_file import private

LOCK = 'memory.lock'
"""File that the lock is on; it holds the process's number, and stays when that has ended."""

LOCKLESS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS})
"""What file systems that know no locks answer."""

_log = logging.getLogger(__name__)


class FolderInUse(ValueError):
    """A folder that another process, or another engine of this one, has: says which and whose."""


class FolderLock:
    """
    The right to write to a memory's folder, until `release` or the end of the process.

    The kernel holds it, so nothing is left of a process that was killed. A folder that cannot be
    written needs none.

    :param path: of the folder; empty: there is none
    :raises FolderInUse: if another has it
    :raises ValueError: if there is something else in the lock's place
    """

    def __init__(self, path: str) -> None:
        self._descriptor: int | None = None
        if path and os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK):
            self._descriptor = _locked(Path(path))

    def release(self) -> None:
        """Let others have the folder."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _locked(folder: Path) -> int:
    """Lock a folder, and return the open file that holds the lock."""
    file = folder / LOCK
    try:
        descriptor = private(str(file), os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise ValueError(
            f'{file}: cannot be opened ({error.strerror}), expected a file of this user, which '
            'tells who uses the folder: remove it'
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in LOCKLESS:
            _log.warning('%s: files cannot be locked there; let no other process use it', folder)
            return descriptor
        holder = os.pread(descriptor, 20, 0).decode(errors='replace') or 'unknown'
        os.close(descriptor)
        raise FolderInUse(
            f'{folder} is in use by process {holder}: give each node and command a memory.path of '
            'its own, or end that process'
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor
