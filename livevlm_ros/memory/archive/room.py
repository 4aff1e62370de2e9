# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How much of a machine an archive may take where no number is given: a share of what is free."""

from __future__ import annotations

import shutil
from pathlib import Path

AUTO = -1
"""Stands for a share of what is free."""

SHARE = 4
"""One byte in so many that are free: a snapshot takes the same again, and a robot runs more."""

RESTORED_SHARE = 2
"""The same for what was saved when more was free."""

MEMINFO = Path('/proc/meminfo')
CGROUPS = Path('/sys/fs/cgroup')

_CONTAINER = (  # limit, use, and what of the use the kernel takes back: cgroup version 2, then 1
    ('memory.max', 'memory.current', 'memory.stat', 'inactive_file'),
    (
        'memory/memory.limit_in_bytes',
        'memory/memory.usage_in_bytes',
        'memory/memory.stat',
        'total_inactive_file',
    ),
)


def ram_for(given: int, *, free: int | None = None) -> tuple[int, int]:
    """
    Return the bytes of RAM that an archive may take: those given, or a share of the free.

    :param free: bytes; None: what is free on this machine now
    :returns: with them, how many it may take for what it restores: what was saved when more was
        free is not to be lost
    """
    if given != AUTO:
        return given, given
    free = free_ram() if free is None else free
    return free // SHARE, free // RESTORED_SHARE


def disk_for(given: int, folder: Path | None, *, most: int) -> int:
    """
    Return the bytes of disk that an archive may take: those given, or a share of the free.

    :param folder: on that disk
    :param most: bytes beyond which a share does not go
    :raises ValueError: if there is no such folder
    """
    if given != AUTO:
        return given
    try:
        free = shutil.disk_usage(folder or '.').free
    except OSError as error:
        raise ValueError(
            f'archive_disk_bytes: cannot tell what is free in {str(folder)!r}: {error.strerror}; '
            'give a folder that can be written'
        ) from error
    return min(free // SHARE, most)


def free_ram() -> int:
    """Return the bytes of RAM that can be had without swapping, inside the container's limit."""
    lines = (line.split() for line in MEMINFO.read_text(encoding='ascii').splitlines())
    available = next(int(line[1]) * 1024 for line in lines if line[0] == 'MemAvailable:')
    return min([available, *_left_to_container()])


def _left_to_container() -> list[int]:
    """Return the bytes that the container's limit leaves; nothing where there is no limit."""
    for limit, use, stat, freeable in _CONTAINER:
        try:
            texts = [(CGROUPS / name).read_text(encoding='ascii') for name in (limit, use, stat)]
        except OSError:
            continue
        counts = dict(line.split() for line in texts[2].splitlines())
        if texts[0].strip() != 'max':
            return [max(0, int(texts[0]) - int(texts[1]) + int(counts.get(freeable, 0)))]
    return []
