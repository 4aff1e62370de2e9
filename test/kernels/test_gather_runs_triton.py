# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The kernel copies what its twin does, and compiles for GPUs on a machine that has none."""

from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

import pytest
import torch
from torch import Tensor

from livevlm_kernels.gather_runs import gather_runs, gather_runs_torch

pytest.importorskip('triton')
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from livevlm_kernels.gather_runs_triton import BLOCK_WORDS, copy_runs, gather_runs_triton

Slab = Callable[..., tuple[Tensor, Tensor]]

RUNS = [  # unit and run, in bytes
    (8, 8),
    (64, 576),  # a page of the embedded model
    (128, 896),  # of the 0.5B model
    (256, 25_600),  # a whole block of the 7B model
    (12, 36),
    (2, 10),
    (1, 7),
]


@pytest.mark.parametrize(('unit', 'run'), RUNS)
def test_interpreted_it_copies_what_its_twin_does(
    interpreter: Executor, draw_slab: Slab, unit: int, run: int
) -> None:
    slab, starts = draw_slab(unit, run)
    runs = interpreter.submit(gather_runs_triton, slab, starts, run, unit=unit).result()
    assert torch.equal(runs, gather_runs_torch(slab, starts, run, unit=unit))


def test_interpreted_it_takes_no_runs_and_empty_ones(
    interpreter: Executor, draw_slab: Slab
) -> None:
    slab, starts = draw_slab(8, 8)
    for given, run in ((starts[:0], 8), (starts, 0)):
        runs = interpreter.submit(gather_runs_triton, slab, given, run, unit=8).result()
        assert runs.shape == (*given.shape, run)


@pytest.mark.parametrize('capability', [80, 87, 90])  # A100, Jetson Orin, H100
@pytest.mark.parametrize('word', ['i64', 'i32', 'u8'])
def test_it_compiles_ahead_of_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, capability: int
) -> None:
    monkeypatch.setenv('TRITON_CACHE_DIR', str(tmp_path))  # nothing compiled before is used
    types = {'slab': f'*{word}', 'starts': '*i64', 'out': f'*{word}'}
    types |= {'words': 'i32', 'unit_words': 'i32', 'BLOCK_WORDS': 'constexpr'}
    source = ASTSource(copy_runs, types, {'BLOCK_WORDS': BLOCK_WORDS})
    compiled = triton.compile(source, target=GPUTarget('cuda', capability, 32))
    assert compiled.asm['cubin'].startswith(b'\x7fELF')
    assert '.local' not in compiled.asm['ptx']  # nothing is spilled


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize(('unit', 'run'), RUNS)
def test_a_gpu_reads_locked_host_memory(draw_slab: Slab, unit: int, run: int) -> None:
    slab, starts = draw_slab(unit, run)
    assert int(torch.cuda.cudart().cudaHostRegister(slab.data_ptr(), slab.nbytes, 0)) == 0
    try:
        runs = gather_runs(slab, starts.cuda(), run, unit=unit, locked=True)
        assert torch.equal(runs.cpu(), gather_runs_torch(slab, starts, run, unit=unit))
    finally:
        torch.cuda.cudart().cudaHostUnregister(slab.data_ptr())
