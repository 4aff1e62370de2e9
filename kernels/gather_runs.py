# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Runs of bytes out of a slab in host memory, onto a device.

Pages of a memory lie scattered over gigabytes of RAM. A GPU that may read host memory fetches them
itself over PCIe, as FreeKV's recall does (arXiv 2505.13109), in place of a CPU that gathers them,
copies them to pinned memory and sends them.
"""

from __future__ import annotations

from importlib.util import find_spec

import torch
from torch import Tensor

_HAS_TRITON = find_spec('triton') is not None  # not every torch for a GPU brings it

WORDS = {8: torch.int64, 4: torch.int32, 2: torch.int16, 1: torch.uint8}
"""Types by their bytes: runs are copied in the widest that divides them."""


def can_read_host(device: torch.device) -> bool:
    """Return whether `gather_runs` lets a device read host memory that is locked for it."""
    return device.type == 'cuda' and _HAS_TRITON


def gather_runs(slab: Tensor, starts: Tensor, run: int, *, unit: int, locked: bool) -> Tensor:
    """
    Copy runs of bytes out of a slab.

    :param slab: uint8, contiguous, on the host
    :param starts: where each run starts, in units, int64 of any shape, on the device that gets
        them
    :param run: bytes of a run, a multiple of `unit`
    :param unit: bytes that every start and the slab's size are a multiple of
    :param locked: whether the slab's pages are locked, so that the device may read them; that is
        done when its stream has come so far, and until then the slab must stay as it is
    :returns: uint8 [*starts, run], on the device
    """
    if locked:
        from livevlm_kernels.gather_runs_triton import gather_runs_triton

        return gather_runs_triton(slab, starts, run, unit=unit)
    return gather_runs_torch(slab, starts, run, unit=unit)


def gather_runs_torch(slab: Tensor, starts: Tensor, run: int, *, unit: int) -> Tensor:
    """Copy runs on the host."""
    units = starts.reshape(-1, 1) + torch.arange(run // unit)
    copied = slab.view(-1, unit).index_select(0, units.flatten())
    return copied.view(*starts.shape, run)
