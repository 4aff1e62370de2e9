# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The view of a step: its tokens read all of the device's memory and become part of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from livevlm_ros.memory.bucketing import WINDOW, window_scores
from livevlm_ros.memory.tiers import Tiers
from livevlm_ros.memory.tokens import upload
from livevlm_ros.memory.views.view import ReadBuffer, ReadView

Keep = Callable[[Tensor, Tensor, Tensor | None], None]


class Written(NamedTuple):
    """
    What a step wrote.

    :param keys: before rotary, [layers, kv_heads, tokens, head_dim]
    :param values: shaped like `keys`
    :param scores: of what was read, lane after lane of long-term, then short-term; None: bucketing
        was not due
    """

    keys: Tensor
    values: Tensor
    scores: Tensor | None


class StepView(ReadView):
    """
    What a step's tokens read and, once committed, become part of.

    They read the frames held when the step was taken, whatever their stamps; see `Memory.step`.

    :param tokens: of the step, at most
    :param keep: takes the step's keys and values, [layers, kv_heads, tokens, head_dim], at
        `commit`, and the scores of what was read, lane after lane of long-term, then short-term
    :param scored: whether the step's queries score what they read, because bucketing is due
    :param text: whether the tokens are text, those of the prefix
    """

    def __init__(
        self,
        tiers: Tiers,
        buffer: ReadBuffer,
        *,
        tokens: int,
        keep: Keep,
        scored: bool = False,
        text: bool = False,
    ) -> None:
        lanes, ring = tiers.long_term, tiers.short_term
        held = sum(lane.count for lane in lanes)
        past = held + len(ring) * tiers.shape.tokens_per_frame
        super().__init__(tiers, buffer, past=past, room=tokens, text=text)
        self._keep, self._scored, self._next = keep, scored, 0
        self._keys = self._values = buffer.keys[:0]
        self._scores = torch.zeros(past, device=buffer.keys.device)
        self._order, self._slots = self._in_time_order(), ring.slots()

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor | None:
        """Attend as `View.attend` says, layer after layer, all tokens of the step at once."""
        if layer != self._next:
            raise ValueError(
                f'a step reads each layer once, expected layer {self._next}, got {layer}'
            )
        if not layer:
            self._keys = k.new_empty(self._tiers.shape.layers, *k.shape)
            self._values = torch.empty_like(self._keys)
        self._next += 1
        self._keys[layer].copy_(k)
        self._values[layer].copy_(v)
        last = self._next == self._tiers.shape.layers
        if last and not self._scored:
            return None
        self._write(slice(layer, layer + 1), self._parts(layer))
        rotated, keys, values = self._append(layer, q, k, v)
        if self._scored:
            self._score(rotated, keys)
        return None if last else self._attention(rotated, keys, values)

    def commit(self) -> Written:
        """Keep the step's tokens; call it once, when every layer has attended."""
        layers = self._tiers.shape.layers
        if self._next != layers:
            raise RuntimeError(f'{self._next} of {layers} layers have attended')
        scores = self._scores.cpu() / layers if self._scored else None
        written = Written(self._keys, self._values, scores)
        self.keep(written)
        return written

    def keep(self, written: Written) -> None:
        """Keep what a step wrote, such as one over the same memory before."""
        self._keep(*written)

    def _in_time_order(self) -> Tensor | None:
        """Return the order in which lanes of long-term and short-term are read; None: as is."""
        tiers = self._tiers
        if len(tiers.long_term) < 2:
            return None  # the ring of one camera is newer than all that left it
        ring = [tiers.ids.of_frame(ref) for ref in tiers.short_term.refs()]
        ids = torch.cat([*(lane.tokens.ids for lane in tiers.long_term), *ring])
        return upload(ids.argsort(), self._buffer.keys.device)

    def _parts(self, layer: int) -> list[tuple[Tensor, Tensor]]:
        """Return what a layer reads besides the prefix, by time."""
        held = [lane.tokens for lane in self._tiers.long_term]
        parts = [(part.keys[layer], part.values[layer]) for part in held]
        parts.append(self._tiers.short_term.layer(layer, self._slots))
        if self._order is not None:
            keys, values = (torch.cat(side, dim=1) for side in zip(*parts, strict=True))
            parts = [(keys.index_select(1, self._order), values.index_select(1, self._order))]
        return [(keys[None], values[None]) for keys, values in parts]

    def _score(self, q: Tensor, keys: Tensor) -> None:
        """Add the latest vision queries' attention on what the layer read of the memory."""
        first, past = self._tiers.prefix_tokens, self._past[self._next - 1]
        own = self._own(keys.shape[1])
        voters = None if own is None else own[-WINDOW:]
        scores = window_scores(q[:, -WINDOW:], keys, first=first, last=past, own=voters)
        if self._order is not None:
            scores = torch.empty_like(scores).scatter_(0, self._order, scores)
        self._scores += scores

    def _buffered(self, layers: slice) -> tuple[Tensor, Tensor]:
        """One layer's room suffices: a step visits each layer once."""
        return self._buffer.keys[:1], self._buffer.values[:1]
