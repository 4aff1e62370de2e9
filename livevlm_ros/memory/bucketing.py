# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Vision Sink Bucketing: which vision tokens stay when long-term memory overflows.

Tokens that the newest vision tokens attend to, the sinks, stay wherever they lie in time. All
others compete with their neighbours only: time is cut into as many slots as tokens may stay, and a
slot without a sink keeps its best one. So a busy minute cannot push out a quiet hour. LiveVLM,
arXiv 2505.15269v2: buckets of capacity one, here over the time of tokens, because their rank among
the survivors forgets how long ago they were.
"""

from __future__ import annotations

import torch
from torch import Tensor

WINDOW = 32
"""Newest vision tokens that vote (r): few, so that voting costs little beside attention itself."""

SINK_SHARE = 0.25
"""Share of the budget that score alone decides (R / M): the larger part is left to coverage."""


def window_scores(q: Tensor, keys: Tensor, *, first: int, last: int) -> Tensor:
    """
    Attention that cached tokens of a layer receive from the newest vision tokens.

    :param q: rotated queries of the newest tokens, [q_heads, window, head_dim]
    :param keys: rotated keys of all that the newest of them sees, the window's own last,
        [kv_heads, seen, head_dim]
    :param first: index in `keys` of the first token to score
    :param last: index after that of the last token to score
    :returns: means over queries and heads, float32 [last - first]; over all of `keys` they would
        sum to 1
    """
    q_heads, window, width = q.shape
    kv_heads = keys.shape[0]
    grouped = q.reshape(kv_heads, -1, width) * width**-0.5  # rows: queries of a kv head's group
    logits = torch.matmul(grouped, keys.transpose(1, 2)).view(q_heads, window, -1)
    unseen = torch.ones(window, window, dtype=torch.bool, device=q.device).triu_(1)
    logits[..., -window:].masked_fill_(unseen, -torch.inf)
    return logits.softmax(dim=-1, dtype=torch.float32)[..., first:last].mean(dim=(0, 1))


def tokens_to_keep(scores: Tensor, times: Tensor, *, budget: int, sinks: int) -> Tensor:
    """
    Choose the tokens of each layer that stay.

    Phase one takes the sinks, phase two the best token of each slot that has no sink, best first,
    phase three, if gaps in time left slots empty, the best of the rest. Of two tokens with equal
    scores the earlier is the better.

    :param scores: attention received, [layers, tokens]
    :param times: seconds, float64, not falling within a layer, [layers, tokens]
    :param budget: tokens that stay in a layer (M), and slots its time is cut into
    :param sinks: tokens that stay by score alone (R)
    :returns: indices of the tokens that stay, ascending, [layers, min(budget, tokens)]
    :raises ValueError: if there are to be more sinks than the budget has room for, or fewer than 0
    """
    if not 0 <= sinks <= budget:
        raise ValueError(f'sinks must be from 0 to the budget of {budget} tokens, got {sinks}')
    layers, tokens = scores.shape
    if not 0 < budget < tokens:
        return torch.arange(min(budget, tokens), device=scores.device).expand(layers, -1)

    place = scores.argsort(dim=1, descending=True, stable=True).argsort(dim=1)  # 0: the best
    slot = _time_slots(times, budget)
    best = place.new_full((layers, budget), tokens).scatter_reduce_(1, slot, place, 'amin')
    # Where a slot has sinks its best token is one of them, so phase two takes no other from it.
    waits = (place >= sinks) & (place != best.gather(1, slot))
    turn = place + tokens * waits
    return turn.topk(budget, dim=1, largest=False, sorted=False).indices.sort(dim=1).values


def _time_slots(times: Tensor, slots: int) -> Tensor:
    """Return the slot each token falls in when its layer's time is cut evenly, like `times`."""
    begin, end = times[:, :1], times[:, -1:]
    span = (end - begin).clamp_min(torch.finfo(times.dtype).tiny)
    return ((times - begin) * slots / span).long().clamp_max(slots - 1)
