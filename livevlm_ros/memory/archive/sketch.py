# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A sketch of every archived key, so that ranking does not grow with the stream.

Each key of the layers that choose is known by the nearest of some centroids, two bytes in place of
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

CENTROIDS = 2048
"""
Of a kv head, keys of the stream itself. Of the 30 pages that are best among 768 to 1,008 frames of
the simulated camera 92 % lie in the 256 frames that the sketch names.
"""

FIRST_FIT = 256
"""Frames from which the sketch is made; fewer are all ranked by their keys."""

GROWTH = 4
"""The sketch is made anew when the archive has taken so many times the frames, kept or not."""

CHUNK = 64
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
        self._codes = torch.empty(*heads, shape.tokens_per_frame, rows, dtype=torch.int16)
        self._counts = torch.zeros(*heads, CENTROIDS)  # keys by centroid
        self._wide = torch.empty(*heads, shape.tokens_per_frame, dtype=torch.int64)

    @staticmethod
    def row_bytes(shape: CacheShape, layers: int) -> int:
        """Bytes of a frame's codes."""
        return 2 * layers * shape.kv_heads * shape.tokens_per_frame

    def outgrown(self, taken: int) -> bool:
        """Return whether an archive that has taken so many frames asks for new centroids."""
        return taken >= self._next_fit

    def encode(self, keys: Tensor) -> Tensor:
        """
        Return the codes of a frame.

        :param keys: before rotary, float32 [layers of the model, kv_heads, tokens, head_dim]
        :returns: int16 [layers, kv_heads, tokens]
        """
        return _nearest(keys[list(self._layers)], self._centroids)

    def put(self, row: int, codes: Tensor) -> None:
        """Keep the codes of a frame, as `encode` gives them."""
        self._count(codes, 1)
        self._codes[..., row] = codes

    def remove(self, row: int, last: int) -> None:
        """Forget a frame; that of the last row takes its place."""
        self._count(self._codes[..., row], -1)
        self._codes[..., row] = self._codes[..., last]

    def _count(self, codes: Tensor, by: int) -> None:
        """Count a frame's keys, or take them off; asks for no memory, so it cannot run out."""
        self._wide.copy_(codes)
        self._counts.scatter_(2, self._wide, by, reduce='add')

    def refit(
        self, keys: Callable[[int, Tensor], Tensor], frames: int, lock: threading.RLock
    ) -> None:
        """
        Take centroids from the frames held and sketch all of them anew; old ones serve until then.

        :param keys: gives the keys of a layer, float32 [kv_heads, frames * tokens, head_dim], by
            layer and rows
        :param frames: how many are held
        :param lock: held while keys are read and while the new sketch takes its place
        """
        spread = _spread(frames * self._tokens)
        centroids, codes = torch.empty_like(self._centroids), torch.empty_like(self._codes)
        for index, layer in enumerate(self._layers):
            with lock:
                rows, places = spread // self._tokens, spread % self._tokens
                held, of = rows.unique(return_inverse=True)
                centroids[index] = keys(layer, held)[:, of * self._tokens + places]
            for rows in torch.arange(frames).split(CHUNK):
                with lock:
                    nearest = _nearest(keys(layer, rows), centroids[index])
                of_frames = nearest.unflatten(1, (len(rows), -1))  # [kv_heads, frames, tokens]
                codes[index, :, :, rows] = of_frames.transpose(1, 2)
        counts = _counted(codes[..., :frames])
        with lock:
            self._centroids, self._codes, self._counts = centroids, codes, counts
        self._next_fit = GROWTH * max(self._next_fit, frames)

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
            logits = queries[layer] @ self._centroids[index].transpose(1, 2)
            parts = (logits - logits.amax(2, keepdim=True)).exp_()  # [kv_heads, rows, centroids]
            shares = (parts / (parts @ self._counts[index, :, :, None])).amax(1)
            shares = shares.nan_to_num(0.0)  # of a kv head that does not choose
            best = torch.zeros(frames)
            for share, codes in zip(shares, self._codes[index, :, :, :frames], strict=True):
                of_tokens = share.index_select(0, codes.int().flatten())
                torch.maximum(best, of_tokens.view(self._tokens, frames).amax(0), out=best)
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
        self._counts = _counted(codes)
        self._next_fit = state.facts['next_fit']


def _spread(keys: int) -> Tensor:
    """
    Return which of so many keys become centroids, spread over all of them, int64 [CENTROIDS].

    One is drawn from each stretch: at even steps it would be the same few places of every frame.
    """
    drawn = torch.rand(CENTROIDS, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return ((torch.arange(CENTROIDS) + drawn) * (keys / CENTROIDS)).long()


def _nearest(keys: Tensor, centroids: Tensor) -> Tensor:
    """Return which centroid each key is nearest to, int16, [..., keys, dim] and [..., n, dim]."""
    near = keys @ centroids.transpose(-1, -2) - centroids.square().sum(-1).unsqueeze(-2) / 2
    return near.argmax(-1).to(torch.int16)


def _counted(codes: Tensor) -> Tensor:
    """Count the keys of each centroid, int16 [layers, kv_heads, tokens, frames]."""
    flat = codes.flatten(2).long()
    counts = torch.zeros(*codes.shape[:2], CENTROIDS)
    return counts.scatter_add_(2, flat, torch.ones(flat.shape))
