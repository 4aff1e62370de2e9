# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
import torch

import livevlm_kernels
from livevlm_bench.kernel_cases import (
    QUICK_SIZES,
    cases,
    difference,
    naive_gather_runs,
    naive_page_scores,
)
from livevlm_kernels.gather_runs import gather_runs_torch
from livevlm_kernels.page_scores import page_scores_torch


def test_every_kernel_has_a_case_whose_ways_agree() -> None:
    named = set()
    for entered in cases('cpu', **QUICK_SIZES):
        with entered as case:
            named.add(case.kernel.replace(' ', '_'))
            assert case.triton is None  # there is no GPU
            assert difference(case.kernel, case.naive(), case.twin()) < 1e-6
    (folder,) = livevlm_kernels.__path__
    assert named == {
        file.stem.removesuffix('_triton') for file in Path(folder).glob('*_triton.py')
    }


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_page_scores_are_the_same_written_naively(dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    q, means = torch.randn(6, 5, 16).to(dtype), torch.randn(40, 2, 16).to(dtype)
    assert torch.allclose(naive_page_scores(q, means), page_scores_torch(q, means), atol=1e-6)


def test_runs_are_the_same_gathered_one_after_another() -> None:
    torch.manual_seed(3)
    slab, starts = torch.randint(256, (4096,), dtype=torch.uint8), torch.tensor([0, 7, 7, 60])
    naive = naive_gather_runs(slab, starts, 128, unit=64)
    assert naive.equal(gather_runs_torch(slab, starts, 128, unit=64))


def test_a_difference_is_seen() -> None:
    one, other = torch.tensor([1.0, 4.0]), torch.tensor([1.0, 2.0])
    assert difference('page scores', one, other) == 1.0
    assert difference('gather runs', one, other) == 1.0  # of two, one differs
