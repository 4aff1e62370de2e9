# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Keys and values in four or eight bits: a scale and a zero for each channel of a run of tokens.

Keys before rotary have a few wide channels, and those stay wide from token to token, so each
channel gets a range of its own. A run is a frame: over the 196 tokens of LLaVA-OneVision, scale
and zero add a sixth of a bit to each number.
"""

from __future__ import annotations

import torch
from torch import Tensor

HALF_MAX = torch.finfo(torch.float16).max
NUMBERS_AT_ONCE = 2**19
"""Decoded at a time by a CPU on their way to a narrower type, so that they stay in its cache."""

_HALF_TINY = 2.0**-24  # the smallest float16 above zero
_HALF_STEP = 2.0**-10  # from one float16 to the next, at most, relative to it


def to_half(x: Tensor) -> Tensor:
    """Round to float16; what is beyond its range becomes the end of its range."""
    return x.float().clamp(-HALF_MAX, HALF_MAX).half()


def quantise(x: Tensor, *, bits: int) -> tuple[Tensor, Tensor, Tensor]:
    """
    Quantise each channel over its tokens.

    x ~ codes * scale + zero, with an error of at most scale / 2, but for the rounding of the type
    it is computed in; values beyond the range of float16 count as the end of that range.

    :param x: [..., tokens, dim]; `dim` is even
    :param bits: 8, or 4: then the first half of the channels lies in the low nibbles
    :returns: codes uint8 [..., tokens, dim * bits / 8], scale and zero float16 [..., dim]
    """
    x = x.float().clamp(-HALF_MAX, HALF_MAX)
    low, high = x.aminmax(dim=-2)
    # The bound holds against what is stored, so zero is rounded down and scale up.
    zero = _half_at_most(low)
    widest = (high - zero.float()) / (2**bits - 1)
    scale = (widest * (1 + _HALF_STEP) + _HALF_TINY).half()
    steps = (x - zero.float().unsqueeze(-2)) / scale.float().unsqueeze(-2)
    codes = steps.round_().to(torch.uint8)
    if bits == 4:
        first, second = codes.chunk(2, dim=-1)
        codes = first | second << 4
    return codes, scale, zero


def dequantise(
    codes: Tensor, scale: Tensor, zero: Tensor, *, bits: int, dtype: torch.dtype
) -> Tensor:
    """
    Undo `quantise`, for all tokens of a run or some.

    :param codes: uint8 [..., tokens, dim * bits / 8]
    :param scale: float16 [..., dim]
    :param zero: like `scale`
    :returns: [..., tokens, dim] in `dtype`
    """
    scale, zero = scale.unsqueeze(-2), zero.unsqueeze(-2)
    if dtype == torch.float32 or codes.device.type != 'cpu':
        return _floats(codes, scale, zero, bits).to(dtype)
    tokens, dim = codes.shape[-2], scale.shape[-1]
    found = torch.empty(*codes.shape[:-1], dim, dtype=dtype)
    runs = max(1, NUMBERS_AT_ONCE // (tokens * dim))
    parts = [
        part.reshape(-1, *part.shape[-2:]).split(runs) for part in (found, codes, scale, zero)
    ]
    for out, code, step, least in zip(*parts, strict=True):
        out.copy_(_floats(code, step, least, bits))
    return found


def _floats(codes: Tensor, scale: Tensor, zero: Tensor, bits: int) -> Tensor:
    """Return float32, of scales and zeros [..., 1, dim]."""
    if bits == 4:
        codes = torch.cat((codes & 15, codes >> 4), dim=-1)
    return codes.float().mul_(scale.float()).add_(zero.float())


def _half_at_most(x: Tensor) -> Tensor:
    """Round float32 to a float16 that is not above it."""
    nearest = x.half()
    below = to_half(x - x.abs() * _HALF_STEP - _HALF_TINY)
    return torch.where(nearest.float() > x, below, nearest)
