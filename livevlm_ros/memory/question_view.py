# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The view of a question and its answer: retrieved pages and short-term, none of it changed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from livevlm_ros.memory.evidence import EvidenceLayers, attention_row, frame_shares
from livevlm_ros.memory.pages import Pages
from livevlm_ros.memory.reach import Reach
from livevlm_ros.memory.reading import Piece, ReadBuffer, in_time_order
from livevlm_ros.memory.shape import FrameRef
from livevlm_ros.memory.view import Parts, ReadView


class QuestionView(ReadView):
    """
    What a question and its answer read; the first read is the question.

    :param pages: where what left short-term is found; None: nothing else is read
    :param reach: what may be read
    :param asked: the question's words, by which it is known when it comes back; None: it does not
    :param patience_s: longest wait for the archive, without which it reads what is on the device;
        None: any

    `waited_s` are the seconds it waited for the archive, `retrieval_s` those of finding and
    fetching pages.
    """

    def __init__(
        self,
        parts: Parts,
        buffer: ReadBuffer,
        *,
        room: int,
        evidence: EvidenceLayers,
        pages: Pages | None,
        reach: Reach,
        asked: str | None = None,
        patience_s: float | None = None,
    ) -> None:
        began = time.monotonic()
        self._slots, self._kept = _slots(parts, reach), parts.short_term.kept
        self._pages_of = pages if reach.long_term else None
        self._recall = self._pages_of.recall if self._pages_of else None
        self.waited_s = self.retrieval_s = 0.0
        if self._recall is not None:
            in_time = self._recall.begin(asked, reach, patience_s=patience_s)
            reach = replace(reach, archive=reach.archive and in_time)
            self.waited_s = time.monotonic() - began
            self._recall.counts.exposed_s += self.waited_s
        found = (
            self._pages_of.most_tokens(reach, layers=parts.shape.layers) if self._pages_of else 0
        )
        past = found + len(self._slots) * parts.shape.tokens_per_frame
        super().__init__(parts, buffer, past=past, room=room)
        self._evidence, self.reach = evidence, reach
        self._read: dict[int, Tensor] = {}  # names of the tokens a layer reads
        self._chosen: dict[int, int] = {}  # pages a layer reads
        self._place: dict[int, int] = {}  # of the answer's token that reads, 0: the question
        self._rows: dict[int, Tensor] = {}

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend as `View.attend` says."""
        if self._may_choose_again(layer):
            self._choose_again(layer, q)
        rotated, keys, values = self._extend(layer, q, k, v)
        if layer in self._evidence.layers and layer not in self._rows:
            row = attention_row(rotated[:, -1], keys, self._evidence.heads)
            self._rows[layer] = row if self._read[layer].dim() == 2 else row.sum(0)
        return self._attention(rotated, keys, values)

    @property
    def retrieves(self) -> bool:
        """Whether more than short-term may be read."""
        return self._pages_of is not None

    @property
    def tokens_read(self) -> list[int]:
        """Tokens of the memory that each layer has read, the prefix not among them."""
        return [names.shape[-1] for names in self._read.values()]

    def frames(self) -> list[FrameRef]:
        """Frames of which the evidence layers have read a token, by time."""
        names = [self._read[layer].flatten() for layer in self._rows]
        if not names:
            return []
        found = self._parts.names.frames(torch.cat(names)).unique().tolist()
        return [self._parts.refs[frame] for frame in found if frame in self._parts.refs]

    def marks(self, refs: Sequence[FrameRef]) -> dict[str, Tensor]:
        """
        Say where tokens of frames are: by tier, see `Parts.marks`, and as `read` what was read.

        :param refs: frames that were kept, whether or not anything is left of them
        :returns: bool [layers, frames, tokens_per_frame] each
        """
        names = self._parts.names
        read = [names.marks(self._read[layer], refs) for layer in range(self._parts.shape.layers)]
        return {**self._parts.marks(refs), 'read': torch.stack(read)}

    def evidence(self) -> list[tuple[FrameRef, float]]:
        """Frames and their share of the attention on frames, best first, after the question."""
        first, parts = self._parts.prefix_tokens, self._parts
        rows = [
            (parts.names.frames(names).flatten(), row[..., first:last].flatten())
            for layer, row in self._rows.items()
            for names in [self._read[layer]]
            for last in [first + names.shape[-1]]
        ]
        return [
            (parts.refs[frame], share)
            for frame, share in frame_shares(rows)
            if frame in parts.refs
        ]

    def _pieces(self, layer: int, q: Tensor) -> Sequence[Piece]:
        pieces = [self._parts.ring(layer, self._slots)]
        if self._pages_of is not None:
            began = time.monotonic()
            found, self._chosen[layer] = self._pages_of.find(layer, q, self.reach)
            pieces += found
            self._waited(since=began)
        joined, _ = in_time_order(pieces)
        self._read[layer] = joined.names
        return [joined]

    def _may_choose_again(self, layer: int) -> bool:
        """Return whether an answer's token may have pages of its own: the memory is unchanged."""
        return (
            layer in self._chosen
            and self._recall is not None
            and self._recall.speculates
            and self.reach.everywhen
            and self.reach.archive
            and self._kept == self._parts.short_term.kept
        )

    def _choose_again(self, layer: int, q: Tensor) -> None:
        """Let kv heads whose queries have moved read other pages, as many as before."""
        assert self._recall is not None and self._pages_of is not None
        began = time.monotonic()
        self._place[layer] = place = self._place.get(layer, 0) + 1
        moved = self._recall.moved(layer, q, place=place)
        if moved.any():
            found = self._pages_of.find_again(
                layer, q, moved, pages=self._chosen[layer], place=place
            )
            joined, _ = in_time_order([self._parts.ring(layer, self._slots), *found])
            heads = moved.nonzero()[:, 0].to(q.device)
            first, keys = self._parts.prefix_tokens, joined.keys[heads]
            past = slice(first, first + len(joined))
            rotated = self._parts.rotary.rotate(keys, first=first, out=torch.empty_like(keys))
            self._buffer.keys[layer][heads, past] = rotated
            self._buffer.values[layer][heads, past] = joined.values[heads]
        self._waited(since=began)

    def _waited(self, *, since: float) -> None:
        took_s = time.monotonic() - since
        self.retrieval_s += took_s
        if self._recall is not None:
            self._recall.counts.exposed_s += took_s


def _slots(parts: Parts, reach: Reach) -> Tensor:
    """Slots of the short-term frames within reach, by time, int64 [frames]."""
    ring = parts.short_term
    if not reach.short_term:
        return ring.slots()[:0]
    refs = ring.refs()
    if reach.everywhen and not reach.newest_only:
        return ring.slots()
    within = {ref.camera: index for index, ref in enumerate(refs) if reach.holds(ref)}
    chosen = (
        sorted(within.values())
        if reach.newest_only
        else [index for index, ref in enumerate(refs) if reach.holds(ref)]
    )
    return ring.slots()[torch.tensor(chosen, dtype=torch.long, device=ring.keys.device)]
