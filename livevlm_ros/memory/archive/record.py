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

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from livevlm_ros.memory.archive.quantise import dequantise, quantise, scales_bytes, to_half
from livevlm_ros.memory.shape import CacheShape


@dataclass(frozen=True, slots=True)
class RecordLayout:
    """
    The record of a frame: uint8 [layers, kv_heads, 2, block], the 2 for keys and values.

    :param page_tokens: tokens of a page, a divisor of those of a frame
    :param bits: of a number: 4, 8, or 16 for float16 as it is
    """

    shape: CacheShape
    page_tokens: int
    bits: int

    @property
    def pages(self) -> int:
        """Pages of a frame."""
        return self.shape.tokens_per_frame // self.page_tokens

    @property
    def record(self) -> tuple[int, int, int, int]:
        """Shape of a record."""
        block = self._code_bytes + scales_bytes(dim=self.shape.head_dim, bits=self.bits)
        return self.shape.layers, self.shape.kv_heads, 2, block

    @property
    def record_bytes(self) -> int:
        """Bytes of a record."""
        return prod(self.record)

    @property
    def _code_bytes(self) -> int:
        return self.shape.tokens_per_frame * self.shape.head_dim * self.bits // 8

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
        codes, scales = blocks[..., : self._code_bytes], blocks[..., self._code_bytes :]
        return self.decode(codes, scales, torch.float32)

    def codes(self, records: Tensor) -> Tensor:
        """View the codes of records by page, [records, layers, kv_heads, 2, pages, bytes]."""
        return records[..., : self._code_bytes].unflatten(-1, (self.pages, -1))

    def scales(self, records: Tensor) -> Tensor:
        """View the scales and zeros of records, [records, layers, kv_heads, 2, bytes]."""
        return records[..., self._code_bytes :]

    def decode(self, codes: Tensor, scales: Tensor, dtype: torch.dtype) -> Tensor:
        """
        Undo `encode`, for pages or whole frames.

        :param codes: of `codes`, uint8 [..., bytes]
        :param scales: of the frames they are from, uint8 [..., bytes]
        :returns: [..., tokens, head_dim] in `dtype`
        """
        codes = codes.unflatten(-1, (-1, self.shape.head_dim * self.bits // 8))
        if self.bits == 16:
            return codes.contiguous().view(torch.float16).to(dtype)
        scale, zero = scales.contiguous().view(torch.float16).chunk(2, dim=-1)
        return dequantise(codes, scale, zero, bits=self.bits, dtype=dtype)
