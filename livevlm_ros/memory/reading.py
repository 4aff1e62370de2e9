# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tokens of one layer on their way into a read view, from whichever tier they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from livevlm_ros.memory.shape import CacheShape


@dataclass(frozen=True, slots=True)
class Piece:
    """
    Tokens of one layer.

    :param keys: before rotary, [kv_heads, tokens, head_dim]
    :param values: shaped like `keys`
    :param names: int64 [tokens], or [kv_heads, tokens] where each head has tokens of its own; see
        `TokenNames`
    """

    keys: Tensor
    values: Tensor
    names: Tensor

    def __len__(self) -> int:
        return self.names.shape[-1]

    def span(self, first: int, last: int) -> Piece:
        """Return views of the tokens from `first` to one before `last`."""
        return Piece(self.keys[:, first:last], self.values[:, first:last], self.names[first:last])

    def like(self, other: Tensor) -> Piece:
        """Return the tokens on the device, and keys and values in the type, of a tensor."""
        keys, values = (part.to(other.device, other.dtype) for part in (self.keys, self.values))
        return Piece(keys, values, self.names.to(other.device))

    def picked(self, picks: Tensor) -> Piece:
        """
        Return copies of chosen tokens, in the order of `picks`.

        :param picks: int64 [chosen], or [kv_heads, chosen] where each head has its own
        """
        if picks.dim() == 1:
            return Piece(
                self.keys.index_select(1, picks),
                self.values.index_select(1, picks),
                self.names.index_select(-1, picks),
            )
        wide = picks[..., None].expand(-1, -1, self.keys.shape[2])
        names = self.names.expand(len(picks), -1)
        return Piece(
            self.keys.gather(1, wide), self.values.gather(1, wide), names.gather(1, picks)
        )

    def with_heads_of(self, other: Piece, heads: Tensor) -> Piece:
        """
        Return these tokens, but another piece's in some heads.

        :param other: as many tokens
        :param heads: bool [kv_heads]
        """
        own = heads[:, None, None]
        return Piece(
            torch.where(own, other.keys, self.keys),
            torch.where(own, other.values, self.values),
            torch.where(heads[:, None], other.names, self.names),
        )


def in_time_order(pieces: Sequence[Piece]) -> tuple[Piece, Tensor | None]:
    """
    Put pieces together, tokens sorted by name.

    :returns: the tokens, and where in the pieces, laid end to end, each comes from; None where
        that is the order they are in
    """
    if len(pieces) == 1:
        return pieces[0], None
    names = [piece.names for piece in pieces]
    if any(part.dim() == 2 for part in names):
        names = [
            part.expand(len(piece.keys), -1) for part, piece in zip(names, pieces, strict=True)
        ]
    joined = Piece(
        torch.cat([piece.keys for piece in pieces], dim=1),
        torch.cat([piece.values for piece in pieces], dim=1),
        torch.cat(names, dim=-1),
    )
    order = joined.names.argsort(dim=-1)
    return joined.picked(order), order


class ReadBuffer:
    """Rotated keys and values of one view at a time, reused by the next one."""

    def __init__(
        self, shape: CacheShape, *, layers: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        block = (layers, shape.kv_heads, 0, shape.head_dim)
        self.keys = self.values = torch.empty(block, dtype=dtype, device=device)

    @property
    def nbytes(self) -> int:
        """Bytes of the buffer."""
        return self.keys.nbytes + self.values.nbytes

    def reserve(self, tokens: int) -> None:
        """Make room for `tokens`; what the buffer held is lost when it grows."""
        layers, heads, room, width = self.keys.shape
        if tokens > room:
            self.keys = self.keys.new_empty(layers, heads, max(tokens, room * 3 // 2), width)
            self.values = torch.empty_like(self.keys)
