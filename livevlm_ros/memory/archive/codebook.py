# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The keys of frames, each known by the centroid that it is nearest to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from livevlm_ros.memory.archive.centroids import half_norms, nearest
from livevlm_ros.memory.state import State, copied

CENTROIDS = 2048
"""Of a kv head in a layer."""

SPARE = 512
"""Centroids reserved for later keys that are far from all others."""


@dataclass(frozen=True, slots=True)
class CodedFrame:
    """
    A frame's keys by their centroids.

    :param codes: int16 [layers, kv_heads, tokens]
    :param opens: whether a spare centroid is put where the farthest key lies, bool
        [layers, kv_heads]
    :param farthest: that key, float32 [layers, kv_heads, head_dim]
    """

    codes: Tensor
    opens: Tensor
    farthest: Tensor


class Codebook:
    """
    Centroids, and the codes of frames by them.

    A key that lies farther from every centroid than `reach` gets a spare one, one in a frame.
    Rows from `first` on are coded; coding proceeds from the last row down, so frames may come and
    go meanwhile.

    :param centroids: float32 [layers, kv_heads, CENTROIDS, head_dim]
    :param used: how many of a kv head's centroids are not spare, int64 [layers, kv_heads]
    :param rows: most frames
    """

    def __init__(self, centroids: Tensor, used: Tensor, *, tokens: int, rows: int) -> None:
        heads = centroids.shape[:2]
        self.centroids, self._used, self.first = centroids, used, 0
        self.reach = torch.zeros(heads)
        self._halves = half_norms(centroids)
        self._halves[torch.arange(CENTROIDS) >= used[..., None]] = torch.inf
        self.codes = torch.empty(*heads, tokens, rows, dtype=torch.int16)
        self.counts = torch.zeros(*heads, CENTROIDS)  # keys by centroid
        self._wide = torch.empty(*heads, tokens, dtype=torch.int64)

    def encode(self, keys: Tensor) -> CodedFrame:
        """Code a frame by its keys, float32 [layers, kv_heads, tokens, head_dim]."""
        codes, far = nearest(keys, self.centroids, self._halves)
        farthest = far.max(2)
        opens = (farthest.values > self.reach) & (self._used < CENTROIDS)
        at = farthest.indices[..., None, None].expand(-1, -1, 1, keys.shape[3])
        new = keys.gather(2, at)  # [layers, kv_heads, 1, head_dim]
        nearer = opens[..., None] & ((keys - new).norm(dim=3) < far)
        codes = torch.where(nearer, self._used[..., None].to(torch.int16), codes)
        return CodedFrame(codes, opens, new[:, :, 0])

    def open(self, frame: CodedFrame) -> None:
        """Put spare centroids where a frame's farthest keys lie, before it is `put`."""
        layer, head = frame.opens.nonzero(as_tuple=True)
        spare, keys = self._used[layer, head], frame.farthest[layer, head]
        halves = half_norms(keys)
        self.centroids[layer, head, spare] = keys
        self._used += frame.opens
        self._halves[layer, head, spare] = halves  # last: until then no key is coded by it

    def put(self, row: int, frame: CodedFrame) -> None:
        """Keep a frame in the first row that is free; asks for no memory, so it cannot fail."""
        self._count(frame.codes, 1)
        self.codes[..., row] = frame.codes

    def remove(self, row: int, last: int) -> None:
        """Forget a row; the last one takes its place."""
        lost = row if row >= self.first else last  # of the rows that are coded
        if lost >= self.first:
            self._count(self.codes[..., lost], -1)
        self.codes[..., row] = self.codes[..., last]
        self.first = min(self.first, last)

    def fill(self, first: int, keys: Sequence[Tensor]) -> Tensor:
        """
        Code the rows up to those that are.

        :param keys: by layer, float32 [kv_heads, frames * tokens, head_dim]
        :returns: how far the farthest key of each frame is, [layers, kv_heads, frames]
        """
        farthest = []
        for index, of_layer in enumerate(keys):
            codes, far = nearest(of_layer, self.centroids[index], self._halves[index])
            self.counts[index].scatter_add_(1, codes.long(), torch.ones(codes.shape))
            of_frames = codes.unflatten(1, (self.first - first, -1)).transpose(1, 2)
            self.codes[index, :, :, first : self.first] = of_frames
            farthest.append(far.unflatten(1, (self.first - first, -1)).amax(2))
        self.first = first
        return torch.stack(farthest)

    def state(self, frames: int) -> State:
        """Return copies of all but the counts, of so many frames."""
        held = {'centroids': self.centroids, 'used': self._used, 'reach': self.reach}
        held['codes'] = self.codes[..., :frames]
        return State({name: copied(tensor) for name, tensor in held.items()})

    @staticmethod
    def restored(state: State, *, rows: int) -> Codebook:
        """Return what `state` gave."""
        held = {name: tensor.clone() for name, tensor in state.tensors.items()}
        codes = held['codes']
        book = Codebook(held['centroids'], held['used'], tokens=codes.shape[2], rows=rows)
        book.reach = held['reach']
        book.codes[..., : codes.shape[3]] = codes
        for of_token in codes.unbind(2):
            wide = of_token.long()
            book.counts.scatter_add_(2, wide, torch.ones(wide.shape))
        return book

    def _count(self, codes: Tensor, by: int) -> None:
        """Count a frame's keys, or take them off; asks for no memory, so it cannot run out."""
        self._wide.copy_(codes)
        self.counts.scatter_(2, self._wide, by, reduce='add')
