# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Rotary position, put on when keys are read.

Half-split form, as transformers has it: position p turns the pair (x[i], x[i + d/2]) by
p * theta^(-2i/d).
RoFormer, arXiv 2104.09864, section 3.4.2.
"""

from __future__ import annotations

import torch
from torch import Tensor

from livevlm_ros.memory.shape import CacheShape


class RotaryTable:
    """Cosines and sines of positions 0..n-1, made once and grown when a longer read comes."""

    def __init__(self, shape: CacheShape, *, device: torch.device, dtype: torch.dtype) -> None:
        pairs = torch.arange(0, shape.head_dim, 2, dtype=torch.float)
        self._frequencies = (1.0 / shape.rope_theta ** (pairs / shape.head_dim)).to(
            device
        )  # [head_dim / 2]
        self._dtype = dtype
        self._half = shape.head_dim // 2
        self.cos = self.sin = torch.empty(0, self._half, dtype=dtype, device=device)

    @property
    def nbytes(self) -> int:
        """Bytes both tables take on the device."""
        return self.cos.nbytes + self.sin.nbytes

    def reserve(self, positions: int) -> None:
        """Make the tables at least `positions` long."""
        if positions <= len(self.cos):
            return
        positions = max(positions, len(self.cos) * 3 // 2)
        steps = torch.arange(positions, dtype=torch.float, device=self._frequencies.device)
        angles = steps[:, None] * self._frequencies  # [positions, head_dim / 2]
        self.cos, self.sin = angles.cos().to(self._dtype), angles.sin().to(self._dtype)

    def rotate(self, x: Tensor, *, first: int, out: Tensor) -> Tensor:
        """
        Turn `x` to contiguous positions.

        :param x: keys or queries before rotary, [..., tokens, head_dim]
        :param first: position of the first token; `reserve` covered all of them
        :param out: where the result goes, shaped like `x`, not overlapping it
        :returns: `out`
        """
        half, last = self._half, first + x.shape[-2]
        cos, sin = self.cos[first:last], self.sin[first:last]  # [tokens, head_dim / 2]
        low, high = x[..., :half], x[..., half:]
        torch.mul(low, cos, out=out[..., :half]).addcmul_(high, sin, value=-1)
        torch.mul(high, cos, out=out[..., half:]).addcmul_(low, sin)
        return out
