# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Archived pages that are on the device already, a fixed number for each layer.

They come in chunks through two staging buffers that take turns: while one chunk is on its way from
its buffer to the device, the next is decoded into the other. FreeKV, arXiv 2505.13109.
"""

from __future__ import annotations

import torch
from torch import Tensor

from livevlm_ros.memory.archive import Archive
from livevlm_ros.memory.archive_index import PageIndex
from livevlm_ros.memory.reading import Piece
from livevlm_ros.memory.shape import CacheShape

CHUNK_PAGES = 64
"""Pages that cross to the device together."""


class Staging:
    """
    Two buffers on the host, through which one thread at a time brings pages to the device.

    :param page_tokens: tokens of a page
    """

    def __init__(self, shape: CacheShape, *, page_tokens: int, like: Tensor) -> None:
        block = (CHUNK_PAGES, shape.kv_heads, 2, page_tokens, shape.head_dim)
        self._on_gpu = like.device.type == 'cuda'
        self._buffers = [
            torch.empty(block, dtype=like.dtype, pin_memory=self._on_gpu) for _ in range(2)
        ]
        self._turn = 0
        self._crossed: list[torch.cuda.Event | None] = [None, None]

    @property
    def nbytes(self) -> int:
        """Bytes of both buffers."""
        return sum(buffer.nbytes for buffer in self._buffers)

    def bring(self, archive: Archive, layer: int, rows: Tensor, to: Tensor, slots: Tensor) -> None:
        """
        Copy pages from the archive into slots on the device.

        :param rows: of the layer's index, int64 [pages]
        :param to: [slots, kv_heads, 2, page_tokens, head_dim]
        :param slots: where each goes, int64 [pages]
        """
        chunks = zip(rows.split(CHUNK_PAGES), slots.split(CHUNK_PAGES), strict=True)
        for chunk, places in chunks:
            buffer, crossed = self._buffers[self._turn], self._crossed[self._turn]
            if crossed is not None:
                crossed.synchronize()
            staged = buffer[: len(chunk)]
            archive.read_into(staged, layer, chunk)
            to.index_copy_(0, places.to(to.device), staged.to(to.device, non_blocking=True))
            if self._on_gpu:
                self._crossed[self._turn] = torch.cuda.current_stream(to.device).record_event()
            self._turn = 1 - self._turn


class ResidentPages:
    """
    Slots for pages of each layer.

    A slot holds a page for as long as the page is wanted; one that stays is not brought again.

    :param slots: pages of a layer there is room for
    :param page_tokens: tokens of a page
    """

    NOTHING = -1

    def __init__(
        self,
        shape: CacheShape,
        *,
        slots: int,
        page_tokens: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        block = (shape.layers, slots, shape.kv_heads, 2, page_tokens, shape.head_dim)
        self.tokens = torch.zeros(block, dtype=dtype, device=device)
        self._means = torch.zeros(
            shape.layers, slots, shape.kv_heads, shape.head_dim, device=device
        )
        self._names = torch.zeros(
            shape.layers, slots, page_tokens, dtype=torch.int64, device=device
        )
        self._serials = torch.full((shape.layers, slots), self.NOTHING)
        self._as_of = [0] * shape.layers  # the archive's changes that were looked at
        self.brought = 0

    @property
    def nbytes(self) -> int:
        """Bytes on the device."""
        return self.tokens.nbytes + self._means.nbytes + self._names.nbytes

    def clear(self) -> None:
        """Hold nothing."""
        self._serials.fill_(self.NOTHING)

    def bring(self, archive: Archive, layer: int, rows: Tensor, staging: Staging) -> Tensor:
        """
        Have pages on the device; others stay as far as there is room and the archive has them.

        :param rows: of the layer's archive index, int64 [pages], no more than there are slots
        :returns: the slot of each, int64 [pages]
        """
        index, held = archive.index(layer), self._serials[layer]
        if self._as_of[layer] != archive.changes:  # a page may be cut anew, or gone
            held[~torch.isin(held, index.serials)] = self.NOTHING
            self._as_of[layer] = archive.changes
        wanted = index.serials[rows]
        slots = _places(held, wanted)
        missing = (slots < 0).nonzero()[:, 0]
        if len(missing):
            # Of the slots that are not wanted the empty ones go first.
            free = (~torch.isin(held, wanted)).nonzero()[:, 0]
            free = free[(held[free] != self.NOTHING).to(torch.uint8).argsort(stable=True)]
            slots[missing] = taken = free[: len(missing)]
            new, target = rows[missing], taken.to(self.tokens.device)
            held[taken] = self.NOTHING  # until they are there, whatever happens on the way
            staging.bring(archive, layer, new, self.tokens[layer], taken)
            means = index.means[new].to(self._means.device)
            self._means[layer].index_copy_(0, target, means)
            names = archive.page_names(layer, new).to(target.device)
            self._names[layer].index_copy_(0, target, names)
            held[taken] = wanted[missing]
            self.brought += len(missing)
        return slots

    def slots(self, layer: int) -> Tensor:
        """Return the slots of a layer that hold a page, int64 [held]."""
        return (self._serials[layer] != self.NOTHING).nonzero()[:, 0]

    def index(self, layer: int) -> PageIndex:
        """Return what a layer's pages are chosen by, in the order of `slots`."""
        slots = self.slots(layer)
        there = slots.to(self.tokens.device)
        names = self._names[layer].index_select(0, there)
        means = self._means[layer].index_select(0, there)
        return PageIndex(means, names[:, [0, -1]], self._serials[layer, slots])

    def piece(self, layer: int, slots: Tensor) -> Piece:
        """Return copies of the pages in some slots, in their order."""
        slots = slots.to(self.tokens.device)
        both = self.tokens[layer].index_select(0, slots)  # [pages, kv_heads, 2, tokens, dim]
        keys, values = both.permute(2, 1, 0, 3, 4).flatten(2, 3)
        return Piece(keys, values, self._names[layer].index_select(0, slots).flatten())


def _places(held: Tensor, wanted: Tensor) -> Tensor:
    """Return where in `held` each of `wanted` stands, -1 where it does not."""
    ordered, order = held.sort()
    places = torch.searchsorted(ordered, wanted).clamp_max(len(held) - 1)
    found = ordered[places] == wanted
    return torch.where(found, order[places], -1)
