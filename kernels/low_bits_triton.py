# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Products of few tokens with weights in eight or four bits, decoded on the way from memory.

A program has some outputs of one token. What a token waits for is the memory, so the sums are
taken without tensor cores, in float32.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from livevlm_kernels.low_bits import GROUP, LowBits

BLOCK_IN = 256
BLOCK_OUT = 16


def product_triton(low: LowBits, inputs: Tensor) -> Tensor:
    """Multiply as `livevlm_kernels.low_bits.product_torch` does."""
    (tokens, width), outs = inputs.shape, len(low.codes)
    outputs = inputs.new_empty(tokens, outs)
    given = inputs.contiguous(), *low, outputs, width, outs
    blocks = {'BLOCK_IN': BLOCK_IN, 'BLOCK_OUT': BLOCK_OUT}
    with torch.cuda.device_of(inputs):
        grid = (triton.cdiv(outs, BLOCK_OUT), tokens)
        if low.codes.dtype == torch.int8:
            multiply_8[grid](*given, **blocks)
        else:
            multiply_4[grid](*given, GROUP=GROUP, **blocks)
    return outputs


@triton.jit
def multiply_8(
    inputs: tl.tensor,  # [tokens, width]
    codes: tl.tensor,  # int8 [outs, width]
    scales: tl.tensor,  # [outs]
    outputs: tl.tensor,  # [tokens, outs]
    width: tl.tensor,
    outs: tl.tensor,
    BLOCK_IN: tl.constexpr,
    BLOCK_OUT: tl.constexpr,
) -> None:
    """Write some outputs of a token, weights having eight bits."""
    out = tl.program_id(0) * BLOCK_OUT + tl.arange(0, BLOCK_OUT)
    token = tl.program_id(1)
    sums = tl.zeros((BLOCK_OUT, BLOCK_IN), tl.float32)
    for first in range(0, width, BLOCK_IN):
        at = first + tl.arange(0, BLOCK_IN)
        x = tl.load(inputs + token * width + at, mask=at < width, other=0.0).to(tl.float32)
        wanted = (out < outs)[:, None] & (at < width)[None, :]
        code = tl.load(codes + out[:, None] * width + at[None, :], mask=wanted, other=0)
        sums += code.to(tl.float32) * x[None, :]
    scale = tl.load(scales + out, mask=out < outs, other=0.0).to(tl.float32)
    found = (tl.sum(sums, 1) * scale).to(outputs.dtype.element_ty)
    tl.store(outputs + token * outs + out, found, mask=out < outs)


@triton.jit
def multiply_4(
    inputs: tl.tensor,  # [tokens, width]
    codes: tl.tensor,  # uint8 [outs, width / 2]
    scales: tl.tensor,  # [outs, width / GROUP, 2]
    outputs: tl.tensor,  # [tokens, outs]
    width: tl.tensor,
    outs: tl.tensor,
    GROUP: tl.constexpr,
    BLOCK_IN: tl.constexpr,
    BLOCK_OUT: tl.constexpr,
) -> None:
    """Write some outputs of a token, weights having four bits."""
    out = tl.program_id(0) * BLOCK_OUT + tl.arange(0, BLOCK_OUT)
    token = tl.program_id(1)
    sums = tl.zeros((BLOCK_OUT, BLOCK_IN // 2), tl.float32)
    for first in range(0, width // 2, BLOCK_IN // 2):
        at = first + tl.arange(0, BLOCK_IN // 2)  # bytes, of two inputs each
        x = inputs + token * width + 2 * at
        even = tl.load(x, mask=at < width // 2, other=0.0).to(tl.float32)
        odd = tl.load(x + 1, mask=at < width // 2, other=0.0).to(tl.float32)
        wanted = (out < outs)[:, None] & (at < width // 2)[None, :]
        pair = tl.load(codes + out[:, None] * (width // 2) + at[None, :], mask=wanted, other=0)
        group = out[:, None] * (width // GROUP) + (2 * at // GROUP)[None, :]
        scale = tl.load(scales + 2 * group, mask=wanted, other=0.0).to(tl.float32)
        zero = tl.load(scales + 2 * group + 1, mask=wanted, other=0.0).to(tl.float32)
        low = (pair & 15).to(tl.float32) - 8
        high = (pair >> 4).to(tl.float32) - 8
        steps = low * even[None, :] + high * odd[None, :]
        sums += scale * steps + zero * (even + odd)[None, :]
    found = tl.sum(sums, 1).to(outputs.dtype.element_ty)
    tl.store(outputs + token * outs + out, found, mask=out < outs)
