# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A sweep as one self-contained page: what accuracy costs in bytes and in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from livevlm_ros.replay.accuracy import Report
from livevlm_ros.replay.page import page, table
from livevlm_ros.replay.plots import INK, figure, look
from livevlm_ros.replay.sweep import sweep_cells, swept_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GUESSES: dict[str, Any] = {'chance': 'dotted', 'majority': 'dashed'}


def sweep_page(swept: Report) -> str:
    """
    Write the page.

    :param swept: what `run_sweep` returned
    :returns: a whole HTML document
    """
    title = f'{swept["model"]}: {swept["preset"]}, swept'
    return page(
        title,
        [
            f'<h1>{escape(title)}</h1>',
            f'<p class="lead">{escape(swept["source"]["path"])}: '
            f'{escape(swept_in_words(swept))}</p>',
            *(f'<p class="warning">{escape(warning)}</p>' for warning in swept['warnings']),
            *(_plots(swept) if swept['questions']['scored'] else ()),
            '<h2>Measured</h2>',
            table(sweep_cells(swept)),
        ],
    )


def _plots(swept: Report) -> list[str]:
    by_read = _lines(swept, 'read_frames', '{} read'.format)
    by_budget = _lines(swept, 'long_term_frames', '{} frames'.format)
    drawings = [
        figure(
            'accuracy against bytes on the device, a line for the frames read',
            lambda axes: _draw(
                axes, swept, by_read, lambda point: point['device_bytes'] / 1e6, 'MB, largest met'
            ),
            height=3.8,
        )
    ]
    if all(point['first_token_ms']['p50'] is not None for point in swept['points']):
        drawings.append(
            figure(
                'accuracy against the first token, a line a budget',
                lambda axes: _draw(
                    axes,
                    swept,
                    by_budget,
                    lambda point: point['first_token_ms']['p50'],
                    'ms to the first token, p50',
                ),
                height=3.8,
            )
        )
    return [f'<h2>Plots</h2><div class="plots">{"".join(drawings)}</div>']


def _lines(swept: Report, key: str, name: Callable[[int], str]) -> list[tuple[str, list[Report]]]:
    """Return the points that have one value of a setting, for each value."""
    points = swept['points']
    values = dict.fromkeys(point[key] for point in points)
    return [(name(value), [point for point in points if point[key] == value]) for value in values]


def _draw(
    axes: Axes,
    swept: Report,
    lines: Sequence[tuple[str, list[Report]]],
    cost: Callable[[Report], float],
    unit: str,
) -> None:
    """Draw accuracy with two standard errors over a cost, and what guessing gives."""
    for number, (name, points) in enumerate(lines):
        rates = [point['accuracy'] for point in points]
        axes.errorbar(
            [cost(point) for point in points],
            [100 * row['rate'] for row in rates],
            yerr=[200 * row['se'] for row in rates],
            label=name,
            capsize=2,
            markersize=5,
            elinewidth=0.7,
            **look(number),
        )
    for guess, style in _GUESSES.items():
        if swept[guess] is not None:
            axes.axhline(100 * swept[guess], color=INK, linestyle=style, linewidth=1, label=guess)
    axes.set_ylim(0, 104)
    axes.set_xlabel(unit)
    axes.set_ylabel('right, % (± 2 s.e.)')
    axes.legend(loc='lower center', bbox_to_anchor=(0.45, 1), ncols=4)
