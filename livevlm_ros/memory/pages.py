# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Pages: what left short-term, cut into runs of a few tokens, found by a question's queries.

Long-term and archive are one row of pages to a question. A page knows the names of its first and
last token, and so its camera and its time; tokens too new to fill a page are always read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from livevlm_ros.memory.archive import Archive
from livevlm_ros.memory.archive_index import PageIndex
from livevlm_ros.memory.config import MemoryConfig
from livevlm_ros.memory.long_term import LongTerm
from livevlm_ros.memory.naming import TokenNames
from livevlm_ros.memory.reach import Reach
from livevlm_ros.memory.reading import Piece
from livevlm_ros.memory.retrieval import (
    ADAPTIVE_LIMITS,
    ENOUGH_MASS,
    RetrievalSettings,
    choose,
    page_means,
    relevance,
)

REKV_FRAMES = 64
"""Frames that the preset `rekv` reads: the top-k of its authors."""


@dataclass(frozen=True, slots=True)
class _Tier:
    """
    Candidates of one tier in one layer.

    :param means: mean keys, [pages, kv_heads, head_dim]
    :param ends: names of each page's first and last token, int64 [pages, 2]
    :param piece: the pages' tokens, where they lie on the device
    """

    means: Tensor
    ends: Tensor
    piece: Piece | None


class Pages:
    """
    The pages of one memory.

    :param page_tokens: tokens of a page
    :param frame_tokens: tokens of a frame
    """

    def __init__(
        self,
        config: MemoryConfig,
        settings: RetrievalSettings,
        long_term: Sequence[LongTerm],
        archive: Archive | None,
        names: TokenNames,
        *,
        page_tokens: int,
        frame_tokens: int,
    ) -> None:
        self._long_term, self._archive, self._names = long_term, archive, names
        self._settings = settings
        self._size = page_tokens
        room = config.long_term_frames * frame_tokens
        self._adaptive = config.retrieval == 'adaptive'
        low, high = ADAPTIVE_LIMITS if self._adaptive else (0.0, config.ratio)
        by_frames = config.retrieval == 'frames'
        most = REKV_FRAMES * frame_tokens if by_frames else int(room * high)
        self._least, self._most = int(room * low) // self._size, max(1, most // self._size)

    def most_tokens(self) -> int:
        """Return the most tokens that `find` gives a layer."""
        return self._most * self._size + len(self._long_term) * (self._size - 1)

    def find(self, layer: int, q: Tensor, reach: Reach) -> list[Piece]:
        """
        Return what a question reads of a layer's pages.

        :param q: the question's queries before rotary, [q_heads, tokens, head_dim]
        """
        loose = [lane.piece(layer) for lane in self._long_term]
        tiers = [self._loose_tier(piece) for piece in loose]
        found = [piece.span(self._whole(piece), len(piece)) for piece in loose]
        if self._archive is not None:
            tiers.append(self._archive_tier(self._archive.index(layer), q))
        counts = [len(tier.ends) for tier in tiers]
        if sum(counts):
            chosen = self._choose(q, tiers, reach)
            first = 0
            for tier, count in zip(tiers, counts, strict=True):
                pages = chosen[(chosen >= first) & (chosen < first + count)] - first
                found.append(self._tokens(layer, tier, pages, q))
                first += count
        return [self._within(piece, reach) for piece in found if len(piece)]

    def _choose(self, q: Tensor, tiers: Sequence[_Tier], reach: Reach) -> Tensor:
        means = torch.cat([tier.means for tier in tiers])
        ends = torch.cat([tier.ends for tier in tiers])
        scores = relevance(q, means, settings=self._settings, allowed=self._allowed(ends, reach))
        return choose(
            scores,
            most=max(1, int(self._most * reach.share)),
            least=int(self._least * reach.share),
            mass=ENOUGH_MASS if self._adaptive and self._settings.score == 'mass' else None,
        )

    def _whole(self, piece: Piece) -> int:
        """Return how many of a run of tokens fill pages."""
        return len(piece) // self._size * self._size

    def _loose_tier(self, piece: Piece) -> _Tier:
        """Cut tokens that are not cut yet into pages."""
        piece = piece.span(0, self._whole(piece))
        names = piece.names.view(-1, self._size)
        return _Tier(page_means(piece.keys, page_tokens=self._size), names[:, [0, -1]], piece)

    def _archive_tier(self, index: PageIndex, like: Tensor) -> _Tier:
        return _Tier(index.means.to(like.device, like.dtype), index.ends.to(like.device), None)

    def _tokens(self, layer: int, tier: _Tier, pages: Tensor, like: Tensor) -> Piece:
        """Read the tokens of chosen pages."""
        if tier.piece is None:
            assert self._archive is not None
            return self._archive.read(layer, pages.cpu()).like(like)
        places = torch.arange(self._size, device=pages.device)
        return tier.piece.picked((pages[:, None] * self._size + places).flatten())

    def _allowed(self, ends: Tensor, reach: Reach) -> Tensor | None:
        """Return which pages have a token within reach, as far as their ends tell; None: all."""
        if reach.everywhen:
            return None
        names, (first, last) = self._names, self._span_ns(reach)
        allowed = (names.since_ns(ends[:, 1]) >= first) & (names.since_ns(ends[:, 0]) <= last)
        if reach.cameras is not None:
            lanes = torch.tensor(self._names.lanes_of(reach.cameras), device=ends.device)
            allowed &= torch.isin(names.lanes(ends[:, 0]), lanes)
        return allowed

    def _within(self, piece: Piece, reach: Reach) -> Piece:
        """Leave out tokens out of reach: a page's own may lie on both sides of a bound."""
        if reach.everywhen:
            return piece
        ends = piece.names[:, None].expand(-1, 2)
        allowed = self._allowed(ends, reach)
        assert allowed is not None
        return piece.picked(allowed.nonzero()[:, 0])

    def _span_ns(self, reach: Reach) -> tuple[float, float]:
        origin_ns = self._names.origin_ns or 0
        first = -math.inf if reach.first_ns is None else reach.first_ns - origin_ns
        last = math.inf if reach.last_ns is None else reach.last_ns - origin_ns
        return first, last
