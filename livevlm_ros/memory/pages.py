# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Pages: what left short-term, cut into runs of a few tokens, found by a question's queries.

Long-term and archive are one row of pages to a question. A page knows the names of its first and
last token, and so its camera and its time; tokens too new to fill a page are always read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from livevlm_ros.memory.config import MemoryConfig
from livevlm_ros.memory.long_term import LongTerm
from livevlm_ros.memory.naming import TokenNames
from livevlm_ros.memory.reach import Reach
from livevlm_ros.memory.reading import Piece, in_time_order
from livevlm_ros.memory.recall import Recall
from livevlm_ros.memory.retrieval import (
    ENOUGH_MASS,
    LEAST_SHARE,
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
    :param read: gives the tokens of some of them, int64 [chosen]
    """

    means: Tensor
    ends: Tensor
    read: Callable[[Tensor], Piece]


class Pages:
    """
    The pages of one memory.

    :param recall: gives the pages of the archive; None: there is none
    :param page_tokens: tokens of a page
    :param frame_tokens: tokens of a frame
    """

    def __init__(
        self,
        config: MemoryConfig,
        settings: RetrievalSettings,
        long_term: Sequence[LongTerm],
        recall: Recall | None,
        names: TokenNames,
        *,
        page_tokens: int,
        frame_tokens: int,
    ) -> None:
        self._long_term, self.recall, self._names = long_term, recall, names
        self._settings = settings
        self._size = page_tokens
        self._adaptive = config.retrieval == 'adaptive'
        self._most = most_pages(config, page_tokens=page_tokens, frame_tokens=frame_tokens)
        room = config.long_term_frames * frame_tokens // page_tokens
        self._least = min(self._most, int(room * LEAST_SHARE)) if self._adaptive else 0

    def most_tokens(self, reach: Reach, *, layers: int) -> int:
        """Return the most tokens that `find` gives one of so many layers."""
        if reach.only_ns is not None:
            return max(self._allowed_tokens(layer, reach) for layer in range(layers))
        return self._most * self._size + len(self._long_term) * (self._size - 1)

    def find(self, layer: int, q: Tensor, reach: Reach) -> tuple[list[Piece], int]:
        """
        Return what a question reads of a layer's pages, and how many pages it chose.

        :param q: the question's queries before rotary, [q_heads, tokens, head_dim]
        """
        lanes = [lane.piece(layer) for lane in self._long_term]
        loose = [piece.span(self._whole(piece), len(piece)) for piece in lanes]
        held = [self._held(piece) for piece in lanes]
        if self.recall is None or not reach.archive:
            chosen = self._chosen(q, held, reach)
            found = _read(held, chosen)
        else:
            found, chosen = self._recalled(layer, q, reach, held)
            self.recall.passed(layer)
        pieces = [self._within(piece, reach) for piece in (*loose, *found)]
        return [piece for piece in pieces if len(piece)], len(chosen)

    def find_again(
        self, layer: int, q: Tensor, moved: Tensor, *, pages: int, place: int
    ) -> list[Piece]:
        """
        Return what some kv heads read now, in place of what `find` gave without bounds of reach.

        :param moved: those heads, bool [kv_heads]; of others nothing is promised
        :param pages: as many as before
        :param place: of the token in the answer
        """
        assert self.recall is not None
        lanes = [lane.piece(layer) for lane in self._long_term]
        tiers = [*map(self._held, lanes), self._archived(layer, moved, place=place)]
        found = _read(tiers, self._chosen(q, tiers, Reach(), exactly=pages))
        self.recall.chosen_by(layer, q, moved, place=place)
        return [*(piece.span(self._whole(piece), len(piece)) for piece in lanes), *found]

    def _recalled(
        self, layer: int, q: Tensor, reach: Reach, held: Sequence[_Tier]
    ) -> tuple[list[Piece], Tensor]:
        """Read what kv heads that moved choose from everything, others from what is ready."""
        assert self.recall is not None
        moved = self.recall.moved(layer, q)
        alone = reach.everywhen and not moved.all()
        ready = [] if moved.all() else [*held, self._ready(layer)]
        if not moved.any():
            kept = self._chosen(q, ready, reach)
            return _read(ready, kept), kept
        if not alone:  # within bounds, how many tokens of a page count would differ by head
            moved = torch.ones_like(moved)
        every = [*held, self._archived(layer, moved)]
        chosen = self._chosen(q, every, reach)
        if alone:
            kept = self._chosen(q, ready, reach, exactly=len(chosen))
            chosen = self._chosen(q, every, reach, exactly=len(kept))  # heads read equally much
        found = _read(every, chosen)
        if alone and found:
            (new, _), (old, _) = in_time_order(found), in_time_order(_read(ready, kept))
            found = [old.with_heads_of(new, moved.to(q.device))]
        self.recall.chosen_by(layer, q, moved)
        return found, chosen

    def _allowed_tokens(self, layer: int, reach: Reach) -> int:
        """Return how many tokens a layer has on pages within reach, and too new for a page."""
        lanes = [lane.piece(layer) for lane in self._long_term]
        ends = [self._held(piece).ends for piece in lanes]
        if self.recall is not None:
            ends.append(self.recall.everything(layer).ends)
        allowed = reach.reaches(torch.cat(ends), self._names)
        assert allowed is not None
        return int(allowed.sum()) * self._size + len(lanes) * (self._size - 1)

    def _chosen(
        self, q: Tensor, tiers: Sequence[_Tier], reach: Reach, *, exactly: int | None = None
    ) -> Tensor:
        """Choose pages, counted through the tiers in their order, int64 [chosen]."""
        ends = torch.cat([tier.ends for tier in tiers])
        allowed = reach.reaches(ends, self._names)
        if reach.only_ns is not None:
            assert allowed is not None
            return allowed.nonzero()[:, 0]
        means = [tier.means for tier in tiers]
        scores = relevance(q, *means, settings=self._settings, allowed=allowed)
        if exactly is not None:
            return choose(scores, most=exactly)
        return choose(
            scores,
            most=max(1, int(self._most * reach.share)),
            least=int(self._least * reach.share),
            mass=ENOUGH_MASS if self._adaptive and self._settings.score == 'mass' else None,
        )

    def _whole(self, piece: Piece) -> int:
        """Return how many of a run of tokens fill pages."""
        return len(piece) // self._size * self._size

    def _held(self, piece: Piece) -> _Tier:
        """Cut a lane's tokens on the device into pages."""
        whole = piece.span(0, self._whole(piece))
        ends = whole.names.view(-1, self._size)[:, [0, -1]]
        return _Tier(
            page_means(whole.keys, page_tokens=self._size), ends, partial(self._cut, whole)
        )

    def _cut(self, piece: Piece, pages: Tensor) -> Piece:
        places = torch.arange(self._size, device=pages.device)
        return piece.picked((pages[:, None] * self._size + places).flatten())

    def _archived(self, layer: int, moved: Tensor, *, place: int = 0) -> _Tier:
        """Return all archived pages, to be read by the kv heads that moved."""
        assert self.recall is not None
        index = self.recall.everything(layer)
        read = partial(self.recall.read, layer, moved=moved, place=place)
        return _Tier(index.means, index.ends, read)

    def _ready(self, layer: int) -> _Tier:
        """Return the archived pages that are on the device."""
        assert self.recall is not None
        index = self.recall.ready(layer)
        return _Tier(index.means, index.ends, partial(self.recall.read_ready, layer))

    def _within(self, piece: Piece, reach: Reach) -> Piece:
        """Leave out tokens out of reach: a page's own may lie on both sides of a bound."""
        allowed = reach.reaches(piece.names[..., None].expand(*piece.names.shape, 2), self._names)
        return piece if allowed is None else piece.picked(allowed.nonzero()[:, 0])


def most_pages(config: MemoryConfig, *, page_tokens: int, frame_tokens: int) -> int:
    """Return the most pages that a question reads in a layer."""
    if config.retrieval == 'frames':
        return REKV_FRAMES * frame_tokens // page_tokens
    return max(1, int(config.long_term_frames * frame_tokens * config.ratio) // page_tokens)


def _read(tiers: Sequence[_Tier], chosen: Tensor) -> list[Piece]:
    """Read chosen pages, counted through the tiers in their order."""
    pieces, first = [], 0
    for tier in tiers:
        last = first + len(tier.ends)
        pages = chosen[(chosen >= first) & (chosen < last)] - first
        if len(pages):
            pieces.append(tier.read(pages))
        first = last
    return pieces
