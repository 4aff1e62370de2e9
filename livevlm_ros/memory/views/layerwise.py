# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Retrieval as the papers have it, a baseline: each layer finds its own pages by their mean keys.

LiveVLM's Position-agnostic KV Retrieval (arXiv 2505.15269 v2) ranks pages of long-term by the mean
of their keys before rotary, ReKV (arXiv 2503.00540) ranks frames; both pool the question to its
mean query. Their lineage sends the question through the model twice; here a layer finds its pages
when the question comes to it, in states that have read the pages of the layers below.
"""

from __future__ import annotations

import math
import time

import torch
from torch import Tensor

from livevlm_kernels.page_scores import page_scores
from livevlm_ros.memory.archive.archive import Archive
from livevlm_ros.memory.archive.means import page_means
from livevlm_ros.memory.filter import ReadFilter
from livevlm_ros.memory.retrieval import best_pages, tokens_of_pages
from livevlm_ros.memory.tiers import Tiers
from livevlm_ros.memory.tokens import Tokens, in_time_order, upload
from livevlm_ros.memory.views.evidence import EvidenceHeads
from livevlm_ros.memory.views.question import QuestionView
from livevlm_ros.memory.views.view import ReadBuffer


class LayerwiseView(QuestionView):
    """
    A question's view whose layers choose pages for themselves, when the question comes to them.

    :param page_tokens: tokens of a page
    :param most_pages: pages that a layer reads
    """

    def __init__(
        self,
        tiers: Tiers,
        buffer: ReadBuffer,
        *,
        room: int,
        reading: ReadFilter,
        evidence: EvidenceHeads,
        page_tokens: int,
        most_pages: int,
    ) -> None:
        self._size = page_tokens
        self._most = max(1, int(most_pages * reading.share))
        past = self._held(tiers)
        if reading.only_ns is None:
            past = min(past, most_pages * page_tokens)
        super().__init__(tiers, buffer, room=room, reading=reading, evidence=evidence, past=past)

    @staticmethod
    def _held(tiers: Tiers) -> int:
        if tiers.archive is not None:
            return len(tiers.archive) * tiers.shape.tokens_per_frame
        return sum(lane.count for lane in tiers.long_term)

    def _build(self, chosen: Tokens | None) -> None:
        """Leave it to the layers."""
        self._ids = [self._ring.ids[:0]] * self._tiers.shape.layers

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor | None:
        """Attend as `View.attend` says; before its first tokens a layer chooses what it reads."""
        if not self._length[layer]:
            began = time.monotonic()
            read = self._read(layer, q)
            self._write(slice(layer, layer + 1), [(read.keys, read.values)])
            self._ids[layer] = read.ids
            self.find_s += time.monotonic() - began
        return super().attend(layer, q, k, v)

    def _read(self, layer: int, q: Tensor) -> Tokens:
        """Return what a layer reads of the memory, by time."""
        only = slice(layer, layer + 1)
        ring = Tokens(self._ring.keys[only], self._ring.values[only], self._ring.ids)
        return in_time_order([self._find(layer, q), ring])

    def _find(self, layer: int, q: Tensor) -> Tokens:
        """Return the pages of a layer that its queries, [q_heads, tokens, head_dim], rank best."""
        tiers, archive = self._tiers, self._tiers.archive
        if archive is None:
            return self._of_long_term(layer, q)
        pages_a_frame = tiers.shape.tokens_per_frame // self._size
        with archive.lock:
            rows, means = self._archived(archive, layer, q)
            chosen = self._best(q, means, None)
            ids = archive.frames[rows[chosen // pages_a_frame]]
            places = chosen % pages_a_frame
            order = (ids * pages_a_frame + places).argsort()
            return archive.read(ids[order], places[order], like=q, layer=layer)

    def _archived(self, archive: Archive, layer: int, q: Tensor) -> tuple[Tensor, Tensor]:
        """Return the archive's frames that may be read, and the mean keys of their pages."""
        mask = self.reading.long_term_mask(archive.frames, self._tiers.ids)
        rows = torch.arange(len(archive)) if mask is None else mask.nonzero()[:, 0]
        assert archive.means is not None
        return rows, upload(archive.means.of_layer(layer, rows), q.device)

    def _of_long_term(self, layer: int, q: Tensor) -> Tokens:
        only = slice(layer, layer + 1)
        parts = [lane.tokens for lane in self._tiers.long_term]
        held = Tokens(
            torch.cat([part.keys[only] for part in parts], dim=2),
            torch.cat([part.values[only] for part in parts], dim=2),
            torch.cat([part.ids for part in parts]),
        )
        ids = self._tiers.ids
        mask = self.reading.long_term_mask(ids.frames(held.ids), ids)
        in_page = None if mask is None else mask.unflatten(0, (-1, self._size)).any(1)
        chosen = self._best(q, page_means(held.keys[0], page_tokens=self._size), in_page)
        index = tokens_of_pages(chosen, self._size)
        return in_time_order([held.index_select(index if mask is None else index[mask[index]])])

    def _best(self, q: Tensor, means: Tensor, allowed: Tensor | None) -> Tensor:
        """
        Return the pages that are read, ascending, int64 [pages] on the host.

        :param means: mean keys, [kv_heads, pages, head_dim] on the device
        :param allowed: pages that may be read, bool [pages] on the host; None: all
        """
        pages = self.ranked = means.shape[1]
        if not pages or self.reading.only_ns is not None:
            return torch.arange(pages) if allowed is None else allowed.nonzero()[:, 0]
        there = None if allowed is None else upload(allowed, q.device)
        pooled = q.mean(dim=1, keepdim=True)
        scores = page_scores(pooled, means.transpose(0, 1), mask=there).mean(dim=0)
        if there is not None:
            scores = scores.masked_fill(~there, -math.inf)
        return best_pages(scores, self._most, above=-math.inf)
