# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Centroids of keys, such that rare keys are near one too.

What a question asks for was seen in few frames of many. Centroids drawn from the keys evenly, or
moved by rounds of k-means, lie where keys are many, and what is rare cannot be told from them. So
each is drawn where keys are far from those before: k-means++ (Arthur and Vassilvitskii, 2007), in
rounds of many (k-means||, Bahmani et al., 2012), by the fourth power of the distance, and then
moved once to the mean of the keys that it is nearest to.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import torch
from torch import Tensor

FIRST_DRAWN = 64
CHUNK_KEYS = 512
"""Keys of a head whose distances are computed at once: they stay in the cache."""

PRODUCTS_AT_ONCE = 2**22
"""Distances that a piece of work computes: 15 ms on a core of 2023, of heads 64 wide."""

Pieces = Generator[None, None, Tensor]
"""Work that stops between its pieces, and what comes of it."""


def centroids_of(keys: Tensor, count: int) -> Pieces:
    """
    Make centroids of keys; the same keys give the same bits.

    :param keys: float32 [kv_heads, keys, head_dim], at least one; what is no number becomes 0
    :param count: of centroids
    :returns: float32 [kv_heads, count, head_dim]; of fewer keys each is one, some repeatedly
    """
    keys.nan_to_num_()
    if keys.shape[1] <= count:
        return keys[:, torch.arange(count) % keys.shape[1]]
    drawn = yield from _drawn_far_apart(keys, count, torch.Generator().manual_seed(0))
    near = (yield from _in_pieces(keys, drawn, 0)).long()  # [kv_heads, keys]
    sums = torch.zeros_like(drawn).scatter_add_(1, near[..., None].expand_as(keys), keys)
    sizes = torch.zeros(drawn.shape[:2]).scatter_add_(1, near, torch.ones(near.shape))[..., None]
    return torch.where(sizes > 0, sums / sizes, drawn)


def nearest(
    keys: Tensor, centroids: Tensor, halves: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """
    Find the centroid that each key is nearest to.

    :param keys: [..., keys, head_dim]
    :param centroids: [..., centroids, head_dim]
    :param halves: half their squared norms, inf for one that no key may have; None: computed
    :returns: which it is, int16 [..., keys], and how far the key is from it, float32 [..., keys]
    """
    if halves is None:
        halves = half_norms(centroids)
    codes = torch.empty(keys.shape[:-1], dtype=torch.int16)
    near = torch.empty(keys.shape[:-1])
    heads = (each.flatten(0, -dims) for each, dims in ((keys, 3), (centroids, 3), (halves, 2)))
    of_heads = zip(*heads, codes.flatten(0, -2), near.flatten(0, -2), strict=True)
    for own, points, half, code, most in of_heads:
        for at in range(0, len(own), CHUNK_KEYS):
            part = slice(at, at + CHUNK_KEYS)
            products = torch.addmm(half, own[part], points.T, beta=-1).numpy()
            best = products.argmax(1, keepdims=True)  # several times as fast as PyTorch's
            code[part] = torch.from_numpy(best[:, 0])
            most[part] = torch.from_numpy(np.take_along_axis(products, best, 1)[:, 0])
    far = (keys.square().sum(-1) - 2 * near).clamp_min_(0).sqrt_()
    return codes, far


def half_norms(centroids: Tensor) -> Tensor:
    """Return half the squared norms, [...]."""
    return centroids.square().sum(-1) / 2


def _in_pieces(keys: Tensor, centroids: Tensor, which: int) -> Pieces:
    """Return what `nearest` does: the centroids of keys, 0, or how far they are, 1."""
    pieces = -(-keys.shape[:2].numel() * centroids.shape[1] // PRODUCTS_AT_ONCE)
    found = []
    for part in keys.tensor_split(pieces, dim=1):
        found.append(nearest(part, centroids)[which])
        yield
    return torch.cat(found, 1)


def _drawn_far_apart(keys: Tensor, count: int, generator: torch.Generator) -> Pieces:
    """Draw so many of more keys, a quarter of those drawn before in a round."""
    new = drawn = keys[:, torch.randperm(keys.shape[1], generator=generator)[:FIRST_DRAWN]]
    far = torch.full(keys.shape[:2], torch.inf)  # from each key to the nearest that was drawn
    while drawn.shape[1] < count:
        far = torch.minimum(far, (yield from _in_pieces(keys, new, 1)))
        weights = (far / far.amax(1, keepdim=True).clamp_min(1e-9)) ** 4 + 1e-9
        more = min(drawn.shape[1] // 4, count - drawn.shape[1])
        at = weights.multinomial(more, generator=generator)
        new = keys.gather(1, at[..., None].expand(-1, -1, keys.shape[2]))
        drawn = torch.cat((drawn, new), 1)
    return drawn
