# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Linking torch's library, 400 MB, while other threads run.

An import holds Python's interpreter while it links a library: for torch 0.4 s, in which the node
replies to nobody. A library that is linked already costs the import nothing.
"""

from __future__ import annotations

import ctypes
import os
from importlib.util import find_spec
from pathlib import Path


def link_torch() -> None:
    """Link torch's library ahead of the import. What fails here is left to the import to tell."""
    found = find_spec('torch')
    if found is None or found.origin is None:
        return
    library = Path(found.origin).parent / 'lib' / 'libtorch.so'
    dlopen = ctypes.CDLL(None).dlopen  # called as this, and not by ctypes.CDLL, it lets others run
    dlopen.argtypes, dlopen.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    dlopen(os.fsencode(library), os.RTLD_NOW)
