# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Evidence: the frames an answer looked at.

It is read off the attention row that predicts the first answer token, that of the last question
token, over the checkpoint's evidence layers and heads, and summed per source frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from livevlm_ros.memory.shape import CacheShape


@dataclass(frozen=True, slots=True)
class EvidenceHeads:
    """
    Where a checkpoint's attention says what it looked at.

    :param heads: query heads by layer; None: all of the layer
    """

    heads: Mapping[int, tuple[int, ...] | None]

    @classmethod
    def from_settings(
        cls, settings: Mapping, shape: CacheShape, choosing: Mapping[int, tuple[int, ...]]
    ) -> EvidenceHeads:
        """
        Read `evidence: {layers: [2], heads: [0, 1]}` of a checkpoint's `memory.yaml`.

        :param settings: the whole file
        :param choosing: heads that choose pages, by layer, which are taken without an entry; where
            there are none either all heads count
        :raises ValueError: naming a key that is unknown, or a layer or head the model does not
            have
        """
        entry = settings.get('evidence') or {}
        if not isinstance(entry, Mapping) or not set(entry) <= {'layers', 'heads'}:
            raise ValueError(
                f'memory.yaml: evidence takes the keys layers and heads, got {entry!r}'
            )
        if not entry and choosing:
            return cls(dict(choosing))
        layers = _numbers('layers', entry.get('layers'), below=shape.layers)
        heads = _numbers('heads', entry.get('heads'), below=shape.q_heads)
        return cls(dict.fromkeys(layers or range(shape.layers), heads))

    def __contains__(self, layer: int) -> bool:
        return layer in self.heads

    def of(self, layer: int) -> tuple[int, ...] | None:
        """Return the query heads of a layer that count; None: all."""
        return self.heads[layer]


def _numbers(name: str, given: object, *, below: int) -> tuple[int, ...] | None:
    if given is None:
        return None
    if (
        not isinstance(given, list)
        or not given
        or not all(type(n) is int and 0 <= n < below for n in given)
    ):
        raise ValueError(
            f'memory.yaml: evidence.{name} must list numbers from 0 to {below - 1}, got {given!r}'
        )
    return tuple(given)


def attention_row(query: Tensor, keys: Tensor, heads: Sequence[int] | None) -> Tensor:
    """
    Attention of one token on everything it sees, the mean over heads.

    :param query: the token's queries, rotated, [q_heads, head_dim]
    :param keys: rotated keys, [kv_heads, tokens, head_dim]
    :param heads: query heads that count; None: all
    :returns: shares that together sum to 1, float32 [tokens]
    """
    kv_heads, _, width = keys.shape
    grouped = query.float().view(kv_heads, -1, width) * width**-0.5
    rows = torch.matmul(grouped, keys.float().transpose(1, 2)).softmax(dim=-1).flatten(0, 1)
    if heads is not None:
        rows = torch.stack([rows[head] for head in heads])  # a list as index waits for a GPU
    return rows.mean(0)


def frame_shares(rows: Sequence[tuple[Tensor, Tensor]]) -> list[tuple[int, float]]:
    """
    Share of the attention on frames that each frame got, best first; the shares sum to 1.

    :param rows: of each evidence layer the frame of every token it read, int64 [tokens] on the
        host, by time, and the attention on it, [tokens], which is fetched for all layers at once
    :returns: frames and shares; of equal ones the older first
    """
    if not rows:
        return []
    frames, place = torch.cat([frames for frames, _ in rows]).unique(return_inverse=True)
    mass = torch.zeros(len(frames), dtype=torch.float64)
    mass.index_add_(0, place, torch.cat([row for _, row in rows]).cpu().double())
    shares = mass / mass.sum().clamp_min(torch.finfo(mass.dtype).tiny)
    pairs = zip(frames.tolist(), shares.tolist(), strict=True)
    return sorted(pairs, key=lambda pair: pair[1], reverse=True)
