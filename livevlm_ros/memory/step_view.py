# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The view of a step: its tokens read all of the device's memory and become part of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from livevlm_ros.memory.bucketing import WINDOW, window_scores
from livevlm_ros.memory.reading import Piece, ReadBuffer, in_time_order
from livevlm_ros.memory.view import Parts, ReadView


class StepView(ReadView):
    """
    What a step's tokens read and, once committed, become part of.

    They read the frames held when the step was taken, whatever their stamps; see `Memory.step`.

    :param keep: takes the step's keys and values at `commit`
    :param scored: whether the step's queries score the tokens they read, because bucketing is due
    """

    def __init__(
        self,
        parts: Parts,
        buffer: ReadBuffer,
        *,
        room: int,
        keep: Callable[[Tensor, Tensor], None],
        scored: bool = False,
    ) -> None:
        ring = parts.short_term
        self._slots = ring.slots()
        long_term = sum(lane.count for lane in parts.long_term)
        past = long_term + len(self._slots) * parts.shape.tokens_per_frame
        super().__init__(parts, buffer, past=past, room=room)
        self._keep, self._scored = keep, scored
        self._order: Tensor | None = None
        self._new: list[tuple[Tensor, Tensor]] = []
        self._scores: list[Tensor] = []

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend as `View.attend` says, layer after layer, all tokens of the step at once."""
        if layer != len(self._new):
            raise ValueError(
                f'a step reads each layer once, expected layer {len(self._new)}, got {layer}'
            )
        self._new.append((k, v))
        rotated, keys, values = self._extend(layer, q, k, v)
        if self._scored:
            self._score(rotated, keys)
        return self._attention(rotated, keys, values)

    def commit(self) -> None:
        """Keep the step's tokens; call it once, when every layer has attended."""
        if len(self._new) != self._parts.shape.layers:
            raise RuntimeError(
                f'{len(self._new)} of {self._parts.shape.layers} layers have attended'
            )
        if self._scored:
            self._hand_out_scores(torch.stack(self._scores))
        keys, values = zip(*self._new, strict=True)
        self._keep(torch.stack(keys), torch.stack(values))

    def _pieces(self, layer: int, q: Tensor) -> Sequence[Piece]:
        parts = self._parts
        lanes = [lane.piece(layer) for lane in parts.long_term if lane.count]
        pieces = [*lanes, parts.ring(layer, self._slots)]
        if len(parts.long_term) < 2:
            return pieces  # the ring of one camera is newer than all that left it
        joined, self._order = in_time_order(pieces)
        return [joined]

    def _score(self, q: Tensor, keys: Tensor) -> None:
        """Take the latest vision queries' attention on what the layer read of the memory."""
        prefix, last = self._parts.prefix_tokens, keys.shape[1] - q.shape[1]
        scores = window_scores(q[:, -WINDOW:], keys, first=prefix, last=last)
        if self._order is not None:
            scores = torch.empty_like(scores).scatter_(0, self._order, scores)
        self._scores.append(scores)

    def _hand_out_scores(self, scores: Tensor) -> None:
        """Give each tier its tokens' scores, [layers, tokens read]."""
        first = 0
        for lane in self._parts.long_term:
            lane.tokens.scores.copy_(scores[:, first : first + lane.count])
            first += lane.count
        ring = self._parts.short_term
        per_frame = scores[:, first:].unflatten(1, (-1, self._parts.shape.tokens_per_frame))
        ring.scores.index_copy_(1, self._slots, per_frame)

    def _buffer_of(self, layer: int) -> tuple[Tensor, Tensor]:
        """One layer's room suffices: a step visits each layer once."""
        return self._buffer.keys[0], self._buffer.values[0]
