# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs of bytes come out of a slab as they lie in it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from livevlm_kernels.gather_runs import can_read_host, gather_runs, gather_runs_torch

Slab = Callable[..., tuple[Tensor, Tensor]]


@pytest.mark.parametrize(('unit', 'run'), [(8, 8), (64, 576), (12, 36), (2, 10), (1, 7)])
def test_runs_are_the_bytes_that_start_there(draw_slab: Slab, unit: int, run: int) -> None:
    slab, starts = draw_slab(unit, run)
    runs = gather_runs(slab, starts, run, unit=unit, locked=False)
    for at, start in zip(runs.view(-1, run), starts.flatten().tolist(), strict=True):
        assert torch.equal(at, slab[start * unit : start * unit + run])


def test_no_runs_and_empty_runs_are_shaped_all_the_same(draw_slab: Slab) -> None:
    slab, starts = draw_slab(8, 8)
    assert gather_runs_torch(slab, starts[:0], 8, unit=8).shape == (0, 3, 8)
    assert gather_runs_torch(slab, starts, 0, unit=8).shape == (2, 3, 0)


def test_only_a_gpu_reads_host_memory() -> None:
    assert not can_read_host(torch.device('cpu'))
