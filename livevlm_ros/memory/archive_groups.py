# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How a group of archived tokens lies in bytes, in RAM and on disk alike.

Head-major, as FreeKV lays out its host pool (arXiv 2505.13109): a head's keys and values of a page
lie next to each other, so a recall moves few long runs instead of many short ones. The scales of a
head follow its codes, so a group is one record that tiers copy as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from livevlm_ros.memory.quantise import GROUP, dequantise, group_bytes, quantise, to_half
from livevlm_ros.memory.shape import CacheShape


@dataclass(frozen=True, slots=True)
class GroupLayout:
    """
    The record of a group: uint8 [layers, kv_heads, 2, block], the 2 for keys and values.

    :param page_tokens: tokens of a page; a group is as many whole pages as fit into `GROUP`
        tokens, at least one
    :param bits: of a number: 4, 8, or 16 for float16 as it is
    """

    shape: CacheShape
    page_tokens: int
    bits: int

    @property
    def pages(self) -> int:
        """Pages of a group."""
        return max(1, GROUP // self.page_tokens)

    @property
    def tokens(self) -> int:
        """Tokens of a group."""
        return self.pages * self.page_tokens

    @property
    def record(self) -> tuple[int, int, int, int]:
        """Shape of a record."""
        block = group_bytes(tokens=self.tokens, dim=self.shape.head_dim, bits=self.bits)
        return self.shape.layers, self.shape.kv_heads, 2, block

    @property
    def record_bytes(self) -> int:
        """Bytes of a record."""
        return prod(self.record)

    @property
    def _code_bytes(self) -> int:
        return self.tokens * self.shape.head_dim * self.bits // 8

    def encode(self, keys: Tensor, values: Tensor) -> Tensor:
        """
        Make a record of a group.

        :param keys: before rotary, [layers, kv_heads, tokens, head_dim]
        :param values: shaped like `keys`
        """
        both = torch.stack((keys, values), dim=2)  # [layers, kv_heads, 2, tokens, head_dim]
        if self.bits == 16:
            return to_half(both).view(torch.uint8).flatten(3)
        codes, scale, zero = quantise(both, bits=self.bits)
        scales = torch.cat((scale, zero), dim=-1).view(torch.uint8)
        return torch.cat((codes.flatten(3), scales), dim=-1)

    def decode(
        self, records: Tensor, *, layer: int, groups: Tensor, pages: Tensor, heads: Tensor
    ) -> Tensor:
        """
        Read pages of one layer.

        :param records: uint8 [groups, *record]
        :param groups: group of each page wanted, int64 [wanted]
        :param pages: its place in that group, int64 [wanted]
        :param heads: kv heads that are read, int64 [heads]
        :returns: float32 [wanted, heads, 2, page_tokens, head_dim]
        """
        of_layer = records[:, layer]  # [groups, kv_heads, 2, block]
        codes = of_layer[..., : self._code_bytes].unflatten(-1, (self.pages, self.page_tokens, -1))
        codes = codes[groups[:, None], heads, :, pages[:, None]]
        if self.bits == 16:
            return codes.view(torch.float16).float()
        scales = of_layer[..., self._code_bytes :][groups[:, None], heads].view(torch.float16)
        scale, zero = scales.chunk(2, dim=-1)
        return dequantise(codes, scale, zero, bits=self.bits, dtype=torch.float32)
