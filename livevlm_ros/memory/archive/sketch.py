# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A sketch of every archived key, so that no more than some frames are ranked by their keys.

Each key of the layers that choose is known by the nearest of some centroids, two bytes in place of
a vector. A question scores the centroids, the sketch says which frames may hold its best tokens,
and only those are ranked by their keys. An inverted file's coarse quantiser, put to a key-value
cache (Jégou et al., Product Quantization for Nearest Neighbor Search, 2011, section 4).

A stream goes on to where it never was, so the sketch is made anew as it grows: some pieces of
that work with every frame, while the sketch before serves on. A piece takes milliseconds, for a
question waits for the one that is being done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from livevlm_ros.memory.archive.centroids import PRODUCTS_AT_ONCE, centroids_of
from livevlm_ros.memory.archive.codebook import SPARE, Codebook, CodedFrame
from livevlm_ros.memory.archive.costs import CENTROIDS, RANKED_FRAMES, SAMPLED_KEYS
from livevlm_ros.memory.archive.slab import apart
from livevlm_ros.memory.shape import CacheShape
from livevlm_ros.memory.state import State
from livevlm_ros.memory.tokens import upload

FIRST_FIT = 128
"""Frames from which the sketch is made, so that it is ready before it is needed."""

GROWTH = 0.5
"""Frames archived between two fits, in relation to those held: a sketch of older ones misleads."""

SAMPLED_AT_ONCE = 2**12
"""Tokens that a piece of work takes keys from, of one layer."""

CODED_A_FRAME = 8
"""Frames that are coded anew for each that is taken, while the sketch is made."""

Keys = Callable[[int, Tensor], Tensor]


class KeySketch:
    """
    Centroids and codes, on the host.

    :param layers: whose keys are sketched
    :param rows: most frames
    """

    def __init__(self, shape: CacheShape, layers: Sequence[int], *, rows: int) -> None:
        self._layers, self._tokens, self._rows = tuple(layers), shape.tokens_per_frame, rows
        self._heads = len(self._layers), shape.kv_heads
        self._head_dim = shape.head_dim
        self._now: Codebook | None = None
        self._next: Codebook | None = None  # in the making
        self._making: Iterator[None] | None = None
        self._taken, self._next_fit = 0, FIRST_FIT
        products = CODED_A_FRAME * shape.kv_heads * shape.tokens_per_frame * CENTROIDS
        pieces = min(CODED_A_FRAME, -(-products // PRODUCTS_AT_ONCE))  # of a layer
        self._coded_at_once = CODED_A_FRAME // pieces  # frames
        self._pieces_a_frame = pieces * len(self._layers)
        self._owed = self._sample_bytes = 0

    @property
    def ready(self) -> bool:
        """Whether there is a sketch: an archive of no more than `RANKED_FRAMES` needs none."""
        return self._now is not None

    @property
    def fixed_bytes(self) -> int:
        """Bytes beside those of the rows: centroids, and keys that they are being made from."""
        return self._sample_bytes + sum(book.fixed_bytes for book in self._books())

    def encode(self, keys: Tensor) -> list[CodedFrame]:
        """
        Code a frame, by the sketch and by the one in the making.

        :param keys: before rotary, float32 [layers of the model, kv_heads, tokens, head_dim]
        """
        chosen = keys[list(self._layers)]
        return [book.encode(chosen) for book in self._books()]

    def put(self, row: int, frame: Sequence[CodedFrame]) -> None:
        """Keep a frame as `encode` gives it, in the first row that is free."""
        pairs = list(zip(self._books(), frame, strict=True))
        for book, coded in pairs:
            book.keep(row)
            book.open(coded)
        for book, coded in pairs:
            book.put(row, coded)
        self._taken += 1
        self._owed += self._pieces_a_frame

    def remove(self, row: int, last: int) -> None:
        """Forget a frame; that of the last row takes its place."""
        for book in self._books():
            book.keep(row)
        for book in self._books():
            book.remove(row, last)

    def forgot(self) -> None:
        """Keep nothing of frames that were forgotten for good, and be made anew soon."""
        if self._now is not None:
            self._now.drop_unused()
        self._making = self._next = None
        self._sample_bytes = 0
        self._next_fit = min(self._next_fit, max(FIRST_FIT, self._taken))

    def _books(self) -> list[Codebook]:
        return [book for book in (self._now, self._next) if book is not None]

    def catch_up(self, keys: Keys, held: Callable[[], int], lock: threading.RLock) -> bool:
        """
        Do a piece of making the sketch anew, if one is owed; in the thread that writes.

        An error ends the attempt; the next begins after `FIRST_FIT` more frames.

        :param keys: gives the keys of a layer, float32 [kv_heads, frames * tokens, head_dim], by
            layer and rows
        :param held: gives how many frames are held
        :param lock: held while the new sketch takes its place
        :returns: whether another piece is owed for the frames taken so far
        """
        due = self._rows > RANKED_FRAMES and self._taken >= self._next_fit
        if self._making is None and due and held() >= FIRST_FIT:
            self._making = self._make(keys, held, lock)
        if self._making is None or not self._owed:
            self._owed = 0
            return False
        self._owed -= 1
        try:
            if next(self._making, self) is self:
                self._making = None
        except BaseException:
            self._making = self._next = None
            self._sample_bytes = 0
            self._next_fit = self._taken + FIRST_FIT
            raise
        return self._making is not None and self._owed > 0

    def _make(self, keys: Keys, held: Callable[[], int], lock: threading.RLock) -> Iterator[None]:
        """Make centroids of a sample of all keys, layer by layer, then code every frame."""
        frames, next_fit = held(), self._taken + int(GROWTH * held())
        centroids = apart(*self._heads, CENTROIDS, self._head_dim, dtype=torch.float32)
        most = min(SAMPLED_KEYS, self._rows * self._tokens)
        sample = apart(self._heads[1], most, self._head_dim, dtype=torch.float32)
        for index, layer in enumerate(self._layers):
            count = 0
            for places in self._sampled(held()):
                found = self._at(places[places < held() * self._tokens], layer, keys)
                sample[:, count : count + found.shape[1]] = found
                count += found.shape[1]
                self._sample_bytes = max(self._sample_bytes, sample[:, :count].nbytes)
                yield
            made = yield from centroids_of(sample[:, :count], CENTROIDS - SPARE)
            centroids[index] = made[:, torch.arange(CENTROIDS) % (CENTROIDS - SPARE)]
            yield
        del sample
        self._sample_bytes = 0
        used = torch.full(self._heads, CENTROIDS - SPARE)
        book, reach = Codebook(centroids, used, tokens=self._tokens, rows=self._rows), []
        book.first = [held()] * len(self._layers)
        if self._now is not None:
            book.reach = self._now.reach.clone()
        self._next = book
        for index, layer in enumerate(self._layers):
            farthest = []
            while book.first[index]:
                yield
                end = book.first[index]  # after those that left meanwhile
                first = max(0, end - self._coded_at_once)
                rows = torch.arange(first, end)
                farthest.append(book.fill(index, first, keys(layer, rows)))
            reach.append(_reach(torch.cat(farthest, 1), frames=frames))
        book.reach = torch.stack(reach)
        with lock:
            self._now, self._next, self._next_fit = book, None, next_fit

    def _sampled(self, frames: int) -> Iterator[Tensor]:
        """Give keys spread over all frames, as row * tokens + token, some frames at a time."""
        keys, most = frames * self._tokens, SAMPLED_KEYS
        places = torch.arange(keys)
        if keys > most:  # one of each stretch: even steps would meet the same few tokens
            drawn = torch.rand(most, generator=torch.Generator().manual_seed(0))
            places = ((torch.arange(most) + drawn.double()) * (keys / most)).long()
        frames_at_once = max(1, SAMPLED_AT_ONCE // self._tokens)
        ends = torch.arange(0, keys, frames_at_once * self._tokens)[1:]
        yield from places.tensor_split(torch.searchsorted(places, ends))

    def _at(self, places: Tensor, layer: int, keys: Keys) -> Tensor:
        """Return the keys at some places, [kv_heads, places, head_dim]."""
        rows, of = (places // self._tokens).unique(return_inverse=True)
        return keys(layer, rows)[:, of * self._tokens + places % self._tokens]

    def frame_scores(self, queries: Mapping[int, Tensor], frames: int) -> Tensor:
        """
        Say about how much each frame's best token would get, as `retrieval.page_scores` counts.

        :param queries: by layer, scaled, float32 [kv_heads, rows, head_dim], on any device
        :param frames: how many are held
        :returns: float32 [frames], on the host
        """
        assert self._now is not None
        now, used, shares = self._now, self._now.used, {}
        for index, layer in enumerate(self._layers):
            if layer in queries:
                centroids, counts = now.centroids[index, :, :used], now.counts[index, :, :used]
                shares[index] = _shares(queries[layer], centroids, counts)
        on_host = torch.stack(list(shares.values())).cpu()  # [layers, kv_heads, used]
        total = torch.zeros(frames)
        for index, of_layer in zip(shares, on_host, strict=True):
            of_heads = [
                share.index_select(0, codes.int().flatten()).view(self._tokens, frames).amax(0)
                for share, codes in zip(of_layer, now.codes[index, :, :, :frames], strict=True)
            ]
            total += torch.stack(of_heads).amax(0)
        return total

    def state(self, frames: int, lock: threading.RLock) -> State:
        """Return the sketch of so many frames, to `restore`; `lock` as `Codebook.state` has it."""
        book = State() if self._now is None else self._now.state(frames, lock)
        facts = {'layers': list(self._layers), 'taken': self._taken, 'next_fit': self._next_fit}
        return State(book.tensors, facts, book.rows)

    def check(self, state: State) -> None:
        """
        Refuse what is no sketch of these layers.

        :raises ValueError: if it is one of other layers, or none
        """
        layers = state.facts.get('layers')
        if layers != list(self._layers):
            raise ValueError(
                f'archive: expected a sketch of layers {list(self._layers)}, got {layers}: '
                'retrieval.by, or retrieval.heads of memory.yaml, has changed'
            )

    def restore(self, state: State) -> None:
        """Take back a sketch that `check` accepts."""
        made = bool(state.tensors)
        self._now = Codebook.restored(state, rows=self._rows) if made else None
        self._next, self._making, self._owed, self._sample_bytes = None, None, 0, 0
        self._taken, self._next_fit = state.facts['taken'], state.facts['next_fit']


def _reach(farthest: Tensor, *, frames: int) -> Tensor:
    """
    Say how far a key must be to get a spare centroid, so that they last for as many frames again.

    :param farthest: how far the farthest key of each frame is, [kv_heads, frames held]
    """
    count = farthest.shape[1]
    near_enough = count - count * SPARE // frames  # frames
    if near_enough <= 0:
        return torch.zeros(len(farthest))
    return farthest.sort(1).values[:, near_enough - 1]


def _shares(rows: Tensor, centroids: Tensor, counts: Tensor) -> Tensor:
    """
    Return the largest attention that any row pays a key of each centroid, on the rows' device.

    :param rows: [kv_heads, rows, head_dim]
    :param centroids: [kv_heads, used, head_dim], with so many keys each
    """
    logs = upload(counts, rows.device).log()  # -inf where there are none
    logits = torch.baddbmm(logs[:, None], rows, upload(centroids, rows.device).transpose(1, 2))
    of_all = logits.log_softmax(2).amax(1)  # a centroid's keys together
    return (of_all - logs).exp().nan_to_num(0.0)  # of a kv head that does not choose
