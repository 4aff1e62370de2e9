# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The keys of frames, each known by the centroid that it is nearest to."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass

import torch
from torch import Tensor

from livevlm_ros.memory.archive.centroids import half_norms, nearest
from livevlm_ros.memory.archive.costs import CENTROIDS
from livevlm_ros.memory.archive.frozen import FrozenRows
from livevlm_ros.memory.archive.slab import apart
from livevlm_ros.memory.state import Rows, State, copied

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
    Rows from `first` on, a number for each layer, are coded; coding proceeds from the last row
    down, so frames may come and go meanwhile.

    :param centroids: float32 [layers, kv_heads, CENTROIDS, head_dim]
    :param used: how many of a kv head's centroids are not spare, int64 [layers, kv_heads]
    :param rows: most frames
    """

    def __init__(self, centroids: Tensor, used: Tensor, *, tokens: int, rows: int) -> None:
        heads = centroids.shape[:2]
        self.centroids, self._used = centroids, used
        self.first = [0] * len(centroids)
        self.reach = torch.zeros(heads)
        self._halves = half_norms(centroids)
        self._halves[torch.arange(CENTROIDS) >= used[..., None]] = torch.inf
        self.codes = apart(*heads, tokens, rows, dtype=torch.int16)
        self.counts = torch.zeros(*heads, CENTROIDS)  # keys by centroid
        self._wide = torch.empty(*heads, tokens, dtype=torch.int64)
        self._frozen: weakref.WeakSet[FrozenRows] = weakref.WeakSet()

    @property
    def fixed_bytes(self) -> int:
        """Bytes that are as many whatever is held."""
        parts = (self.centroids, self._halves, self.counts)
        return sum(part.nbytes for part in parts)

    @property
    def used(self) -> int:
        """How many centroids are not spare, of the kv head that has most."""
        return int(self._used.max())

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
        """Keep a frame in the first row that is free, after `keep`: then it cannot fail."""
        self._count(slice(None), frame.codes, 1)
        self.codes[..., row] = frame.codes

    def keep(self, row: int) -> None:
        """Keep a row for those that read it as it is, before something is written there."""
        for rows in self._frozen:
            rows.keep(row)

    def remove(self, row: int, last: int) -> None:
        """Forget a row, after `keep`; the last one takes its place."""
        for layer, first in enumerate(self.first):
            lost = row if row >= first else last  # of the rows that are coded
            if lost >= first:
                self._count(layer, self.codes[layer, :, :, lost], -1)
        self.codes[..., row] = self.codes[..., last]
        self.first = [min(first, last) for first in self.first]

    def drop_unused(self) -> None:
        """Forget the centroids that no key has: those that had one are keys, or means of some."""
        unused = self.counts == 0
        self.centroids[unused] = 0
        self._halves[unused] = torch.inf

    def fill(self, layer: int, first: int, keys: Tensor) -> Tensor:
        """
        Code the rows of a layer up to those that are.

        :param keys: float32 [kv_heads, frames * tokens, head_dim]
        :returns: how far the farthest key of each frame is, [kv_heads, frames]
        """
        end = self.first[layer]
        codes, far = nearest(keys, self.centroids[layer], self._halves[layer])
        self.counts[layer].scatter_add_(1, codes.long(), torch.ones(codes.shape))
        self.codes[layer, :, :, first:end] = codes.unflatten(1, (end - first, -1)).transpose(1, 2)
        self.first[layer] = first
        return far.unflatten(1, (end - first, -1)).amax(2)

    def state(self, frames: int, lock: threading.RLock) -> State:
        """
        Return all but the counts, of so many frames; codes are read as they are now, whenever.

        :param lock: held by whoever writes
        :returns: tensors but for its rows `codes`, int16 [frames, layers, kv_heads, tokens]
        """
        held = {'centroids': self.centroids, 'used': self._used, 'reach': self.reach}
        codes = FrozenRows(torch.arange(frames), self._of_rows, lock)
        self._frozen.add(codes)
        rows = Rows((frames, *self.codes.shape[:3]), torch.int16, codes.read)
        return State({name: copied(each) for name, each in held.items()}, {}, {'codes': rows})

    def _of_rows(self, rows: Tensor) -> Tensor:
        """Return the codes of rows, [rows, layers, kv_heads, tokens]."""
        return self.codes.index_select(3, rows).movedim(3, 0)

    @staticmethod
    def restored(state: State, *, rows: int) -> Codebook:
        """Return what `state` gave."""
        held = {name: tensor.clone() for name, tensor in state.tensors.items()}
        codes = state.rows['codes']
        book = Codebook(held['centroids'], held['used'], tokens=codes.shape[3], rows=rows)
        book.reach = held['reach']
        first = 0
        for run in codes.runs():
            book.codes[..., first : first + len(run)] = run.movedim(0, 3)
            first += len(run)
            for of_token in run.unbind(3):
                wide = of_token.movedim(0, 2).long()  # [layers, kv_heads, frames]
                book.counts.scatter_add_(2, wide, torch.ones(wide.shape))
        return book

    def _count(self, layers: slice | int, codes: Tensor, by: int) -> None:
        """Count a frame's keys, or take them off; asks for no memory, so it cannot run out."""
        wide = self._wide[layers].copy_(codes)
        self.counts[layers].scatter_(-1, wide, by, reduce='add')
