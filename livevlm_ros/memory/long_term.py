# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Long-term memory of one camera: what stays on the device of the frames that left short-term.

Storage is fixed: room for the budget and for the frames that arrive between two bucketings. Those
are device bytes too, so they are an eighth of the budget, but at least one frame and at most a
clip of LiveVLM's lineage.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from livevlm_ros.memory.bucketing import survivors
from livevlm_ros.memory.budgets import lane_capacity
from livevlm_ros.memory.shape import CacheShape
from livevlm_ros.memory.state import State, copied
from livevlm_ros.memory.tokens import Tokens, in_time_order


@dataclass(frozen=True, slots=True)
class LongTermChange:
    """
    What a step does to a lane, made in full before anything is written.

    :param tokens: that are written
    :param times: theirs, float64 [tokens]
    :param start: where: behind those held, or over all of them
    """

    tokens: Tokens
    times: Tensor
    start: int


class LongTerm:
    """
    One camera's tokens under a budget.

    `times` are seconds since the stream began, float64 [capacity], on the host.

    :param budget: tokens that bucketing keeps (M)
    :param page_tokens: tokens of a page: the budget is a number of whole pages
    :param whole_pages: whether the tokens of a page stay or go together, for an archive has
        them, or for they are frames with the text around them
    :param eviction: who stays, one of `EVICTIONS`
    """

    def __init__(
        self,
        shape: CacheShape,
        *,
        budget: int,
        page_tokens: int,
        whole_pages: bool,
        eviction: str,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._unit, self.eviction = page_tokens if whole_pages else 1, eviction
        self._page_tokens = page_tokens
        self._budget = budget // page_tokens * page_tokens
        self.capacity = lane_capacity(self._budget, tokens_per_frame=shape.tokens_per_frame)
        block = (shape.layers, shape.kv_heads, self.capacity, shape.head_dim)
        self._storage = Tokens(
            keys=torch.zeros(block, dtype=dtype, device=device),
            values=torch.zeros(block, dtype=dtype, device=device),
            ids=torch.zeros(self.capacity, dtype=torch.int64),
        )
        self._times = torch.zeros(self.capacity, dtype=torch.float64)
        self.count = 0

    @property
    def tokens(self) -> Tokens:
        """The tokens held, by time, views of the storage."""
        return self._storage.narrow(0, self.count)

    @property
    def nbytes(self) -> int:
        """Bytes of the storage, with ids and times."""
        storage = self._storage
        parts = (storage.keys, storage.values, storage.ids, self._times)
        return sum(part.nbytes for part in parts)

    def clear(self) -> None:
        """Forget every token; the storage stays."""
        self.count = 0

    def full_with(self, tokens: int) -> bool:
        """Return whether so many more tokens make bucketing due."""
        return self.count + tokens > self.capacity

    def stage(self, new: Tokens, times: Tensor, scores: Tensor | None) -> LongTermChange:
        """
        Work out what taking in tokens changes; nothing is written.

        :param new: tokens that left short-term, newer than those held
        :param times: their seconds since the stream began, float64 [new]
        :param scores: of the tokens held and the new ones, as `survivors` looks at them, float32
            [..., count + new], where bucketing is due
        """
        if not self.full_with(len(new)):
            return LongTermChange(new, times, self.count)
        held, unit = self.tokens, self._unit
        times = torch.cat((self._times[: self.count], times))
        scores = torch.zeros(len(times)) if scores is None else scores
        stay = survivors(
            self.eviction,
            scores.unflatten(-1, (-1, unit)).mean(dim=-1),
            times[::unit],
            budget=self._budget // unit,
        )
        index = (stay[:, None] * unit + torch.arange(unit)).flatten()
        old, young = index[index < len(held)], index[index >= len(held)] - len(held)
        kept = in_time_order([held.index_select(old), new.index_select(young)])
        return LongTermChange(kept, times[index], 0)

    def commit(self, change: LongTermChange) -> None:
        """Write what `stage` worked out."""
        self._storage.copy_(change.tokens, start=change.start)
        self.count = change.start + len(change.tokens)
        self._times[change.start : self.count] = change.times

    def forget(self, gone: Tensor) -> int:
        """
        Forget tokens, a mask bool [count]; returns how many.

        Those held are whole pages: without an archive, where pages are runs of single tokens, the
        oldest that make no page go with them.
        """
        stay = (~gone).nonzero()[:, 0]
        stay = stay[len(stay) % self._page_tokens :]
        before = self.count
        self.commit(LongTermChange(self.tokens.index_select(stay), self._times[stay], 0))
        return before - self.count

    def state(self) -> State:
        """Return copies of the tokens, to `restore`."""
        held = self.tokens
        parts = {'keys': held.keys, 'values': held.values, 'ids': held.ids}
        parts['times'] = self._times[: self.count]
        return State({name: copied(part) for name, part in parts.items()})

    def restore(self, state: State) -> None:
        """Hold the tokens that `state` gave, no more than there is room for, and no others."""
        tensors = dict(state.tensors)
        times = tensors.pop('times')
        self.count = 0
        self.commit(LongTermChange(Tokens(**tensors), times, 0))
