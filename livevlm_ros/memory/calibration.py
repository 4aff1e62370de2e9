# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Calibration: the fewest query heads that find the pages which a vote of all of them finds.

Ranking costs a read of the keys in every layer that chooses, and the probe goes as deep as the
last of them. Only a few heads of a model look things up, and which ones comes out of its training:
they are measured with questions whose pages are known. Heads are taken one after the other, always
the one that finds most beside those taken, on one half of the questions; the other half says
whether what they find holds for questions that had no part in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from livevlm_ros.memory.archive.archive import Archive
from livevlm_ros.memory.retrieval import scaled_rows
from livevlm_ros.memory.settings import voting_layers

CANDIDATES = 40
"""Heads that may be taken: those that find most alone."""

BEHIND = 0.01
"""By how much the heads taken may find less than the better vote, on the choosing half."""

HELD_OUT_BEHIND = 0.02
"""By how much they may find less than the default vote, on the held-out half."""

EQUAL = 0.005
"""Recalls so near count as equal: the head of the lower layer is taken, for a shorter probe."""

SURE = 3.0
"""Standard errors that the heads taken must be above chance, on the held-out half."""

Head = tuple[int, int]
"""A layer and a query head of it."""


class HeadScores(NamedTuple):
    """
    How much each head wants each archived page for one question.

    :param scores: float32 [layers, q_heads, pages], of the probed layers, ascending
    :param stamps_ns: of each page's frame, int64 [pages]
    :param read: pages that a question reads
    """

    scores: Tensor
    stamps_ns: Tensor
    read: int


class HeadRecall(NamedTuple):
    """Share of the true pages among those read, the mean over each half's questions."""

    choosing: float
    held_out: float


@dataclass(frozen=True, slots=True)
class HeadChoice:
    """
    The heads that shall choose, and what was measured.

    :param heads: by layer; empty: no few heads can stand for the default vote
    :param taken: heads in the order in which they were taken, each with the recall of all so far
    :param layers: of each layer the head that finds most alone, with its recall
    :param recalls: of `chance`, `best head`, `default vote`, `all heads`, and of `chosen` if there
        are any
    """

    heads: Mapping[int, tuple[int, ...]]
    taken: Sequence[tuple[Head, HeadRecall]]
    layers: Sequence[tuple[Head, HeadRecall]]
    recalls: Mapping[str, HeadRecall]


@torch.inference_mode()
def head_scores(archive: Archive, queries: Mapping[int, Tensor], *, page_tokens: int) -> Tensor:
    """
    Say how much each head wants each archived page: `retrieval.page_scores`, head by head.

    :param queries: of a question before rotary, [q_heads, tokens, head_dim] by layer
    :returns: the best share that any token of the question pays to the page's best token, float32
        [layers, q_heads, pages] on the host, pages in the order of the archive's rows
    """
    by_layer = []
    with archive.lock:
        held = torch.arange(len(archive))
        for layer in sorted(queries):
            q = queries[layer]
            keys = archive.keys(layer, held).to(q.device)  # [kv_heads, archived, head_dim]
            rows = scaled_rows(q, None, kv_heads=len(keys))
            shares = (rows @ keys.transpose(1, 2)).log_softmax(2)
            by_head = shares.flatten(0, 1).unflatten(0, (len(q), -1)).amax(1)
            by_layer.append(by_head.unflatten(1, (-1, page_tokens)).amax(2).exp().cpu())
    return torch.stack(by_layer)


def choose_heads(
    scores: Sequence[Tensor],
    truth: Sequence[Tensor],
    held_out: Sequence[bool],
    *,
    read: int,
    at_least: int = 1,
) -> HeadChoice:
    """
    Choose the fewest heads whose pages are as good as those of the better vote.

    :param scores: of each question, of all layers of the model, [layers, q_heads, pages]
    :param truth: pages that show its answer, at least one, bool [pages]
    :param held_out: whether it is kept for the check; each half has a question
    :param read: pages that a question reads
    :param at_least: heads to take, where fewer have failed a check of the caller's
    """
    choosing, checking = (
        _Half(
            [each for each, out in zip(scores, held_out, strict=True) if out is half],
            [each for each, out in zip(truth, held_out, strict=True) if out is half],
            read,
        )
        for half in (False, True)
    )
    layers, q_heads, _ = scores[0].shape
    halves = choosing, checking
    single = [half.found(lambda each: each.flatten(0, 1)).mean(0) for half in halves]

    def alone(flat: int) -> tuple[Head, HeadRecall]:
        return divmod(flat, q_heads), HeadRecall(*(float(half[flat]) for half in single))

    def vote(voters: Sequence[int]) -> HeadRecall:
        chosen = list(voters)
        found = (half.found(lambda each: each[chosen].amax(1).sum(0)[None]) for half in halves)
        return HeadRecall(*(float(each.mean()) for each in found))

    recalls = {
        'chance': HeadRecall(*(float(half.chance.mean()) for half in halves)),
        'best head': alone(int(single[0].argmax()))[1],
        'default vote': vote(voting_layers(layers)),
        'all heads': vote(range(layers)),
    }
    enough = max(recalls['default vote'].choosing, recalls['all heads'].choosing) - BEHIND
    least = recalls['default vote'].held_out - HELD_OUT_BEHIND

    taken: list[tuple[Head, HeadRecall]] = []
    heads: dict[int, tuple[int, ...]] = {}
    left = single[0].topk(min(CANDIDATES, layers * q_heads)).indices.sort().values
    while len(left) and not heads:
        so_far = [head for head, _ in taken]
        found = choosing.found(partial(_with_one_more, so_far, left)).mean(0)
        best = int((found >= found.max() - EQUAL).nonzero()[0])  # of the lowest layer
        checked = checking.found(partial(_with_one_more, so_far, left[best, None]))[:, 0]
        recall = HeadRecall(float(found[best]), float(checked.mean()))
        taken.append((divmod(int(left[best]), q_heads), recall))
        left = torch.cat([left[:best], left[best + 1 :]])
        as_good = recall.choosing >= enough and recall.held_out >= least
        if len(taken) >= at_least and as_good and _above(checked, checking.chance):
            heads = _by_layer([head for head, _ in taken])
            recalls['chosen'] = recall
    rows = single[0].unflatten(0, (layers, q_heads))
    best_of = [alone(layer * q_heads + int(row.argmax())) for layer, row in enumerate(rows)]
    return HeadChoice(heads, taken, best_of, recalls)


class _Half:
    """Some of the questions, on which ways to rank their pages are measured."""

    def __init__(self, scores: Sequence[Tensor], truth: Sequence[Tensor], read: int) -> None:
        self._scores, self._truth, self._read = scores, truth, read
        self.chance = torch.tensor([min(1.0, read / len(each)) for each in truth])

    def found(self, ranks: Callable[[Tensor], Tensor]) -> Tensor:
        """
        Return the share of the true pages among those read, [questions, ways].

        :param ranks: makes of a question's scores what pages are ranked by, [ways, pages]
        """
        shares = []
        for scores, truth in zip(self._scores, self._truth, strict=True):
            best = ranks(scores).topk(min(self._read, len(truth)), dim=1).indices
            shares.append(truth[best].sum(1) / truth.sum())
        return torch.stack(shares)


def _with_one_more(taken: Sequence[Head], candidates: Tensor, scores: Tensor) -> Tensor:
    """
    Rank pages by the heads taken and one more: summed over layers, the best head of each.

    :param candidates: the one more, int64 [heads]: layer times q_heads and head
    :returns: [heads, pages]
    """
    best = torch.zeros_like(scores[:, 0])  # [layers, pages]
    for layer, head in taken:
        best[layer] = torch.maximum(best[layer], scores[layer, head])
    gained = scores.flatten(0, 1)[candidates] - best[candidates // scores.shape[1]]
    return best.sum(0) + gained.clamp_min(0.0)


def _above(found: Tensor, chance: Tensor) -> bool:
    """Return whether questions find surely more than by chance, both [questions]."""
    more = found - chance
    error = float(more.std(correction=0)) / len(more) ** 0.5
    return float(more.mean()) > SURE * error


def _by_layer(heads: Sequence[Head]) -> dict[int, tuple[int, ...]]:
    return {
        layer: tuple(sorted(head for at, head in heads if at == layer))
        for layer in sorted({at for at, _ in heads})
    }
