# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How an archived frame lies in bytes, in RAM and on disk alike.

Head-major, as FreeKV lays out its host pool (arXiv 2505.13109): a head's keys of a page lie next
to each other, and so do its values, so a recall moves few long runs instead of many short ones.
All layers of a frame are one record; the scales of a head follow its codes, so that tiers copy a
record as it is.
"""

from __future__ import annotations

import torch
from torch import Tensor

from livevlm_ros.memory.archive.costs import RecordSize
from livevlm_ros.memory.archive.quantise import dequantise, quantise, to_half


class RecordLayout(RecordSize):
    """Where the numbers of a frame lie in its record."""

    __slots__ = ()

    def blocks(self, layers: slice | int) -> Tensor:
        """Return where blocks start in a record, int64 [2, layers, kv_heads]; an int names one."""
        layers = layers if isinstance(layers, slice) else slice(layers, layers + 1)
        starts = torch.arange(0, self.record_bytes, self.block_bytes).view(self.record[:3])
        return starts[layers].permute(2, 0, 1)

    def encode(self, keys: Tensor, values: Tensor) -> Tensor:
        """
        Make the record of a frame.

        :param keys: before rotary, [layers, kv_heads, tokens_per_frame, head_dim]
        :param values: shaped like `keys`
        """
        both = torch.stack((keys, values), dim=2)  # [layers, kv_heads, 2, tokens, head_dim]
        if self.bits == 16:
            return to_half(both).view(torch.uint8).flatten(3)
        codes, scale, zero = quantise(both, bits=self.bits)
        scales = torch.cat((scale, zero), dim=-1).view(torch.uint8)
        return torch.cat((codes.flatten(3), scales), dim=-1)

    def keys(self, record: Tensor) -> Tensor:
        """Return a record's keys, float32 [layers, kv_heads, tokens_per_frame, head_dim]."""
        return self.decode_blocks(record[:, :, 0])

    def decode_blocks(self, blocks: Tensor) -> Tensor:
        """
        Undo `encode` for blocks of whole frames.

        :param blocks: uint8 [..., block]
        :returns: float32 [..., tokens_per_frame, head_dim]
        """
        codes, scales = blocks[..., : self.code_bytes], blocks[..., self.code_bytes :]
        return self.decode(codes, scales, torch.float32)

    def decode(self, codes: Tensor, scales: Tensor, dtype: torch.dtype) -> Tensor:
        """
        Undo `encode`, for pages or whole frames.

        :param codes: uint8 [..., bytes]
        :param scales: of the frames they are from, uint8 [..., bytes]
        :returns: [..., tokens, head_dim] in `dtype`
        """
        codes = codes.unflatten(-1, (-1, self.shape.head_dim * self.bits // 8))
        if self.bits == 16:
            return codes.contiguous().view(torch.float16).to(dtype)
        scale, zero = scales.contiguous().view(torch.float16).chunk(2, dim=-1)
        return dequantise(codes, scale, zero, bits=self.bits, dtype=dtype)
