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
    """
    Cosines and sines, made once and grown when a longer read comes.

    `cos` and `sin` are those of positions 0..n-1, [n, head_dim / 2]. Where the tokens of an image
    have more than one position, others are made for what is read: a prefix, then whole frames.
    """

    def __init__(self, shape: CacheShape, *, device: torch.device, dtype: torch.dtype) -> None:
        pairs = torch.arange(0, shape.head_dim, 2, dtype=torch.float)
        self._frequencies = (1.0 / shape.rope_theta ** (pairs / shape.head_dim)).to(
            device
        )  # [head_dim / 2]
        self._dtype, self._positions = dtype, shape.positions
        self._half, self._frame, self._prefix = shape.head_dim // 2, shape.tokens_per_frame, 0
        self.cos = self.sin = torch.empty(0, self._half, dtype=dtype, device=device)
        self._read_cos, self._read_sin = self.cos, self.sin

    @property
    def nbytes(self) -> int:
        """Bytes the tables take on the device."""
        tables = 2 if self._positions is None else 4
        return tables * self.cos.nbytes

    def reserve(self, tokens: int, *, prefix: int = 0) -> None:
        """
        Make the tables long enough for so many tokens.

        :param prefix: tokens before the frames that are read
        """
        if tokens <= len(self.cos) and (self._positions is None or prefix == self._prefix):
            return
        if tokens > len(self.cos):
            tokens = grown(len(self.cos), tokens)
            steps = torch.arange(tokens, dtype=torch.float, device=self._frequencies.device)
            self.cos, self.sin = self._turns(steps[:, None])
        self._read_cos, self._read_sin, self._prefix = self.cos, self.sin, prefix
        if self._positions is not None:
            of_frames = self._positions.of_frames(
                len(self.cos) - prefix, first=prefix, device=self._frequencies.device
            )  # [axes, tokens]
            cos, sin = self._turns(of_frames[list(self._positions.axes)].t().float())
            self._read_cos = torch.cat((self.cos[:prefix], cos))
            self._read_sin = torch.cat((self.sin[:prefix], sin))

    def _turns(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return cosines and sines, [tokens, head_dim / 2], of [tokens, head_dim / 2 or 1]."""
        angles = positions * self._frequencies
        return angles.cos().to(self._dtype), angles.sin().to(self._dtype)

    def rotate(self, x: Tensor, *, first: int, out: Tensor) -> Tensor:
        """
        Turn prefix and frames to the positions that they are read at.

        :param x: keys or queries before rotary, [..., tokens, head_dim]
        :param first: how many tokens are read before them; `reserve` covered all of them
        :param out: where the result goes, shaped like `x`, not overlapping it
        :returns: `out`
        """
        last = first + x.shape[-2]
        return self._turned(x, self._read_cos[first:last], self._read_sin[first:last], out)

    def rotate_text(self, x: Tensor, *, first: int, past: int, out: Tensor) -> Tensor:
        """
        Turn text that follows prefix and frames, as `rotate` does.

        :param past: how many tokens prefix and frames are
        """
        if self._positions is not None:
            first -= (past - self._prefix) // self._frame * self._positions.saved
        last = first + x.shape[-2]
        return self._turned(x, self.cos[first:last], self.sin[first:last], out)

    def _turned(self, x: Tensor, cos: Tensor, sin: Tensor, out: Tensor) -> Tensor:
        half = self._half
        low, high = x[..., :half], x[..., half:]
        torch.mul(low, cos, out=out[..., :half]).addcmul_(high, sin, value=-1)
        torch.mul(high, cos, out=out[..., half:]).addcmul_(low, sin)
        return out


def grown(room: int, tokens: int) -> int:
    """
    Return how much room to make for tokens where there is too little.

    It grows by halves, whatever asked for it: how large it is in the end does not depend on which
    streams were read before. The first room is exactly what is asked for.
    """
    while 0 < room < tokens:
        room += (room + 1) // 2
    return room or tokens
