# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Long-term memory of one camera: the tokens that stay of the frames that left short-term.

Which tokens stay differs by layer, how many does not. Storage is fixed: room for the budget and
for the frames that arrive between two bucketings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from livevlm_ros.memory.eviction import survivors
from livevlm_ros.memory.reading import Piece
from livevlm_ros.memory.shape import CacheShape

BUCKETING_FRAMES = 8
"""Frames that arrive between two bucketings: a clip of LiveVLM's lineage."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """
    Cached tokens of every layer, by time.

    :param keys: before rotary, [layers, kv_heads, tokens, head_dim]
    :param values: shaped like `keys`
    :param names: int64 [layers, tokens]; see `TokenNames`
    :param times: seconds since the stream began, float64 [layers, tokens]
    :param scores: attention from later frames, float32 [layers, tokens]
    """

    keys: Tensor
    values: Tensor
    names: Tensor
    times: Tensor
    scores: Tensor

    @property
    def count(self) -> int:
        """Tokens of a layer."""
        return self.names.shape[1]

    def span(self, first: int, last: int) -> Tokens:
        """Return views of the tokens from `first` to one before `last`."""
        return self._map(lambda tokens, axis: tokens.narrow(axis, first, last - first))

    def picked(self, picks: Tensor) -> Tokens:
        """Return copies of chosen tokens, `picks` int64 [layers, chosen]."""

        def pick(tokens: Tensor, axis: int) -> Tensor:
            if axis == 1:
                return tokens.gather(1, picks)
            wide = picks[:, None, :, None].expand(-1, tokens.shape[1], -1, tokens.shape[3])
            return tokens.gather(2, wide)

        return self._map(pick)

    def copy_from(self, other: Tokens, *, first: int) -> None:
        """Write other tokens over those from `first` on."""
        for mine, theirs, axis in zip(self._parts(), other._parts(), _AXES, strict=True):
            mine.narrow(axis, first, other.count).copy_(theirs)

    @property
    def nbytes(self) -> int:
        """Bytes of all of it."""
        return sum(part.nbytes for part in self._parts())

    def _parts(self) -> tuple[Tensor, ...]:
        return self.keys, self.values, self.names, self.times, self.scores

    def _map(self, change: Callable[[Tensor, int], Tensor]) -> Tokens:
        return Tokens(*(change(p, axis) for p, axis in zip(self._parts(), _AXES, strict=True)))


_AXES = (2, 2, 1, 1, 1)  # of the tokens, in the order of Tokens' fields


class LongTerm:
    """
    One camera's tokens under a budget.

    :param budget: tokens of a layer that bucketing keeps (M)
    :param eviction: who stays, one of `EVICTIONS`
    :param drop: takes the tokens that lose their place, in time order; None: they are gone
    """

    def __init__(
        self,
        shape: CacheShape,
        *,
        budget: int,
        eviction: str,
        device: torch.device,
        dtype: torch.dtype,
        drop: Callable[[Tokens], None] | None = None,
    ) -> None:
        self._budget, self._eviction, self._drop = budget, eviction, drop
        capacity = budget + BUCKETING_FRAMES * shape.tokens_per_frame
        block = (shape.layers, shape.kv_heads, capacity, shape.head_dim)
        row = (shape.layers, capacity)
        self._storage = Tokens(
            keys=torch.zeros(block, dtype=dtype, device=device),
            values=torch.zeros(block, dtype=dtype, device=device),
            names=torch.zeros(row, dtype=torch.int64, device=device),
            times=torch.zeros(row, dtype=torch.float64, device=device),
            scores=torch.zeros(row, device=device),
        )
        self._count = 0

    @property
    def tokens(self) -> Tokens:
        """The tokens held, views of the storage."""
        return self._storage.span(0, self._count)

    @property
    def count(self) -> int:
        """Tokens of a layer."""
        return self._count

    @property
    def capacity(self) -> int:
        """Tokens of a layer that there is room for."""
        return self._storage.count

    @property
    def nbytes(self) -> int:
        """Bytes of the storage."""
        return self._storage.nbytes

    def clear(self) -> None:
        """Forget every token; the storage stays."""
        self._count = 0

    def piece(self, layer: int) -> Piece:
        """Return a layer's tokens, views of the storage."""
        held = self.tokens
        return Piece(held.keys[layer], held.values[layer], held.names[layer])

    def full_with(self, tokens: int) -> bool:
        """Return whether so many more tokens make bucketing due."""
        return self._count + tokens > self._storage.count

    def add(self, tokens: Tokens) -> None:
        """Take the tokens of a frame, the newest so far; bucket when there is no room for more."""
        if self.full_with(tokens.count):
            self._bucket()
        self._storage.copy_from(tokens, first=self._count)
        self._count += tokens.count

    def _bucket(self) -> None:
        held = self.tokens
        stay = survivors(self._eviction, held.scores, held.times, budget=self._budget)
        if self._drop is not None:
            leaves = torch.ones_like(held.names, dtype=torch.bool).scatter_(1, stay, False)
            layers = leaves.shape[0]
            self._drop(held.picked(leaves.nonzero()[:, 1].view(layers, -1)))
        kept = held.picked(stay)
        self._storage.copy_from(kept, first=0)
        self._count = kept.count
