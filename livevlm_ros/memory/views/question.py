# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The views of a question: a probe that yields what chooses pages, and what it is answered by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from livevlm_ros.memory.filter import ReadFilter
from livevlm_ros.memory.shape import FrameRef
from livevlm_ros.memory.tiers import Tiers
from livevlm_ros.memory.tokens import Tokens, in_time_order
from livevlm_ros.memory.views.evidence import EvidenceHeads, attention_row, frame_shares
from livevlm_ros.memory.views.view import ReadBuffer, ReadView


class QuestionView(ReadView):
    """
    What a question and its answer read, the same in every layer: none of it is changed.

    `queries` are those of the question before rotary, [q_heads, tokens, head_dim] by layer, of
    `choosing` layers. Pages were chosen from `ranked` ones, which took `rank_s` seconds, or
    `find_s` where layers choose while they read; they were `speculated` if they were chosen before
    the question came. `complete` says whether all frames that had left short-term could be read,
    `waited_s` how long the question waited for that.

    :param room: tokens of the question and its answer together
    :param reading: what may be read
    :param evidence: heads that evidence is read from
    :param choosing: layers whose queries choose pages
    :param chosen: tokens read of what left short-term; None: none
    """

    def __init__(
        self,
        tiers: Tiers,
        buffer: ReadBuffer,
        *,
        room: int,
        reading: ReadFilter,
        evidence: EvidenceHeads,
        choosing: Sequence[int] = (),
        chosen: Tokens | None = None,
        past: int | None = None,
    ) -> None:
        refs = tiers.short_term.refs()
        indices = reading.short_term_indices(refs)
        self._ring = tiers.short_term.tokens(None if len(indices) == len(refs) else indices)
        found = len(chosen) if chosen is not None else 0
        super().__init__(
            tiers, buffer, past=(found if past is None else past) + len(self._ring), room=room
        )
        self.reading, self.complete = reading, True
        self.queries: dict[int, Tensor] = {}
        self.ranked, self.speculated = 0, False
        self.rank_s, self.find_s, self.waited_s = 0.0, 0.0, 0.0
        self._evidence, self._choosing = evidence, frozenset(choosing)
        self._ids: list[Tensor] = []  # of the tokens read of the memory, by layer
        self._rows: dict[int, Tensor] = {}
        self._build(chosen)

    def _build(self, chosen: Tokens | None) -> None:
        """Write what all layers read at once."""
        parts = [self._ring] if chosen is None else [chosen, self._ring]
        parts = [part for part in parts if len(part)]
        if len(parts) > 1 and not bool(parts[0].ids[-1] < parts[1].ids[0]):
            parts = [in_time_order(parts)]  # cameras whose frames left at different times
        self._write(slice(None), [(part.keys, part.values) for part in parts])
        ids = torch.cat([part.ids for part in parts]) if parts else self._ring.ids
        self._ids = [ids] * self._tiers.shape.layers

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor | None:
        """Attend as `View.attend` says."""
        if layer in self._choosing and layer not in self.queries:
            self.queries[layer] = q
        rotated, keys, values = self._append(layer, q, k, v)
        if layer in self._evidence and layer not in self._rows:
            self._rows[layer] = attention_row(rotated[:, -1], keys, self._evidence.of(layer))
        return self._attention(rotated, keys, values)

    def passes(self) -> Iterator[QuestionView]:
        """Give the view as often as the question is read over it."""
        yield self

    def ids(self, layer: int) -> Tensor:
        """Return the ids of the tokens that a layer reads of the memory, by time."""
        return self._ids[layer]

    @property
    def tokens_read(self) -> list[int]:
        """Tokens of the memory that each layer reads, the prefix not among them."""
        return [len(ids) for ids in self._ids]

    def frames(self) -> list[FrameRef]:
        """Frames of which the evidence layers have read a token, by time."""
        layers = sorted(self._rows)
        if not layers:
            return []
        ids = torch.cat([self._ids[layer] for layer in layers])
        found = self._tiers.ids.frames(ids).unique().tolist()
        return [self._tiers.refs[frame] for frame in found if frame in self._tiers.refs]

    def evidence(self) -> list[tuple[FrameRef, float]]:
        """Frames and their share of the attention on frames, best first, after the question."""
        first, tiers = self._tiers.prefix_tokens, self._tiers
        rows = [
            (tiers.ids.frames(self._ids[layer]), row[first : first + len(self._ids[layer])])
            for layer, row in self._rows.items()
        ]
        return [
            (tiers.refs[frame], share)
            for frame, share in frame_shares(rows)
            if frame in tiers.refs
        ]


class ProbeView(QuestionView):
    """What a question reads to choose its pages: prefix and short-term, up to the last chooser."""

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor | None:
        """Attend as `View.attend` says; the last layer that chooses ends the read."""
        if layer in self._choosing:
            self.queries[layer] = q
        if layer == max(self._choosing):
            return None
        return self._attention(*self._append(layer, q, k, v))
