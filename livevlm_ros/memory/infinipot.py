# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
InfiniPot-V's scores (arXiv 2506.15745), a baseline beside Vision Sink Bucketing.

Temporal redundancy: a key that is like those the newest frames have at the same place can go.
Value norm: a token with a small value adds little to any answer. A share of the budget goes to
each. The authors choose for each layer and kv head, and smooth the norms over neighbouring places;
here both scores are averaged over layers and kv heads, because a token is kept in all of them, and
nothing is smoothed, because what is left of a frame is no grid.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

REDUNDANCY_SHARE = 0.5
"""Share of the budget that redundancy decides (alpha), as the authors ship it."""


def scores(keys: Tensor, values: Tensor, places: Tensor, recent: Tensor) -> Tensor:
    """
    Score candidates by both.

    :param keys: before rotary, [layers, kv_heads, candidates, head_dim]
    :param values: shaped like `keys`
    :param places: of the candidates in their frames, int64 [candidates]
    :param recent: keys of the newest frames, [layers, kv_heads, frames, places, head_dim]
    :returns: how new a key is, and how large a value is beside its layer's, float32
        [2, candidates]
    """
    usual = normalize(recent.float(), dim=-1).mean(2)  # [layers, kv_heads, places, head_dim]
    there = places.to(keys.device)
    cosines = (normalize(keys.float(), dim=-1) * usual[:, :, there]).sum(-1)
    norms = values.float().norm(dim=-1)
    relative = norms / norms.mean(-1, keepdim=True)
    return torch.stack((-cosines.mean((0, 1)), relative.mean((0, 1))))


def tokens_to_keep(scores: Tensor, *, budget: int) -> Tensor:
    """
    Choose what stays.

    :param scores: as `scores` gives them, [2, candidates]
    :returns: indices of the tokens that stay, ascending, [min(budget, candidates)]
    """
    newness, norms = scores
    budget = min(budget, len(norms))
    first = newness.topk(int(REDUNDANCY_SHARE * budget)).indices
    rest = norms.scatter(0, first, -torch.inf).topk(budget - len(first)).indices
    return torch.cat((first, rest)).sort().values
