# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How sure an answer is.

Its confidence is the probability of its tokens, their geometric mean, or that of the choice among
all choices; times the share of the evidence that is no strange picture. The model gives
probabilities at the temperature that `livevlm calibrate` found, so that of the answers with a
confidence of 0.9 about nine in ten are right.

Whether it is a false memory is another matter: the doubt tells that, how near the model came to
saying that nothing was there, see `livevlm_ros.model.absence`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import fmean

from livevlm_ros.engine.album import Album
from livevlm_ros.engine.messages import Answer, Status
from livevlm_ros.memory import FrameRef
from livevlm_ros.model import Absence


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


def doubt_among(
    choices: Sequence[str], log_shares: Sequence[float], absence: Absence | None
) -> float:
    """
    Return how near the choices that say that nothing was there came, as `Absence.doubt`.

    :param log_shares: of the choices, each the mean over its tokens
    :param absence: how the checkpoint says so; None: it is not known, and there is no doubt
    """
    if absence is None:
        return 0.0
    best = max(log_shares)
    shares = [math.exp(share - best) for share in log_shares]
    total = sum(shares)
    among = {choice: share / total for choice, share in zip(choices, shares, strict=True)}
    return absence.doubt(among)


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


def unless_doubted(answer: Answer, absence: Absence | None, most: float) -> Answer:
    """
    Return a complete answer, or say that nothing was seen, with the best guess as text.

    :param absence: how the checkpoint says that something was not there; None: it is not known
    :param most: doubt above which another answer is a guess; 0: none is
    """
    if not most or absence is None or absence.says(answer.text) or answer.doubt <= most:
        return answer
    why = (
        f'the model nearly said that it was not there: a doubt of {answer.doubt:.2g} is more than '
        f'ask.max_doubt, {most:g}'
    )
    return replace(answer, status=Status.NOT_SEEN, message=why)
