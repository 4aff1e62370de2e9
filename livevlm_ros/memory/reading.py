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
    :param names: int64 [tokens]; see `TokenNames`
    """

    keys: Tensor
    values: Tensor
    names: Tensor

    def __len__(self) -> int:
        return len(self.names)

    def span(self, first: int, last: int) -> Piece:
        """Return views of the tokens from `first` to one before `last`."""
        return Piece(self.keys[:, first:last], self.values[:, first:last], self.names[first:last])

    def like(self, other: Tensor) -> Piece:
        """Return the tokens on the device, and keys and values in the type, of a tensor."""
        keys, values = (part.to(other.device, other.dtype) for part in (self.keys, self.values))
        return Piece(keys, values, self.names.to(other.device))

    def picked(self, picks: Tensor) -> Piece:
        """Return copies of chosen tokens, in the order of `picks`, int64 [chosen]."""
        return Piece(
            self.keys.index_select(1, picks),
            self.values.index_select(1, picks),
            self.names.index_select(0, picks),
        )


def in_time_order(pieces: Sequence[Piece]) -> tuple[Piece, Tensor | None]:
    """
    Put pieces together, tokens sorted by name.

    :returns: the tokens, and where in the pieces, laid end to end, each comes from; None where
        that is the order they are in
    """
    if len(pieces) == 1:
        return pieces[0], None
    joined = Piece(
        torch.cat([piece.keys for piece in pieces], dim=1),
        torch.cat([piece.values for piece in pieces], dim=1),
        torch.cat([piece.names for piece in pieces]),
    )
    order = joined.names.argsort()
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
