# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How sure an answer is.

Its confidence is the probability of its tokens, their geometric mean, or that of the choice among
all choices; times the share of the evidence that is no strange picture. The model gives
probabilities at the temperature that `livevlm calibrate` found, so that of the answers with a
confidence of 0.9 about nine in ten are right.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import fmean

from livevlm_ros.engine.album import Album
from livevlm_ros.engine.messages import Answer, Status
from livevlm_ros.memory import FrameRef


def spoken_confidence(log_shares: Sequence[float], known: float) -> float:
    """
    Return the confidence of an answer in words; 0 without a token.

    :param log_shares: of its tokens
    :param known: share of the evidence that is no strange picture
    """
    return known * math.exp(fmean(log_shares)) if log_shares else 0.0


def likeliest(log_shares: Sequence[float], known: float) -> tuple[int, float]:
    """
    Return the place of the likeliest choice, the first of equals, and its confidence.

    :param log_shares: of all choices, each the mean over its tokens
    :param known: share of the evidence that is no strange picture
    """
    best = max(log_shares)
    among = sum(math.exp(share - best) for share in log_shares)
    return log_shares.index(best), known / among


def known_share(evidence: Iterable[tuple[FrameRef, float]], album: Album) -> float:
    """Return the share of the attention on frames that is on no strange one; 1 without any."""
    looked = list(evidence)
    strange = sum(share for ref, share in looked if album.is_strange(ref.key))
    return max(0.0, 1.0 - strange / (sum(share for _, share in looked) or 1.0))


def unless_unsure(answer: Answer, least: float, *, known: float, model_id: str) -> Answer:
    """
    Return a complete answer, or say that nothing was seen for sure, with the best guess as text.

    :param least: confidence below which it is so
    """
    if answer.confidence >= least:
        return answer
    why = f'a confidence of {answer.confidence:.2f} is less than ask.min_confidence, {least:g}'
    if known < 0.5:
        why = f'this was read from pictures outside what {model_id} knows: {why}'
    return replace(answer, status=Status.NOT_SEEN, message=why)
