# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Memory that was freed, back to the system: glibc keeps it between what is still in use."""

from __future__ import annotations

import ctypes


def return_freed() -> None:
    """Return what can be returned; other C libraries than glibc do so by themselves."""
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if trim is not None:
        trim(0)
