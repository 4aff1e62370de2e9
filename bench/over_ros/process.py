# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A process of the system, looked at and handled from outside."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def resident_mb(pid: int) -> float:
    """Return the memory of its own that a process has touched; DDS segments are shared."""
    for line in Path(f'/proc/{pid}/status').read_text(encoding='utf-8').splitlines():
        if line.startswith('RssAnon:'):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f'process {pid} has ended')


def cpu_s(pid: int) -> float:
    """Return the processor time of all threads of a process so far."""
    words = Path(f'/proc/{pid}/stat').read_text(encoding='utf-8').rpartition(')')[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf('SC_CLK_TCK')  # utime, stime


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Let a process stand still as long as a block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def short_files(pid: int, nbytes: int) -> Iterator[None]:
    """Let no file of a process grow beyond so many bytes as long as a block, as on a full disk."""
    before, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (nbytes, most))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (before, most))
