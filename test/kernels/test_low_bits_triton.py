# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The kernels multiply as their twin does, and compile for GPUs on a machine that has none."""

from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

import pytest
import torch
from torch import Tensor

from livevlm_kernels.low_bits import (
    FEW_TOKENS,
    GROUP,
    Scratch,
    product_torch,
    product_with,
    quantise,
)

pytest.importorskip('triton')
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from livevlm_kernels.low_bits_triton import (
    BLOCK_IN,
    BLOCK_OUT,
    multiply_4,
    multiply_8,
    product_triton,
)

Weights = Callable[..., tuple[Tensor, Tensor]]
FEW = FEW_TOKENS['cuda']
SHAPES = [(64, 64, 1), (192, 320, 2), (128, 896, FEW)]  # outputs, inputs, tokens
TOLERANCES = {torch.float32: 1e-5, torch.bfloat16: 0.01}


@pytest.mark.parametrize('bits', [8, 4])
@pytest.mark.parametrize('dtype', TOLERANCES)
@pytest.mark.parametrize(('outs', 'width', 'tokens'), SHAPES)
def test_interpreted_it_multiplies_as_its_twin_does(
    interpreter: Executor,
    weights: Weights,
    bits: int,
    dtype: torch.dtype,
    outs: int,
    width: int,
    tokens: int,
) -> None:
    weight, inputs = weights(outs, width, tokens, dtype)
    low = quantise(weight, bits)
    found = interpreter.submit(product_triton, low, inputs).result()
    expected = product_torch(low, inputs.float())
    apart = (found.float() - expected).abs().max() / expected.abs().max()
    assert found.dtype == dtype and apart < TOLERANCES[dtype]


@pytest.mark.parametrize('capability', [80, 87, 90])  # A100, Jetson Orin, H100
@pytest.mark.parametrize('bits', [8, 4])
@pytest.mark.parametrize('number', ['bf16', 'fp16', 'fp32'])
def test_it_compiles_ahead_of_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str, bits: int, capability: int
) -> None:
    monkeypatch.setenv('TRITON_CACHE_DIR', str(tmp_path))  # nothing compiled before is used
    kernel, code = {8: (multiply_8, 'i8'), 4: (multiply_4, 'u8')}[bits]
    types = {'inputs': f'*{number}', 'codes': f'*{code}', 'scales': '*bf16'}
    types |= {'outputs': f'*{number}', 'width': 'i32', 'outs': 'i32'}
    fixed = {'BLOCK_IN': BLOCK_IN, 'BLOCK_OUT': BLOCK_OUT} | (
        {'GROUP': GROUP} if bits == 4 else {}
    )
    types |= dict.fromkeys(fixed, 'constexpr')
    compiled = triton.compile(
        ASTSource(kernel, types, fixed), target=GPUTarget('cuda', capability, 32)
    )
    assert compiled.asm['cubin'].startswith(b'\x7fELF')
    assert '.local' not in compiled.asm['ptx']  # nothing is spilled


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('bits', [8, 4])
@pytest.mark.parametrize('tokens', [1, FEW, 40])
def test_a_gpu_multiplies_as_the_twin_does(weights: Weights, bits: int, tokens: int) -> None:
    weight, inputs = weights(192, 320, tokens, torch.bfloat16)
    low = quantise(weight, bits)
    expected = product_torch(low, inputs.float())
    there = type(low)(*(part.cuda() for part in low))
    found = product_with(there, Scratch())(inputs.cuda()).cpu().float()
    assert (found - expected).abs().max() / expected.abs().max() < TOLERANCES[torch.bfloat16]
