# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The C heap of a process with many threads, so that loading and unloading a model leaves no trace.

glibc gives threads heaps of their own, and each keeps what a model once used: 20 rounds of the
lifecycle grew the node by 50 MB, with two heaps that are trimmed by 1 MB. Other C libraries do not
have the problem, nor the functions.
"""

from __future__ import annotations

import ctypes

M_ARENA_MAX = -8  # malloc.h
ARENAS = 2


def share_few_heaps() -> None:
    """Let all threads share few heaps; to be called before there are threads."""
    choose = getattr(ctypes.CDLL(None), 'mallopt', None)
    if choose is not None:
        choose(M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Return freed memory to the system."""
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if trim is not None:
        trim(0)
