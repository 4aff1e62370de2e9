# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Vision Sink Bucketing: what stays in long-term memory when it overflows.

Tokens that the newest vision tokens attend to, the sinks, stay wherever they lie in time. All
others compete with their neighbours only: time is cut into as many slots as tokens may stay, and a
slot without a sink keeps its best one. So a busy minute cannot push out a quiet hour. LiveVLM,
arXiv 2505.15269v2: buckets of capacity one, here over the time of tokens, because their rank among
the survivors forgets how long ago they were. Scores are averaged over layers, so that the same
tokens stay in all of them: a page holds its tokens of every layer. Where an archive keeps
everything, whole pages compete in place of tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor

from livevlm_ros.memory import infinipot

WINDOW = 32
"""Newest vision tokens that vote (r): few, so that voting costs little beside attention itself."""

SINK_SHARE = 0.5
"""Share of the budget that score alone decides (R / M), as LiveVLM's authors ship it."""


def window_scores(
    q: Tensor, keys: Tensor, *, first: int, last: int, own: Tensor | None = None
) -> Tensor:
    """
    Attention that cached tokens of a layer receive from the newest vision tokens.

    :param q: rotated queries of the newest tokens, [q_heads, window, head_dim]
    :param keys: rotated keys of all that the newest of them sees, [kv_heads, seen, head_dim]
    :param first: index in `keys` of the first token to score
    :param last: index after that of the last token to score
    :param own: which of the keys are the window's own, [window]; None: the last
    :returns: means over queries and heads, float32 [last - first]; over all of `keys` they would
        sum to 1
    """
    q_heads, window, width = q.shape
    kv_heads = keys.shape[0]
    grouped = (
        q.reshape(kv_heads, -1, width).float() * width**-0.5
    )  # rows: queries of a kv head's group
    logits = torch.matmul(grouped, keys.float().transpose(1, 2)).view(q_heads, window, -1)
    if own is None:
        unseen = torch.ones(window, window, dtype=torch.bool, device=q.device).triu_(1)
        logits[..., -window:].masked_fill_(unseen, -torch.inf)
    else:
        later = torch.arange(keys.shape[1], device=q.device) > own[:, None]
        logits.masked_fill_(later, -torch.inf)
    return logits.softmax(dim=-1)[..., first:last].mean(dim=(0, 1))


def survivors(eviction: str, scores: Tensor, times: Tensor, *, budget: int) -> Tensor:
    """
    Choose what stays when long-term memory overflows: tokens, or pages of them.

    :param eviction: `vsb`, Vision Sink Bucketing; or a baseline: `fifo`, the newest; `uniform`,
        evenly over time; `infinipot`, those that InfiniPot-V would keep
    :param scores: attention received, [candidates]; for `infinipot` its own, [2, candidates];
        `fifo` and `uniform` look at none
    :param times: seconds, float64, not falling, [candidates]
    :param budget: how many stay
    :returns: indices of those that stay, ascending, [min(budget, candidates)]
    """
    if eviction == 'fifo':
        return torch.arange(max(len(times) - budget, 0), len(times))
    if eviction == 'uniform':
        return tokens_to_keep(_gaps(times), times, budget=budget, sinks=0)
    if eviction == 'infinipot':
        return infinipot.tokens_to_keep(scores, budget=budget)
    return tokens_to_keep(scores, times, budget=budget, sinks=int(SINK_SHARE * budget))


def tokens_to_keep(scores: Tensor, times: Tensor, *, budget: int, sinks: int) -> Tensor:
    """
    Choose what Vision Sink Bucketing keeps.

    Phase one takes the sinks, phase two the best of each slot that has no sink, best first, phase
    three, if gaps in time left slots empty, the best of the rest. Of two with equal scores the
    earlier is the better.

    :param scores: attention received, [tokens]
    :param times: seconds, float64, not falling, [tokens]
    :param budget: tokens that stay (M), and slots that time is cut into
    :param sinks: tokens that stay by score alone (R)
    :returns: indices of the tokens that stay, ascending, [min(budget, tokens)]
    :raises ValueError: if there are to be more sinks than the budget has room for, or fewer than 0
    """
    if not 0 <= sinks <= budget:
        raise ValueError(f'sinks must be from 0 to the budget of {budget} tokens, got {sinks}')
    tokens = len(scores)
    if not 0 < budget < tokens:
        return torch.arange(min(budget, tokens))

    place = scores.argsort(descending=True, stable=True).argsort()  # 0: the best
    slot = _time_slots(times, budget)
    best = place.new_full((budget,), tokens).scatter_reduce_(0, slot, place, 'amin')
    # Where a slot has sinks its best token is one of them, so phase two takes no other from it.
    waits = (place >= sinks) & (place != best[slot])
    turn = place + tokens * waits
    return turn.topk(budget, largest=False, sorted=False).indices.sort().values


def _time_slots(times: Tensor, slots: int) -> Tensor:
    """Return the slot of each time when all of it is cut evenly, like `times`."""
    span = (times[-1] - times[0]).clamp_min(torch.finfo(times.dtype).tiny)
    return ((times - times[0]) * slots / span).long().clamp_max(slots - 1)


def _gaps(times: Tensor) -> Tensor:
    """
    Seconds between each candidate and the one before it, infinite for the first.

    As scores they make bucketing blind to attention: it has the slots of `vsb` and fills empty
    ones with the loneliest candidates. So a cache that is thinned again and again stays even; by
    order of time instead, one end of the stream would grow dense.
    """
    return times.diff(prepend=times.new_full((1,), -torch.inf))
