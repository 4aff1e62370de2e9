# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What it costs to have no false memories.

A false memory is an answer that claims to have seen what was not there. Answers are withheld where
the model came near to saying that nothing was there; the sooner, the fewer false memories are
left, and the more right answers are lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from livevlm_ros.replay.accuracy import Report, rate
from livevlm_ros.replay.outcome import Outcome, accepted, says_absent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from livevlm_ros.replay.compare import Run

TARGET = 0.02
"""Rate of false memories, of the questions about what was not there, that a fit is content with
when a standard error is added."""

MOST_LOST = 0.01
"""Share of the right answers that a fit may lose for it."""

LEAST_ABSENT = 100
"""Questions about what was not there that a fit needs."""

MOST = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, float('inf'))
"""Doubts that a report tells of: 0 withholds every answer that is no absence, infinity none."""


class Withheld(NamedTuple):
    """
    What withholding doubted answers does.

    :param before: rate of false memories without it
    :param after: the same with it
    :param lost: rate of right answers that are withheld, of those that are no absence
    """

    before: Report
    after: Report
    lost: Report


class Absences(NamedTuple):
    """
    Limits for a checkpoint, and what they do to the questions that they were found with.

    :param limits: the entry `absence` of a `memory.yaml`
    """

    limits: Mapping[str, float]
    withheld: Withheld


def fitted_limits(
    outcomes: Sequence[Outcome], shares: Mapping[str, np.ndarray]
) -> Absences | None:
    """
    Find limits that leave few enough false memories, or as few as `MOST_LOST` can buy.

    From no limits on, that of one answer is lowered further at a time, always by so much and of
    the answer with which most false memories go for each right answer that is lost.

    :param outcomes: with the best guesses of a model
    :param shares: by answer that says that nothing was there, its probability in the place of each
        outcome's answer, [outcomes]
    :returns: None for too few questions about what was not there
    """
    claims, right, absent = _split(outcomes)
    if absent < LEAST_ABSENT or not shares:
        return None
    limits = dict.fromkeys(shares, 1.0)
    affordable = MOST_LOST * right.sum()

    def withheld(tried: Mapping[str, float]) -> np.ndarray:
        over = [shares[word] > limit for word, limit in tried.items()]
        return np.logical_or.reduce(over)

    def worth(tried: Mapping[str, float]) -> tuple[float, float]:
        more = withheld(tried) & ~withheld(limits)
        gone = int((more & claims).sum())
        return gone / (0.5 + int((more & right).sum())), gone

    while _too_many(int((claims & ~withheld(limits)).sum()), absent):
        left = claims & ~withheld(limits)
        lower = [
            {**limits, word: below(share)}
            for word, of_word in shares.items()
            for share in of_word[left]
        ]
        lower = [each for each in lower if (withheld(each) & right).sum() <= affordable]
        best = max(lower, key=worth, default=limits)
        if not worth(best)[1]:
            break
        limits = best
    gone = withheld(limits)
    return Absences(limits, _counted(claims, right, absent, gone))


def below(share: float) -> float:
    """Return a number of two digits that is below a probability."""
    digits = 1 - int(np.floor(np.log10(max(share, 1e-6))))
    return max(1e-7, float(round(np.ceil(share * 10**digits - 1) / 10**digits, digits)))


def _too_many(left: int, absent: int) -> bool:
    return left + left**0.5 > TARGET * absent


def absence_curve(outcomes: Sequence[Outcome]) -> list[Report]:
    """
    Say how many false memories each of `MOST` leaves and how many right answers it loses.

    :returns: of each `max_doubt` the rates `false_memory` and `lost`, last of none; best guesses
        count as answers. Nothing where no answer has a doubt, as those that came over ROS
    """
    claims, right, absent = _split(outcomes)
    doubts = np.array([outcome.answer.doubt for outcome in outcomes])
    curve: list[Report] = []
    if not doubts.any():
        return curve
    for most in MOST:
        found = _counted(claims, right, absent, (doubts > most) | (most == 0))
        told = most if np.isfinite(most) else None
        curve.append({'max_doubt': told, 'false_memory': found.after, 'lost': found.lost})
    return curve


def draw_absence(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw the false memories that are left over the right answers that are lost."""
    from livevlm_ros.replay.plots import LEGEND_ABOVE, look

    for number, run in enumerate(runs):
        curve = run.report['absence']
        lost = [100 * row['lost']['rate'] for row in curve]
        left = [100 * row['false_memory']['rate'] for row in curve]
        axes.plot(lost, left, label=run.name, linewidth=1.2, markersize=4, **look(number))
    axes.set_xscale('symlog', linthresh=1)
    axes.set(xlim=(0, 105), xlabel='right answers withheld, %', ylabel='false memory, %')
    axes.set_ylim(bottom=0)
    axes.legend(**LEGEND_ABOVE)


def _split(outcomes: Sequence[Outcome]) -> tuple[np.ndarray, np.ndarray, int]:
    """
    Tell false memories and right answers that are no absence.

    :returns: which outcomes are the ones and the others, bool [outcomes] each, and how many are of
        questions about what was not there
    """
    answered = [bool(outcome.entry.answer and outcome.answer.text) for outcome in outcomes]
    claims = [outcome.claims_absent for outcome in outcomes]
    right = [
        known and accepted(outcome.answer, outcome.entry) and not says_absent(outcome.answer.text)
        for known, outcome in zip(answered, outcomes, strict=True)
    ]
    absent = sum(outcome.absent for outcome in outcomes)
    return np.array(claims, dtype=bool), np.array(right, dtype=bool), absent


def _counted(claims: np.ndarray, right: np.ndarray, absent: int, withheld: np.ndarray) -> Withheld:
    return Withheld(
        before=rate(int(claims.sum()), absent, key='wrong'),
        after=rate(int((claims & ~withheld).sum()), absent, key='wrong'),
        lost=rate(int((right & withheld).sum()), int(right.sum()), key='lost'),
    )
