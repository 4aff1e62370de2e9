# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The kernel gives its twin's scores, and compiles for GPUs on a machine that has none."""

from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

import pytest
import torch
from torch import Tensor

from livevlm_kernels.page_scores import page_scores_torch

pytest.importorskip('triton')
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from livevlm_kernels.page_scores_triton import (
    BLOCK_PAGES,
    BLOCK_ROWS,
    page_scores_triton,
    sum_rows,
    sum_tiles,
)

Draw = Callable[..., tuple[Tensor, Tensor]]
F32, F16, BF16 = torch.float32, torch.float16, torch.bfloat16


def assert_parity(scores: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    ('q_heads', 'kv_heads', 'tokens', 'pages', 'dim', 'dtype'),
    [
        (4, 2, 9, 130, 64, F32),  # the embedded model's heads, three tiles of pages
        (14, 2, 11, 65, 64, BF16),  # the 0.5B model's: a group of seven, one page in a last tile
        (14, 2, 3, 64, 64, F16),
        (28, 4, 5, 7, 128, BF16),  # the 7B model's, less than one tile
        (3, 3, 1, 1, 32, F32),  # no groups, one row, one page
        (2, 1, 33, 129, 80, F16),  # a width that is no power of two
        (2, 1, 4, 70, 8, F32),  # a width below the least one of tl.dot
    ],
)
def test_interpreted_it_gives_the_scores_of_its_twin(
    interpreter: Executor,
    draw: Draw,
    q_heads: int,
    kv_heads: int,
    tokens: int,
    pages: int,
    dim: int,
    dtype: torch.dtype,
) -> None:
    q, means = draw(q_heads, kv_heads, tokens, pages, dim, dtype=dtype)
    scores = interpreter.submit(page_scores_triton, q, means).result()
    assert_parity(scores, page_scores_torch(q, means))


def test_interpreted_it_reads_any_strides(interpreter: Executor, draw: Draw) -> None:
    q, means = draw(14, 2, 11, 65, 64)
    by_token = q.transpose(0, 1).contiguous().transpose(0, 1)
    by_head = means.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    every_other = torch.stack((means, torch.full_like(means, torch.nan)), 1).flatten(0, 1)[::2]
    for strided in (by_head, every_other):
        assert not strided.is_contiguous()
        scores = interpreter.submit(page_scores_triton, by_token, strided).result()
        assert_parity(scores, page_scores_torch(q, means))


@pytest.mark.parametrize('open_pages', [slice(3, 131, 2), slice(128, 131), slice(0, 0)])
def test_interpreted_it_skips_pages_that_may_not_be_chosen(
    interpreter: Executor, draw: Draw, open_pages: slice
) -> None:
    q, means = draw(4, 2, 9, 131, 64)
    mask = torch.zeros(131, dtype=torch.bool)
    mask[open_pages] = True
    scores = interpreter.submit(page_scores_triton, q, means, mask=mask).result()
    assert_parity(scores, page_scores_torch(q, means, mask=mask))
    assert not scores[:, ~mask].any()


def test_interpreted_it_takes_a_memory_without_pages(interpreter: Executor, draw: Draw) -> None:
    q, means = draw(4, 2, 9, 0, 64)
    assert interpreter.submit(page_scores_triton, q, means).result().shape == (2, 0)


def test_interpreted_it_bears_logits_beyond_the_range_of_exp(
    interpreter: Executor, draw: Draw
) -> None:
    q, means = draw(4, 2, 9, 130, 64)
    scores = interpreter.submit(page_scores_triton, 100 * q, means).result()
    assert_parity(scores, page_scores_torch(100 * q, means))


@pytest.mark.parametrize('capability', [80, 87, 90])  # A100, Jetson Orin, H100
@pytest.mark.parametrize(
    ('dtype', 'masked', 'products'),
    [('bf16', True, 16), ('fp16', False, 16), ('fp32', True, 3 * 32)],
)
@pytest.mark.parametrize('kernel', [sum_tiles, sum_rows], ids=['sum_tiles', 'sum_rows'])
def test_it_compiles_ahead_of_time(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kernel: triton.runtime.JITFunction,
    dtype: str,
    masked: bool,
    products: int,
    capability: int,
) -> None:
    monkeypatch.setenv('TRITON_CACHE_DIR', str(tmp_path))  # nothing compiled before is used
    constants = {} if masked else {'mask': None}
    constants |= {
        'dim_stride': 1,
        'DIM': 64,
        'BLOCK_DIM': 64,
        'BLOCK_PAGES': BLOCK_PAGES,
        'BLOCK_ROWS': BLOCK_ROWS,
        'UPCAST': False,
    }
    pointers = {'q': dtype, 'means': dtype, 'mask': 'u1'}
    pointers |= {'tile_sums': 'fp32', 'row_sums': 'fp32', 'scores': 'fp32'}
    types = dict.fromkeys(kernel.arg_names, 'i32')
    types |= {name: f'*{pointers[name]}' for name in pointers.keys() & types.keys()}
    types |= dict.fromkeys(constants, 'constexpr')
    source = ASTSource(kernel, types, constants)
    compiled = triton.compile(source, target=GPUTarget('cuda', capability, 32))
    assert compiled.asm['cubin'].startswith(b'\x7fELF')
    # On tensor cores; float32 takes half as wide a step, three times to keep its precision.
    assert compiled.asm['ptx'].count('mma.sync') == products


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('dtype', [F32, F16, BF16])
def test_on_a_gpu_it_gives_the_scores_of_its_twin(draw: Draw, dtype: torch.dtype) -> None:
    q, means = (x.cuda() for x in draw(14, 2, 20, 100_001, 64, dtype=dtype))
    mask = torch.arange(100_001, device='cuda') % 3 > 0
    for chosen in (None, mask):
        scores = page_scores_triton(q, means, mask=chosen)
        assert_parity(scores, page_scores_torch(q, means, mask=chosen))
        assert torch.equal(scores, page_scores_triton(q, means, mask=chosen))
