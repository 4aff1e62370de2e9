# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Long-term memory of one camera: the tokens that stay of the frames that left short-term.

Which tokens stay differs by layer, how many does not. Storage is fixed: room for the budget and
for the frames that arrive between two bucketings. Those are device bytes too, so they are an
eighth of the budget, but at least one frame and at most a clip of LiveVLM's lineage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from livevlm_ros.memory.eviction import survivors
from livevlm_ros.memory.naming import TokenNames
from livevlm_ros.memory.reading import Piece
from livevlm_ros.memory.shape import CacheShape
from livevlm_ros.memory.short_term import Leaving
from livevlm_ros.memory.snapshot import State, copied

MOST_FRAMES_BETWEEN = 8
"""Most frames that arrive between two bucketings: a clip of LiveVLM's lineage."""

BUDGET_PER_FRAME_BETWEEN = 8
"""Frames' worth of budget for each of them: the room beside the budget is an eighth of it."""


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
            rows = zip(
                tokens, picks, strict=True
            )  # whole vectors move, which a gather does not see
            return torch.stack([layer.index_select(1, chosen) for layer, chosen in rows])

        return self._map(pick)

    def copied(self) -> Tokens:
        """Return copies of all of them."""
        return self._map(lambda tokens, axis: tokens.clone())

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


def tokens_of(leaving: Leaving, names: TokenNames) -> Tokens:
    """
    Return views of the tokens of a frame that leaves short-term, with their names and times.

    A token's time is its frame's stamp plus its place in the frame, spread over the gap to the
    camera's next frame.
    """
    ref, (layers, tokens) = leaving.ref, leaving.scores.shape
    device = leaving.keys.device
    since_s = (ref.stamp_ns - (names.origin_ns or 0)) / 1e9
    gap_s = (leaving.next_ns - ref.stamp_ns) / 1e9
    within = torch.arange(tokens, dtype=torch.float64, device=device) / tokens
    return Tokens(
        keys=leaving.keys,
        values=leaving.values,
        names=names.of_frame(ref).to(device).expand(layers, -1),
        times=(since_s + within * gap_s).expand(layers, -1),
        scores=leaving.scores,
    )


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
        frame = shape.tokens_per_frame
        capacity = budget + frame * frames_between(budget, tokens_per_frame=frame)
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

    def state(self) -> State:
        """Return copies of the tokens, to `restore`."""
        held = self.tokens
        return State({part.name: copied(getattr(held, part.name)) for part in fields(held)})

    def restore(self, state: State) -> None:
        """Hold the tokens that `state` gave, no more than there is room for, and no others."""
        self._count = state.tensors['names'].shape[1]
        self.tokens.copy_from(Tokens(**state.tensors), first=0)

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


def frames_between(budget: int, *, tokens_per_frame: int) -> int:
    """Return how many frames arrive between two bucketings to a budget of so many tokens."""
    eighth = -(-budget // (BUDGET_PER_FRAME_BETWEEN * tokens_per_frame))  # rounded up
    return min(max(eighth, 1), MOST_FRAMES_BETWEEN)
