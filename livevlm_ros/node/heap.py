# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The heaps of the node's process, Python's and C's: a model comes, holds nobody up, and goes.

A full garbage collection over the 370,000 objects of torch and transformers holds every thread for
0.2 to 0.4 s. There are several during their import, and one every two or three seconds while the
node answers: none is made during the import, and what is there after it is taken out of them until
the model is given back.

glibc gives threads heaps of their own, and each keeps what a model once used: 20 rounds of the
lifecycle grew the node by 50 MB, with two heaps that are trimmed by 1 MB. Other C libraries do not
have the problem, nor the functions.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager

from livevlm_ros.freed import return_freed

M_ARENA_MAX = -8  # malloc.h
ARENAS = 2


def share_few_heaps() -> None:
    """Let all threads share few heaps; to be called before there are threads."""
    choose = getattr(ctypes.CDLL(None), 'mallopt', None)
    if choose is not None:
        choose(M_ARENA_MAX, ARENAS)


@contextmanager
def spare_collections() -> Iterator[None]:
    """
    Collect no garbage as long as a block; leave out what is there at its end, until `give_back`.

    What becomes garbage in the block is left too, 10,000 objects after the import. A block that
    fails leaves nothing out.
    """
    gc.collect()  # before: a model whose load failed
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def give_back() -> None:
    """Collect what was spared and is dead now, and return freed memory to the system."""
    gc.unfreeze()
    gc.collect()
    return_freed()
