# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A sketch of every archived key, so that ranking does not grow with the stream.

Each key of the layers that choose is known by the nearest of a few centroids, one byte in place of
a vector. A question scores the centroids, the sketch says which frames may hold its best tokens,
and only those are ranked by their keys. An inverted file's coarse quantiser, put to a key-value
cache (Jégou et al., Product Quantization for Nearest Neighbor Search, 2011, section 4).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from livevlm_ros.memory.shape import CacheShape
from livevlm_ros.memory.state import State, copied

CENTROIDS = 256
"""Of a kv head: as many as a byte tells apart."""

FIRST_FIT = 256
"""Frames from which the sketch is made; fewer are all ranked by their keys."""

GROWTH = 4
"""The sketch is made anew when the archive has grown so many times."""

SAMPLE = 4096
"""Keys of a kv head that centroids are fitted to."""

ROUNDS = 4
"""Of Lloyd's algorithm."""

CHUNK = 256
"""Frames sketched at once, so that nobody waits for long."""


class KeySketch:
    """
    Centroids and codes, on the host.

    :param layers: whose keys are sketched
    :param rows: most frames
    """

    def __init__(self, shape: CacheShape, layers: Sequence[int], *, rows: int) -> None:
        self._layers = tuple(layers)
        self._tokens, self._next_fit = shape.tokens_per_frame, FIRST_FIT
        heads = (len(self._layers), shape.kv_heads)
        self._centroids = torch.zeros(*heads, CENTROIDS, shape.head_dim)
        self._codes = torch.empty(*heads, shape.tokens_per_frame, rows, dtype=torch.uint8)

    @staticmethod
    def row_bytes(shape: CacheShape, layers: int) -> int:
        """Bytes of a frame's codes."""
        return layers * shape.kv_heads * shape.tokens_per_frame

    def outgrown(self, frames: int) -> bool:
        """Return whether so many frames ask for centroids fitted anew."""
        return frames >= self._next_fit

    def encode(self, keys: Tensor) -> Tensor:
        """
        Return the codes of a frame.

        :param keys: before rotary, float32 [layers of the model, kv_heads, tokens, head_dim]
        :returns: uint8 [layers, kv_heads, tokens]
        """
        return _nearest(keys[list(self._layers)], self._centroids)

    def put(self, row: int, codes: Tensor) -> None:
        """Keep the codes of a frame, as `encode` gives them."""
        self._codes[..., row] = codes

    def move(self, source: int, target: int) -> None:
        """Let a frame have another row."""
        self._codes[..., target] = self._codes[..., source]

    def refit(
        self, keys: Callable[[int, Tensor], Tensor], frames: int, lock: threading.RLock
    ) -> None:
        """
        Fit centroids to the frames held and sketch all of them anew; old ones serve until then.

        :param keys: gives the keys of a layer, float32 [kv_heads, frames * tokens, head_dim], by
            layer and rows
        :param frames: how many are held
        :param lock: held while keys are read and while the new sketch takes its place
        """
        every = -(-frames * self._tokens // SAMPLE)
        sample = torch.arange(0, frames, every)
        centroids, codes = torch.empty_like(self._centroids), torch.empty_like(self._codes)
        for index, layer in enumerate(self._layers):
            with lock:
                centroids[index] = _fitted(keys(layer, sample))
            for rows in torch.arange(frames).split(CHUNK):
                with lock:
                    nearest = _nearest(keys(layer, rows), centroids[index])
                of_frames = nearest.unflatten(1, (len(rows), -1))  # [kv_heads, frames, tokens]
                codes[index, :, :, rows] = of_frames.transpose(1, 2)
        with lock:
            self._centroids, self._codes = centroids, codes
        self._next_fit = max(FIRST_FIT, GROWTH * frames)

    def frame_scores(self, queries: Mapping[int, Tensor], frames: int) -> Tensor:
        """
        Say about how much each frame's best token would get, as `retrieval.page_scores` counts.

        :param queries: by layer, scaled, float32 [kv_heads, rows, head_dim]
        :param frames: how many are held
        :returns: float32 [frames]
        """
        total = torch.zeros(frames)
        for index, layer in enumerate(self._layers):
            if layer not in queries:
                continue
            best = torch.zeros(frames)
            logits = queries[layer] @ self._centroids[index].transpose(1, 2)
            for head, of_head in enumerate(logits):  # [rows, centroids]
                codes = self._codes[index, head, :, :frames].int()  # [tokens, frames]
                counts = codes.flatten().bincount(minlength=CENTROIDS)
                weights = counts.clamp_min(1e-9).log()
                share = (of_head - (of_head + weights).logsumexp(1, keepdim=True)).amax(0).exp()
                of_tokens = share.index_select(0, codes.flatten()).view(self._tokens, frames)
                torch.maximum(best, of_tokens.amax(0), out=best)
            total += best
        return total

    def state(self, frames: int) -> State:
        """Return copies of the sketch of so many frames, to `restore`."""
        tensors = {'centroids': self._centroids, 'codes': self._codes[..., :frames]}
        return State(
            {name: copied(tensor) for name, tensor in tensors.items()},
            {'layers': list(self._layers), 'next_fit': self._next_fit},
        )

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
        centroids, codes = state.tensors['centroids'], state.tensors['codes']
        self._centroids.copy_(centroids)
        self._codes[..., : codes.shape[-1]] = codes
        self._next_fit = state.facts['next_fit']


def _nearest(keys: Tensor, centroids: Tensor) -> Tensor:
    """Return which centroid each key is nearest to, uint8, [..., keys, dim] and [..., n, dim]."""
    near = keys @ centroids.transpose(-1, -2) - centroids.square().sum(-1).unsqueeze(-2) / 2
    return near.argmax(-1).to(torch.uint8)


def _fitted(keys: Tensor) -> Tensor:
    """Return the centroids of keys, [kv_heads, keys, head_dim], by Lloyd's algorithm."""
    heads, count, width = keys.shape
    start = torch.linspace(0, count - 1, CENTROIDS).long()
    centroids = keys[:, start].clone()
    for _ in range(ROUNDS):
        nearest = _nearest(keys, centroids).long()
        sums = torch.zeros_like(centroids)
        sums.scatter_add_(1, nearest[..., None].expand(-1, -1, width), keys)
        counts = torch.zeros(heads, CENTROIDS).scatter_add_(1, nearest, torch.ones(heads, count))
        occupied = counts[..., None] > 0
        centroids = torch.where(occupied, sums / counts[..., None].clamp_min(1), centroids)
    return centroids
