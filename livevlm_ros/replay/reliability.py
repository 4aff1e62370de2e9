# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Is an answer's confidence what it says? Of those with a confidence of 0.9, nine in ten are right.

The expected calibration error is the mean distance between confidence and rate of right answers,
over tenths of the confidence, each weighed by its answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from livevlm_ros.replay.accuracy import Report, rate
from livevlm_ros.replay.outcome import Outcome, accepted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from livevlm_ros.replay.compare import Run

BINS = 10
LEAST_DRAWN = 5
"""Answers of a tenth that is drawn."""

RESAMPLES = 500
"""Draws of the bootstrap."""


def reliability(outcomes: Sequence[Outcome]) -> Report:
    """
    Compare the confidence of answers with how often they are right.

    :param outcomes: those without an answer, or a truth, do not count; of `Status.NOT_SEEN` the
        best guess does
    :returns: `n`, the error `ece`, its standard error over streams `se`, None where there is
        nothing to tell, and `bins`
    """
    answered = [o for o in outcomes if o.entry.answer and o.answer.completion_tokens]
    sure = np.array([outcome.answer.confidence for outcome in answered])
    right = np.array([accepted(o.answer, o.entry) for o in answered], dtype=float)
    if not answered:
        return {'n': 0, 'ece': None, 'se': None, 'bins': []}
    streams = [outcome.recording for outcome in answered]
    return {
        'n': len(answered),
        'ece': calibration_error(sure, right),
        'se': _standard_error(sure, right, streams),
        'bins': [
            {**rate(int(right[part].sum()), int(part.sum())), 'confidence': sure[part].mean()}
            for part in _parts(sure)
        ],
    }


def calibration_error(sure: np.ndarray, right: np.ndarray) -> float:
    """
    Return the expected calibration error.

    :param sure: confidences, [answers]
    :param right: 1 for right answers, else 0, [answers]
    """
    return float(
        sum(abs(sure[part].sum() - right[part].sum()) for part in _parts(sure)) / len(sure)
    )


def _parts(sure: np.ndarray) -> list[np.ndarray]:
    """Return which answers are in each tenth that has any, bool [answers] each."""
    tenth = np.minimum((sure * BINS).astype(int), BINS - 1)
    return [tenth == number for number in np.unique(tenth)]


def _standard_error(sure: np.ndarray, right: np.ndarray, streams: Sequence[str]) -> float | None:
    """Draw streams again and again; questions of one stream share its frames."""
    names = np.array(streams)
    places = [np.flatnonzero(names == name) for name in dict.fromkeys(streams)]
    if len(places) < 2:
        return None
    rng = np.random.default_rng(0)
    drawn = [
        np.concatenate([places[number] for number in rng.integers(len(places), size=len(places))])
        for _ in range(RESAMPLES)
    ]
    return float(np.std([calibration_error(sure[draw], right[draw]) for draw in drawn]))


def in_words(found: Report) -> str:
    """Say the error in a few words."""
    error = '' if found['se'] is None else f' ± {100 * found["se"]:.1f}'
    return f'{100 * found["ece"]:.1f}{error} % off, the mean of {found["n"]} answers'


def draw_reliability(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw how often answers of each confidence are right; a bar is a standard error."""
    from livevlm_ros.replay.plots import INK, LEGEND_ABOVE, look

    axes.plot([0, 1], [0, 1], color=INK, alpha=0.4, linewidth=0.8)
    for number, run in enumerate(runs):
        found = run.report['confidence']
        bins = [row for row in found['bins'] if row['n'] >= LEAST_DRAWN]
        axes.errorbar(
            [row['confidence'] for row in bins],
            [row['rate'] for row in bins],
            yerr=[row['se'] for row in bins],
            label=f'{run.name}: ECE {100 * found["ece"]:.1f} %',
            linewidth=1.2,
            markersize=4,
            **look(number),
        )
        for row in bins if len(runs) == 1 else ():
            place = (row['confidence'], row['rate'])
            axes.annotate(
                str(row['n']), place, (4, -9), textcoords='offset points', color=INK, fontsize=7
            )
    axes.set(xlim=(0, 1.02), ylim=(0, 1.05), xlabel='confidence', ylabel='share of right answers')
    axes.legend(**LEGEND_ABOVE)


def reliability_svg(runs: Sequence[Run]) -> str:
    """Return `draw_reliability` as a whole SVG file."""
    from livevlm_ros.replay.plots import GREY, INK, svg

    sure = [run for run in runs if run.report['confidence']['n']]
    drawn = svg('reliability', lambda axes: draw_reliability(axes, sure), height=3.6)
    return drawn.replace(INK, GREY)
