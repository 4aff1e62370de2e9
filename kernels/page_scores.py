# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How much a question attends to each page of the memory.

A page stands for its tokens by the mean of their keys before rotary, so that the score does not
depend on where the tokens stood in the stream: Position-agnostic KV Retrieval, LiveVLM, arXiv
2505.15269 v2. The query heads that share a kv head share its pages; each head's softmax is taken
before the mean over them, MeanS of FreeKV, arXiv 2505.13109.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

import torch
from torch import Tensor

LEAST_PAGES = 65_536
"""Pages from which the kernel is faster than its twin: of fewer, launching it takes longer."""

_HAS_TRITON = find_spec('triton') is not None  # not every torch for a GPU brings it


def page_scores(q: Tensor, *means: Tensor, mask: Tensor | None = None) -> Tensor:
    """
    Score pages for a question, by the attention its tokens pay to their mean keys.

    The score of a page for a kv head is the mean, over all tokens and over the query heads of
    its group, of softmax over pages of q . mean / sqrt(dim).

    :param q: queries before rotary, [q_heads, tokens, dim], at least one token; query head h
        belongs to kv head h // (q_heads / kv_heads)
    :param means: mean key before rotary of each page, [pages, kv_heads, dim], any strides; pages
        of several tensors are scored as if they lay in one
    :param mask: true where a page may be chosen, bool [pages]; None for all pages
    :returns: float32 [kv_heads, pages]; a row sums to 1, pages that may not be chosen have 0
    :raises ValueError: if the shapes do not fit each other or `mask` is not bool
    """
    _check(q, means, mask)
    if q.is_cuda and _HAS_TRITON and sum(map(len, means)) >= LEAST_PAGES:
        from livevlm_kernels.page_scores_triton import page_scores_triton

        joined = means[0] if len(means) == 1 else torch.cat([part.float() for part in means])
        return page_scores_triton(q, joined, mask=mask)
    return page_scores_torch(q, *means, mask=mask)


def page_scores_torch(q: Tensor, *means: Tensor, mask: Tensor | None = None) -> Tensor:
    """Score pages as `page_scores` does, on any device, with all logits in memory at once."""
    kv_heads, dim = means[0].shape[1:]
    rows = (q.float() / dim**0.5).reshape(kv_heads, -1, dim)  # [kv_heads, group * tokens, dim]
    parts = [rows @ part.float().permute(1, 2, 0) for part in means]
    logits = parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)  # [.., .., pages]
    if mask is None:
        return logits.softmax(-1).mean(1)
    shares = logits.masked_fill_(~mask, -torch.inf).softmax(-1)
    return shares.mean(1).masked_fill_(~mask, 0.0)  # without any page the softmax is not a number


def _check(q: Tensor, means: Sequence[Tensor], mask: Tensor | None) -> None:
    (q_heads, tokens, dim), pages = q.shape, sum(len(part) for part in means)
    kv_heads = means[0].shape[1]
    fitting = all(part.shape[1:] == (kv_heads, dim) for part in means)
    if q_heads % kv_heads or not fitting or not tokens:
        raise ValueError(
            'expected q [q_heads, tokens, dim] with at least one token, and means '
            '[pages, kv_heads, dim] of the same dim with q_heads a multiple of kv_heads, '
            f'got {list(q.shape)} and {", ".join(str(list(part.shape)) for part in means)}'
        )
    if mask is not None and (mask.dtype != torch.bool or mask.shape != (pages,)):
        raise ValueError(
            f'expected a bool mask of {pages} pages, got {mask.dtype} {list(mask.shape)}'
        )
