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
class EvidenceLayers:
    """
    Where a checkpoint's attention says what it looked at.

    :param layers: language layers, counted from 0
    :param heads: query heads of those layers; None: all
    """

    layers: tuple[int, ...]
    heads: tuple[int, ...] | None = None

    @classmethod
    def from_settings(cls, settings: Mapping, shape: CacheShape) -> EvidenceLayers:
        """
        Read `evidence: {layers: [2], heads: [0, 1]}` of a checkpoint's `memory.yaml`.

        :param settings: the whole file; without an `evidence` entry all layers and heads count
        :raises ValueError: naming a key that is unknown, or a layer or head the model does not
            have
        """
        entry = settings.get('evidence') or {}
        if not isinstance(entry, Mapping) or not set(entry) <= {'layers', 'heads'}:
            raise ValueError(
                f'memory.yaml: evidence takes the keys layers and heads, got {entry!r}'
            )
        layers = _numbers('layers', entry.get('layers'), below=shape.layers) or tuple(
            range(shape.layers)
        )
        return cls(layers, _numbers('heads', entry.get('heads'), below=shape.q_heads))


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
    Attention of one token on everything it sees, by kv head: the mean over all heads is their sum.

    :param query: the token's queries, rotated, [q_heads, head_dim]
    :param keys: rotated keys, [kv_heads, tokens, head_dim]
    :param heads: query heads that count; None: all
    :returns: shares that together sum to 1, float32 [kv_heads, tokens]
    """
    kv_heads, _, width = keys.shape
    grouped = query.view(kv_heads, -1, width) * width**-0.5
    rows = torch.matmul(grouped, keys.transpose(1, 2)).float().softmax(dim=-1)
    counted = torch.full(rows.shape[:2], heads is None, device=rows.device)  # [kv_heads, group]
    if heads is not None:
        counted.view(-1)[list(heads)] = True
    return (rows * counted[..., None]).sum(dim=1) / counted.sum()


def frame_shares(rows: Sequence[tuple[Tensor, Tensor]]) -> list[tuple[int, float]]:
    """
    Share of the attention on frames that each frame got, best first; the shares sum to 1.

    :param rows: of each evidence layer the frame of every token it read, int64 [tokens], by time,
        and the attention on it, [tokens]
    :returns: frames and shares; of equal ones the older first
    """
    if not rows:
        return []
    frames, place = torch.cat([frames for frames, _ in rows]).unique(return_inverse=True)
    mass = torch.zeros(len(frames), dtype=torch.float64, device=frames.device)
    mass.index_add_(0, place, torch.cat([row for _, row in rows]).double())
    shares = mass / mass.sum().clamp_min(torch.finfo(mass.dtype).tiny)
    pairs = zip(frames.tolist(), shares.tolist(), strict=True)
    return sorted(pairs, key=lambda pair: pair[1], reverse=True)
