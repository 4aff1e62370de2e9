# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who stays when long-term memory overflows: Vision Sink Bucketing, or a baseline to compare."""

from __future__ import annotations

import torch
from torch import Tensor

from livevlm_ros.memory.bucketing import SINK_SHARE, tokens_to_keep
from livevlm_ros.memory.config import EVICTIONS


def survivors(eviction: str, scores: Tensor, times: Tensor, *, budget: int) -> Tensor:
    """
    Choose the tokens of each layer that stay.

    :param eviction: `vsb`, Vision Sink Bucketing; `fifo`, the newest; `uniform`, evenly over time
    :param scores: attention received, which the baselines do not look at, [layers, tokens]
    :param times: seconds, float64, not falling within a layer, [layers, tokens]
    :param budget: tokens that stay in a layer
    :returns: indices of the tokens that stay, ascending, [layers, min(budget, tokens)]
    :raises ValueError: for another eviction
    """
    match eviction:
        case 'vsb':
            return tokens_to_keep(scores, times, budget=budget, sinks=int(SINK_SHARE * budget))
        case 'fifo':
            return _newest(times, budget)
        case 'uniform':
            return tokens_to_keep(_gaps(times), times, budget=budget, sinks=0)
    raise ValueError(f'eviction must be one of {", ".join(EVICTIONS)}, got {eviction!r}')


def _newest(times: Tensor, budget: int) -> Tensor:
    layers, tokens = times.shape
    first = max(tokens - budget, 0)
    return torch.arange(first, tokens, device=times.device).expand(layers, -1)


def _gaps(times: Tensor) -> Tensor:
    """
    Seconds between each token and the one before it, infinite for the first, [layers, tokens].

    As scores they make bucketing blind to attention: it has the slots of `vsb` and makes up for
    empty ones with the loneliest tokens. So a cache that is thinned again and again stays even; by
    order of time instead, one end of the stream would grow dense.
    """
    before_first = torch.full_like(times[:, :1], -torch.inf)
    return times.diff(dim=1, prepend=before_first)
