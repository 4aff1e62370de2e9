# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A sketch of every archived key, so that ranking does not grow with the stream.

Each key of the layers that choose is known by the nearest of some centroids, two bytes in place of
a vector. A question scores the centroids, the sketch says which frames may hold its best tokens,
and only those are ranked by their keys. An inverted file's coarse quantiser, put to a key-value
cache (Jégou et al., Product Quantization for Nearest Neighbor Search, 2011, section 4).

A stream goes on to where it never was, so the sketch is made anew as it grows: a piece of that
work with every frame, while the sketch before serves on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from livevlm_ros.memory.archive.centroids import centroids_of
from livevlm_ros.memory.archive.codebook import CENTROIDS, SPARE, Codebook, CodedFrame
from livevlm_ros.memory.shape import CacheShape
from livevlm_ros.memory.state import State
from livevlm_ros.memory.tokens import upload

FIRST_FIT = 128
"""Frames from which the sketch is made."""

GROWTH = 1.5
"""The sketch is made anew when the archive has taken so many times the frames, kept or not."""

SAMPLED_KEYS = 16 * CENTROIDS
"""Most keys of a kv head that its centroids are made from."""

SAMPLED_AT_ONCE = 256
"""Frames that a piece of work takes keys from, of one layer."""

CODED_AT_ONCE = 8
"""Frames that a piece of work codes anew."""

Keys = Callable[[int, Tensor], Tensor]


class KeySketch:
    """
    Centroids and codes, on the host.

    :param layers: whose keys are sketched
    :param rows: most frames
    """

    def __init__(self, shape: CacheShape, layers: Sequence[int], *, rows: int) -> None:
        self._layers, self._tokens, self._rows = tuple(layers), shape.tokens_per_frame, rows
        centroids = torch.zeros(len(self._layers), shape.kv_heads, CENTROIDS, shape.head_dim)
        self._now = self._codebook(centroids, used=CENTROIDS)
        self._next: Codebook | None = None  # in the making
        self._making: Iterator[None] | None = None
        self._taken, self._next_fit = 0, FIRST_FIT
        self.ready = False  # before it has been made, no frame scores more than another

    def _codebook(self, centroids: Tensor, *, used: int) -> Codebook:
        of_heads = torch.full(centroids.shape[:2], used)
        return Codebook(centroids, of_heads, tokens=self._tokens, rows=self._rows)

    @staticmethod
    def row_bytes(shape: CacheShape, layers: int) -> int:
        """Bytes of a frame's codes."""
        return 2 * layers * shape.kv_heads * shape.tokens_per_frame

    def encode(self, keys: Tensor) -> list[CodedFrame]:
        """
        Code a frame, by the sketch and by the one in the making.

        :param keys: before rotary, float32 [layers of the model, kv_heads, tokens, head_dim]
        """
        chosen = keys[list(self._layers)]
        return [book.encode(chosen) for book in self._books()]

    def put(self, row: int, frame: Sequence[CodedFrame]) -> None:
        """Keep a frame as `encode` gives it, in the first row that is free."""
        for book, coded in zip(self._books(), frame, strict=True):
            book.put(row, coded)
        self._taken += 1

    def remove(self, row: int, last: int) -> None:
        """Forget a frame; that of the last row takes its place."""
        for book in self._books():
            book.remove(row, last)

    def _books(self) -> list[Codebook]:
        return [self._now] if self._next is None else [self._now, self._next]

    def catch_up(self, keys: Keys, held: Callable[[], int], lock: threading.RLock) -> None:
        """
        Do a piece of making the sketch anew, if there is any to do; to be called after each `put`.

        Whatever raises ends that; it begins once more when as many frames came as at first.

        :param keys: gives the keys of a layer, float32 [kv_heads, frames * tokens, head_dim], by
            layer and rows
        :param held: gives how many frames are held
        :param lock: held while keys are read and while codes are written
        """
        if self._making is None:
            if self._taken < self._next_fit:
                return
            self._making = self._make(keys, held, lock)
        try:
            if next(self._making, self) is self:
                self._making = None
        except BaseException:
            self._making = self._next = None
            self._next_fit = self._taken + FIRST_FIT
            raise

    def _make(self, keys: Keys, held: Callable[[], int], lock: threading.RLock) -> Iterator[None]:
        """Make centroids of a sample of all keys, layer by layer, then code every frame."""
        taken = self._taken
        centroids = torch.empty_like(self._now.centroids)
        for index, layer in enumerate(self._layers):
            sample = []
            for places in self._sampled(held()):
                with lock:
                    sample.append(self._at(places[places < held() * self._tokens], layer, keys))
                yield
            made = centroids_of(torch.cat(sample, 1), CENTROIDS - SPARE)
            centroids[index] = made[:, torch.arange(CENTROIDS) % (CENTROIDS - SPARE)]
            yield
        book, farthest = self._codebook(centroids, used=CENTROIDS - SPARE), []
        with lock:
            book.first, book.reach = held(), self._now.reach.clone()
            self._next = book
        while book.first:
            yield
            with lock:
                first = max(0, book.first - CODED_AT_ONCE)
                rows = torch.arange(first, book.first)
                farthest.append(book.fill(first, [keys(layer, rows) for layer in self._layers]))
        with lock:
            book.reach = _reach(torch.cat(farthest, 2), frames=taken)
            self._now, self._next, self._next_fit = book, None, int(GROWTH * taken)
            self.ready = True

    def _sampled(self, frames: int) -> Iterator[Tensor]:
        """Give keys spread over all frames, as row * tokens + token, some frames at a time."""
        keys, most = frames * self._tokens, SAMPLED_KEYS
        places = torch.arange(keys)
        if keys > most:  # one of each stretch: even steps would meet the same few tokens
            drawn = torch.rand(most, generator=torch.Generator().manual_seed(0))
            places = ((torch.arange(most) + drawn.double()) * (keys / most)).long()
        ends = torch.arange(0, keys, SAMPLED_AT_ONCE * self._tokens)[1:]
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
        now, shares = self._now, {}
        for index, layer in enumerate(self._layers):
            if layer in queries:
                shares[index] = _shares(queries[layer], now.centroids[index], now.counts[index])
        on_host = torch.stack(list(shares.values())).cpu()  # [layers, kv_heads, CENTROIDS]
        total = torch.zeros(frames)
        for index, share in zip(shares, on_host, strict=True):
            codes = now.codes[index, :, :, :frames]
            of_tokens = share.gather(1, codes.flatten(1).long())
            total += of_tokens.view(-1, frames).amax(0)
        return total

    def state(self, frames: int) -> State:
        """Return copies of the sketch of so many frames, to `restore`."""
        facts = {
            'layers': list(self._layers),
            'taken': self._taken,
            'next_fit': self._next_fit,
            'ready': self.ready,
        }
        return State(self._now.state(frames).tensors, facts)

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
        self._now = Codebook.restored(state, rows=self._rows)
        self._next = self._making = None
        facts = state.facts
        self._taken, self._next_fit, self.ready = (
            facts[name] for name in ('taken', 'next_fit', 'ready')
        )


def _reach(farthest: Tensor, *, frames: int) -> Tensor:
    """
    Say how far a key must be to get a spare centroid, so that they last for as many frames again.

    :param farthest: how far the farthest key of each frame is, [layers, kv_heads, frames held]
    """
    count = farthest.shape[2]
    near_enough = count - count * SPARE // frames  # frames
    if near_enough <= 0:
        return torch.zeros(farthest.shape[:2])
    return farthest.sort(2).values[..., near_enough - 1]


def _shares(rows: Tensor, centroids: Tensor, counts: Tensor) -> Tensor:
    """
    Return the largest attention that any row pays a key of each centroid, on the rows' device.

    :param rows: [kv_heads, rows, head_dim]
    :param centroids: [kv_heads, CENTROIDS, head_dim], with so many keys each
    """
    logits = rows @ upload(centroids, rows.device).transpose(1, 2)
    parts = (logits - logits.amax(2, keepdim=True)).exp_()  # [kv_heads, rows, CENTROIDS]
    shares = (parts / (parts @ upload(counts, rows.device)[..., None])).amax(1)
    return shares.nan_to_num(0.0)  # of a kv head that does not choose
