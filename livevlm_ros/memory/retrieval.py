# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Retrieval: which pages of what left short-term a question reads, chosen once for all layers.

A probe sends the question through the model over prefix and short-term, and yields the queries of
the heads that choose for each of its tokens. A page is worth what its best token gets of their
attention, before rotary: the best head and the best token of the question count, and layers are
averaged. Means of a page's keys, pooled queries and a choice by each layer for itself, as LiveVLM
and ReKV have them (`layerwise.py`), find little on a model that was not taught to look things up.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from livevlm_ros.memory.archive.archive import Archive
from livevlm_ros.memory.archive.sketch import RANKED_FRAMES
from livevlm_ros.memory.filter import ReadFilter
from livevlm_ros.memory.settings import RetrievalSettings
from livevlm_ros.memory.tiers import Tiers
from livevlm_ros.memory.tokens import Tokens, in_time_order, upload

LOGIT_BYTES = 2**26
"""Of a layer's logits at a time, so that a long question asks for no more."""

BLOCK_TOKENS = 2048
"""Tokens per block of logits on a CPU, so that a block stays in its cache."""


def page_scores(
    queries: Mapping[int, Tensor],
    keys: Callable[[int], Tensor],
    *,
    page_tokens: int,
    allowed: Tensor | None = None,
) -> Tensor:
    """
    Say how much a question wants each page.

    :param queries: of the heads that choose, by layer, scaled, [kv_heads, rows, head_dim]: a row
        for each head of the kv head's group and token of the question
    :param keys: gives a layer's keys before rotary, float32 [kv_heads, tokens, head_dim]
    :param allowed: tokens that may be read, bool [tokens], where the keys are; None: all
    :returns: float32 [pages], above 0, at most 1; 0 for pages without such a token
    """
    total: Tensor | float = 0.0
    hidden = None if allowed is None else ~allowed
    for layer, rows in queries.items():
        shares = best_shares(rows, keys(layer), hidden)
        total = total + shares.unflatten(0, (-1, page_tokens)).amax(1)
    assert isinstance(total, Tensor)
    return total / len(queries)


def best_shares(rows: Tensor, keys: Tensor, hidden: Tensor | None = None) -> Tensor:
    """
    Return the largest attention that any row of any head pays each token.

    :param rows: [kv_heads, rows, head_dim]; a kv head whose rows are NaN does not count
    :param keys: [kv_heads, tokens, head_dim]
    :param hidden: tokens that get none, bool [tokens], where the keys are
    :returns: [tokens]
    """
    at_once = max(1, LOGIT_BYTES // (4 * keys.shape[0] * keys.shape[1]))
    logs = [_best_logs(part, keys, hidden) for part in rows.split(at_once, dim=1)]
    return torch.stack(logs).amax(0).exp()


def _best_logs(rows: Tensor, keys: Tensor, hidden: Tensor | None) -> Tensor:
    """Return the logs of `best_shares`."""
    size = keys.shape[1] if keys.is_cuda else BLOCK_TOKENS
    logits, sums = [], []  # of each block
    for start, block in zip(range(0, keys.shape[1], size), keys.split(size, dim=1), strict=True):
        found = rows @ block.transpose(1, 2)  # [kv_heads, rows, tokens]
        if hidden is not None:
            found.masked_fill_(hidden[start : start + size], -math.inf)
        logits.append(found)
        sums.append(_log_sum(found))
    total = torch.cat(sums, 2).logsumexp(2, keepdim=True)
    best = torch.cat([found.sub_(total).amax(1) for found in logits], dim=1)
    return best.nan_to_num(-math.inf, neginf=-math.inf).amax(0)


def _log_sum(logits: Tensor) -> Tensor:
    """Return `logits.logsumexp(2, keepdim=True)`, in two thirds of its time on a CPU."""
    peak, share = logits.amax(2, keepdim=True), logits.log_softmax(2).amax(2, keepdim=True)
    return (peak - share).nan_to_num(-math.inf, neginf=-math.inf)  # hidden blocks


def scaled_rows(q: Tensor, heads: Sequence[int] | None, *, kv_heads: int) -> Tensor:
    """
    Lay out a layer's queries for ranking: a row for each choosing head and question token.

    :param q: before rotary, [q_heads, tokens, head_dim]
    :param heads: query heads that choose; None: all
    :returns: float32 [kv_heads, rows, head_dim]; heads that do not choose repeat one that does, or
        are NaN where none of the kv head's group chooses
    """
    grouped = q.float().unflatten(0, (kv_heads, -1)) * q.shape[-1] ** -0.5
    if heads is None:
        return grouped.flatten(1, 2)
    group = grouped.shape[1]
    rows = torch.full_like(grouped, math.nan)
    for kv_head in range(kv_heads):
        own = [head % group for head in heads if head // group == kv_head]
        if own:
            for row, head in enumerate((own * group)[:group]):  # a list as index waits for a GPU
                rows[kv_head, row] = grouped[kv_head, head]
    return rows.flatten(1, 2)


@dataclass(frozen=True, slots=True)
class Choice:
    """
    What a question reads of the frames that left short-term, the same in every layer.

    :param tokens: in order of time
    :param ranked: pages they were chosen from
    :param rank_s: seconds that ranking those took
    """

    tokens: Tokens
    ranked: int = 0
    rank_s: float = 0.0


class Retrieval:
    """
    Chooses pages and reads them.

    :param settings: of the checkpoint
    :param frames: frames' worth of tokens that a question reads
    """

    def __init__(
        self,
        tiers: Tiers,
        settings: RetrievalSettings,
        *,
        frames: int,
    ) -> None:
        self._shape, self._settings, self._ids = tiers.shape, settings, tiers.ids
        self._long_term, self._archive = tiers.long_term, tiers.archive
        self._like = tiers.prefix_keys[:0]
        self.layers = settings.layers(tiers.shape)
        self.most_pages = frames * tiers.shape.tokens_per_frame // settings.page_tokens

    def held(self) -> int:
        """Return how many tokens there are to read."""
        if self._archive is not None:
            return len(self._archive) * self._shape.tokens_per_frame
        return sum(lane.count for lane in self._long_term)

    @property
    def pages_to_rank(self) -> int:
        """How many pages a question would rank by their keys now."""
        most = self.held()
        if self._archive is not None and self._sketched(self._archive):
            most = min(most, RANKED_FRAMES * self._shape.tokens_per_frame)
        return most // self._settings.page_tokens

    def rows(self, queries: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """Lay out a probe's queries, [q_heads, tokens, head_dim] by layer, for ranking."""
        heads = self._settings.heads
        return {
            layer: scaled_rows(q, heads.get(layer), kv_heads=self._shape.kv_heads)
            for layer, q in queries.items()
        }

    @torch.inference_mode()
    def choose(self, queries: Mapping[int, Tensor], reading: ReadFilter) -> Choice:
        """
        Choose pages for all layers and read them.

        :param queries: of the choosing layers before rotary, [q_heads, tokens, head_dim] by layer
        """
        rows = self.rows(queries)
        if self._archive is None:
            return self._of_long_term(rows, reading)
        with self._archive.lock:
            return self._of_archive(self._archive, rows, reading)

    def _of_archive(
        self, archive: Archive, rows: Mapping[int, Tensor], reading: ReadFilter
    ) -> Choice:
        began = time.monotonic()
        frames, shape, page_tokens = archive.frames, self._shape, self._settings.page_tokens
        pages_a_frame = shape.tokens_per_frame // page_tokens
        mask = reading.long_term_mask(frames, self._ids)
        held = torch.arange(len(frames)) if mask is None else mask.nonzero()[:, 0]
        if reading.only_ns is None and len(held) > RANKED_FRAMES and self._sketched(archive):
            held = held[self._likely(archive, rows, held)]
        if reading.only_ns is not None or not len(held):
            chosen = torch.arange(len(held) * pages_a_frame)
        else:
            scores = page_scores(
                rows,
                lambda layer: archive.keys(layer, held, device=self._like.device),
                page_tokens=page_tokens,
            )
            chosen = self._best(scores, reading)
        ids = frames[held[chosen // pages_a_frame]]
        places = chosen % pages_a_frame
        order = (ids * pages_a_frame + places).argsort()
        rank_s = time.monotonic() - began
        tokens = archive.read(ids[order], places[order], like=self._like)
        return Choice(tokens, len(held) * pages_a_frame, rank_s)

    @staticmethod
    def _sketched(archive: Archive) -> bool:
        return archive.sketch is not None and archive.sketch.ready

    def _likely(self, archive: Archive, rows: Mapping[int, Tensor], held: Tensor) -> Tensor:
        """Return which of `held` the sketch would rank by their keys."""
        assert archive.sketch is not None
        scores = archive.sketch.frame_scores(rows, len(archive))[held]
        return scores.topk(RANKED_FRAMES).indices.sort().values

    def _of_long_term(self, rows: Mapping[int, Tensor], reading: ReadFilter) -> Choice:
        began = time.monotonic()
        lanes, size = [lane.tokens for lane in self._long_term], self._settings.page_tokens
        held_ids = torch.cat([lane.ids for lane in lanes])
        mask = reading.long_term_mask(self._ids.frames(held_ids), self._ids)
        if reading.only_ns is not None or not len(held_ids):
            chosen, ranked = torch.arange(len(held_ids) // size), 0
        else:
            scores = page_scores(
                rows,
                lambda layer: torch.cat([lane.keys[layer] for lane in lanes], dim=1).float(),
                page_tokens=size,
                allowed=None if mask is None else upload(mask, self._like.device),
            )
            chosen, ranked = self._best(scores, reading), len(scores)
        rank_s = time.monotonic() - began
        index = tokens_of_pages(chosen, size)
        if mask is not None:
            index = index[mask[index]]
        ends = torch.tensor([len(lane) for lane in lanes]).cumsum(0)
        lane_of = torch.searchsorted(ends, index, right=True)
        parts = [
            lane.index_select(index[lane_of == number] - (ends[number] - len(lane)))
            for number, lane in enumerate(lanes)
        ]
        return Choice(in_time_order(parts), ranked, rank_s)

    def _best(self, scores: Tensor, reading: ReadFilter) -> Tensor:
        """Return the pages that are read, ascending, int64 [pages] on the host."""
        most = max(1, int(self.most_pages * reading.share))
        return best_pages(scores, most, above=0.0)


def best_pages(scores: Tensor, most: int, *, above: float) -> Tensor:
    """
    Return which pages score best, ascending, int64 [pages] on the host: one wait for a GPU.

    :param scores: [pages]
    :param most: pages
    :param above: what a page's score must exceed
    """
    best = scores.topk(min(most, len(scores)))
    pages = best.indices.masked_fill(~(best.values > above), -1).cpu()
    return pages[pages >= 0].sort().values


def tokens_of_pages(pages: Tensor, page_tokens: int) -> Tensor:
    """Return where the tokens of pages lie, page after page, int64 [pages * page_tokens]."""
    return (pages[:, None] * page_tokens + torch.arange(page_tokens)).flatten()
