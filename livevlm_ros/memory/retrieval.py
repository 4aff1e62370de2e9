# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Position-agnostic KV Retrieval: which pages of what left short-term a question reads.

LiveVLM, arXiv 2505.15269 v2. Long-term and archive are cut into pages; a page stands for its
tokens by the mean of their keys before rotary, which rotary phases would turn into noise. The
question's queries of a layer rank the pages of that layer. The paper's lineage sends the question
through the model twice, once to find pages and once to read them; here a layer finds its pages
when the question comes to it, in states that have already read the pages of the layers below.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from livevlm_kernels.page_scores import page_scores

POOLINGS = ('mean', 'last')
SCORES = ('mass', 'cosine')

ENOUGH_MASS = 0.9
"""Share of the attention on pages that an adaptive choice holds."""

LEAST_SHARE = 0.1
"""Least share of long-term's room that an adaptive choice reads; the most is `ratio`."""


@dataclass(frozen=True, slots=True)
class RetrievalSettings:
    """
    How a checkpoint finds pages; the defaults are the paper's.

    :param page_tokens: tokens of a page (C)
    :param pooling: queries that rank: the `mean` over the question, or those of its `last` token
    :param score: a page's attention `mass` under the queries, or the `cosine` of its mean key with
        the mean query
    """

    page_tokens: int = 16
    pooling: str = 'mean'
    score: str = 'mass'

    def __post_init__(self) -> None:
        """Refuse what no page can be."""
        if type(self.page_tokens) is not int or self.page_tokens not in (1, 2, 4, 8, 16, 32, 64):
            raise ValueError(
                'memory.yaml: retrieval.page_tokens must be a power of two up to 64, '
                f'got {self.page_tokens!r}'
            )
        for name, allowed in (('pooling', POOLINGS), ('score', SCORES)):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f'memory.yaml: retrieval.{name} must be one of {", ".join(allowed)}, '
                    f'got {getattr(self, name)!r}'
                )

    @classmethod
    def from_settings(cls, settings: Mapping) -> RetrievalSettings:
        """
        Read the entry `retrieval` of a checkpoint's `memory.yaml`.

        :raises ValueError: naming a key that is unknown or a value that is not allowed
        """
        entry = settings.get('retrieval') or {}
        known = set(cls.__dataclass_fields__)
        if not isinstance(entry, Mapping) or not set(entry) <= known:
            raise ValueError(
                f'memory.yaml: retrieval takes the keys {", ".join(sorted(known))}, got {entry!r}'
            )
        return cls(**entry)


def page_means(keys: Tensor, *, page_tokens: int) -> Tensor:
    """
    Return the mean key of each whole page.

    :param keys: before rotary, [kv_heads, tokens, head_dim], a multiple of `page_tokens`
    :returns: [pages, kv_heads, head_dim]
    """
    return keys.unflatten(1, (-1, page_tokens)).mean(dim=2).transpose(0, 1)


def pooled(q: Tensor, settings: RetrievalSettings) -> Tensor:
    """
    Return the queries that rank pages, one of each head.

    :param q: a question's, [q_heads, tokens, head_dim]
    :returns: [q_heads, 1, head_dim]
    """
    return q[:, -1:] if settings.pooling == 'last' else q.mean(dim=1, keepdim=True)


def relevance(
    q: Tensor, *means: Tensor, settings: RetrievalSettings, allowed: Tensor | None = None
) -> Tensor:
    """
    Say how much a question wants each page.

    :param q: the question's queries before rotary, [q_heads, tokens, head_dim]
    :param means: mean keys, [pages, kv_heads, head_dim] each
    :param allowed: pages that may be read, bool [pages of all]; None: all
    :returns: float32 [pages of all]; a share of 1 by `mass`, above -1 by `cosine`, -inf where not
        allowed
    """
    q = pooled(q, settings)
    if settings.score == 'mass':
        scores = page_scores(q, *means, mask=allowed).mean(dim=0)
    else:
        group = q.shape[0] // means[0].shape[1]
        wanted = q.float().flatten()  # [q_heads * head_dim]
        joined = torch.cat([part.float() for part in means])
        offered = joined.repeat_interleave(group, dim=1).flatten(1)
        scores = torch.cosine_similarity(offered, wanted[None])
    return scores if allowed is None else scores.masked_fill(~allowed, -math.inf)


def choose(scores: Tensor, *, most: int, least: int = 0, mass: float | None = None) -> Tensor:
    """
    Choose pages by relevance.

    :param scores: as `relevance` gives them, [pages]
    :param most: pages at most
    :param least: pages at least, where so many are allowed
    :param mass: no more than hold this share of the scores; None: as many as may be
    :returns: indices in ascending order, int64 [chosen]
    """
    ranked = scores.topk(min(most, len(scores)))
    pages = ranked.indices[: int((ranked.values > -math.inf).sum())]
    if mass is not None:
        before = ranked.values[: len(pages)].clamp_min(0).cumsum(0) - ranked.values[: len(pages)]
        pages = pages[: max(least, int((before < mass).sum()))]
    return pages.sort().values
