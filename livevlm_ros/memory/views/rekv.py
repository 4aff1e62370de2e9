# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
ReKV's question as its authors run it (arXiv 2503.00540 and its code), a baseline.

The newest frames have no place of their own: each layer ranks all frames by the dot product of the
question's mean query with their mean keys, heads side by side, and reads the best and nothing
else. The question goes through the layers twice: once to choose, once to be answered. The preset
`rekv` reads short-term beside what it found, ranks by shares of attention and needs one pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from livevlm_ros.memory.archive.means import page_means
from livevlm_ros.memory.retrieval import best_pages
from livevlm_ros.memory.tokens import Tokens, in_time_order
from livevlm_ros.memory.views.layerwise import LayerwiseView
from livevlm_ros.memory.views.question import QuestionView


class FramesOnlyView(LayerwiseView):
    """A question's view whose layers read nothing but the frames that each of them found."""

    def passes(self) -> Iterator[QuestionView]:
        """Give the view twice: the second pass reads what the layers chose in the first."""
        yield self
        self._length = list(self._past)
        self._rows.clear()
        yield self

    def _read(self, layer: int, q: Tensor) -> Tokens:
        if self.reading.only_ns is not None:
            return super()._read(layer, q)
        only, archive, frame = slice(layer, layer + 1), self._tiers.archive, self._size
        assert archive is not None
        ring = Tokens(self._ring.keys[only], self._ring.values[only], self._ring.ids)
        of_ring = page_means(ring.keys[0].float(), page_tokens=frame)
        with archive.lock:
            rows, means = self._archived(archive, layer, q)
            scores = dot_products(q, torch.cat((means, of_ring), dim=1))
            self.ranked = len(scores)
            chosen = best_pages(scores, self._most, above=-math.inf)
            there = chosen < len(rows)
            ids = archive.frames[rows[chosen[there]]]
            found = archive.read(ids, torch.zeros_like(ids), like=q, layer=layer)
        newest = chosen[~there] - len(rows)
        index = (newest[:, None] * frame + torch.arange(frame)).flatten()
        return in_time_order([found, ring.index_select(index)])


def dot_products(q: Tensor, means: Tensor) -> Tensor:
    """
    Score frames by the raw dot product of mean query and mean key, summed over the query heads.

    :param q: queries before rotary, [q_heads, tokens, head_dim]
    :param means: mean key of each frame, [kv_heads, frames, head_dim]
    :returns: [frames]
    """
    pooled = q.float().mean(1).unflatten(0, (len(means), -1)).sum(1)  # [kv_heads, head_dim]
    return torch.einsum('hd,hfd->f', pooled, means.float())
