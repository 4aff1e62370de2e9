# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The plots of a report, as SVG that takes its ink from the page.

What would be black is drawn in the page's text colour, so one drawing serves light, dark and
paper; text stays text. Each row has one colour and one marker throughout.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from html import escape
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Any

from livevlm_ros.replay.absence import draw_absence
from livevlm_ros.replay.compare import Run
from livevlm_ros.replay.reliability import draw_reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = (
    '#3b82c4',
    '#e07b1a',
    '#2f9e6e',
    '#a05fc0',
    '#d1495b',
    '#8a7a3c',
    '#1f9fb5',
    '#d36ba6',
    '#7d8792',
    '#7fae2e',
    '#8a5a44',
    '#5b5fd0',
)
MARKERS = ('o', 's', '^', 'D', 'v', 'P', 'X')  # seven, so that no pair with a colour comes twice
TIERS = {'short_term': 1.0, 'long_term': 0.6, 'archive': 0.3}  # and how strong their colour is
BYTES = {
    'device_bytes': 'on the device',
    'read_bytes': 'to read',
    'host_bytes': 'on the host',
    'disk_bytes': 'on disk',
    'full_cache_bytes': 'all keys and values',
}
WIDTH = 4.6  # inches at which the text has the size of the page's small print

LEGEND_ABOVE: Any = {'loc': 'lower center', 'bbox_to_anchor': (0.4, 1), 'ncols': 4}

INK = '#010203'  # replaced by the page's colour
GREY = '#76808f'  # or, in a file of its own, by one that can be read on white and on black
_STYLE: dict[Any, Any] = {
    'svg.fonttype': 'none',
    'font.size': 9,
    'text.color': INK,
    'axes.edgecolor': INK,
    'axes.labelcolor': INK,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'axes.axisbelow': True,
    'grid.color': INK,
    'grid.alpha': 0.15,
    'xtick.color': INK,
    'ytick.color': INK,
    'legend.frameon': False,
    'legend.fontsize': 8,
}


def figures(runs: Sequence[Run]) -> list[str]:
    """
    Draw what the runs have to show.

    :returns: `<figure>` elements: accuracy by kind and by age where anything was scored, memory
        per tier of each run, bytes, and latency where anything was answered
    """
    scored = [run for run in runs if run.report['accuracy']['overall']['n']]
    remembering = [run for run in runs if run.evaluation.memory]
    answering = [run for run in runs if run.report['latency_ms']['total']['p50'] is not None]
    drawn = []
    if scored:
        if _ages(scored):
            drawn.append(figure('accuracy by age', lambda axes: _by_age(axes, scored)))
        kinds = len(scored[0].report['accuracy']['by_type'])
        height = 1.1 + kinds * max(0.3, 0.13 * len(scored) + 0.08)
        drawn.append(
            figure('accuracy by kind', lambda axes: _by_kind(axes, scored), height=height)
        )
    if sure := [run for run in runs if run.report['confidence']['n']]:
        drawn.append(figure('reliability', lambda axes: draw_reliability(axes, sure)))
    if asked := [run for run in scored if _tells_absence(run)]:
        drawn.append(figure('false memory', lambda axes: draw_absence(axes, asked)))
    if remembering:
        height = 1.2 + 0.13 * len(BYTES) * len(remembering)
        drawn.append(figure('bytes', lambda axes: _bytes(axes, remembering), height=height))
    if answering:
        height = 1.2 + 0.5 * len(answering)
        drawn.append(figure('latency', lambda axes: _latency(axes, answering), height=height))
    top = max((_tokens(run)[1].sum(axis=0).max() for run in remembering), default=0)
    for number, run in enumerate(remembering):
        draw = _memory_of(run, look(number)['color'], top)
        drawn.append(figure(f'memory of {run.name}', draw, height=2.2))
    return drawn


def figure(title: str, draw: Callable[[Axes], None], *, height: float = 3.2) -> str:
    """
    Draw into one pair of axes.

    :param draw: draws in `INK` what shall have the colour of the page's text
    :param height: inches
    :returns: a captioned `<figure>` that fetches nothing
    """
    drawing = svg(title, draw, height=height)
    # Inside HTML no namespaces are needed, and names of groups would clash between the drawings.
    drawing = re.sub(r' xmlns(:\w+)?="[^"]*"| id="[\w.]+_\d+"', '', drawing)
    drawing = re.sub(r' (width|height)="[\d.]+pt"', '', drawing[drawing.index('<svg') :], count=2)
    drawing = drawing.replace(INK, 'currentColor')
    name = escape(title)
    drawing = drawing.replace('<svg', f'<svg role="img" aria-label="{name}"', 1)
    return f'<figure><figcaption>{name}</figcaption>{drawing}</figure>'


def svg(title: str, draw: Callable[[Axes], None], *, height: float) -> str:
    """
    Draw into one pair of axes on no ground.

    :param draw: draws in `INK` what shall have the colour of text
    :param height: inches
    :returns: a whole SVG file, the same each time
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    data = io.StringIO()
    with mpl.rc_context({**_STYLE, 'svg.hashsalt': title}):
        canvas = Figure(figsize=(WIDTH, height), layout='constrained')
        draw(canvas.add_subplot())
        nothing = dict.fromkeys(('Creator', 'Date', 'Format', 'Type'))
        canvas.savefig(data, format='svg', transparent=True, metadata=nothing)
    return data.getvalue()


def look(number: int) -> dict[str, Any]:
    """Return the colour and marker of the n-th row."""
    return {'color': COLORS[number % len(COLORS)], 'marker': MARKERS[number % len(MARKERS)]}


def _tells_absence(run: Run) -> bool:
    curve = run.report['absence']
    return bool(curve and curve[0]['false_memory']['n'] and curve[0]['lost']['n'])


def _ages(runs: Sequence[Run]) -> list[str]:
    return [age for age, row in runs[0].report['accuracy']['by_age'].items() if row['n']]


def _by_age(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw rates over the frames since the answer was visible, with two standard errors."""
    ages = _ages(runs)
    for number, run in enumerate(runs):
        by_age = run.report['accuracy']['by_age']
        shift = 0.5 / max(8, len(runs)) * (number - (len(runs) - 1) / 2)  # error bars side by side
        axes.errorbar(
            [place + shift for place in range(len(ages))],
            [100 * by_age[age]['rate'] for age in ages],
            yerr=[200 * by_age[age]['se'] for age in ages],
            label=run.name,
            capsize=2,
            markersize=5,
            **look(number),
        )
    rows = runs[0].report['accuracy']['by_age']
    axes.set_xticks(range(len(ages)), [f'{age}\nn = {rows[age]["n"]}' for age in ages])
    axes.set_xlim(-0.4, len(ages) - 0.6)
    axes.set_ylim(0, 104)
    axes.set_xlabel('frames since it was visible')
    axes.set_ylabel('right, % (± 2 s.e.)')
    axes.legend(**LEGEND_ABOVE)


def _by_kind(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw a bar per kind and run, and what guessing and the commonest answer give."""
    kinds = runs[0].report['accuracy']['by_type']
    thick = 0.8 / len(runs)
    for number, run in enumerate(runs):
        rows = run.report['accuracy']['by_type']
        axes.barh(
            [place - 0.4 + (number + 0.5) * thick for place in range(len(kinds))],
            [100 * rows[kind]['rate'] for kind in kinds],
            height=thick,
            xerr=[200 * rows[kind]['se'] for kind in kinds],
            color=look(number)['color'],
            error_kw={'ecolor': INK, 'elinewidth': 0.7},
            label=run.name,
        )
    styles: dict[str, Any] = {'chance': 'dotted', 'majority': 'solid'}
    for name, style in styles.items():
        known = [(place, row[name]) for place, row in enumerate(kinds.values())]
        known = [(place, share) for place, share in known if share is not None]
        axes.vlines(
            [100 * share for _, share in known],
            [place - 0.44 for place, _ in known],
            [place + 0.44 for place, _ in known],
            colors=INK,
            linestyles=style,
            linewidth=1.4,
            label=name,
        )
    axes.set_yticks(range(len(kinds)), [f'{kind} ({row["n"]})' for kind, row in kinds.items()])
    axes.set_ylim(len(kinds) - 0.5, -0.5)
    axes.grid(visible=False, axis='y')
    axes.set_xlim(0, 104)
    axes.set_xlabel('right, % (± 2 s.e.)')
    axes.legend(**LEGEND_ABOVE)


def _bytes(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw the largest byte figures that any run has, on a logarithmic scale."""
    thick = 0.8 / len(runs)
    keys = [key for key in BYTES if any(run.report['memory'][key] for run in runs)]
    sizes = [[run.report['memory'][key] / 1e6 for key in keys] for run in runs]
    for number, run in enumerate(runs):
        axes.barh(
            [place - 0.4 + (number + 0.5) * thick for place in range(len(keys))],
            sizes[number],
            height=thick,
            color=look(number)['color'],
            label=run.name,
        )
    axes.set_xscale('log')
    known = [size for row in sizes for size in row if size]
    axes.set_xlim(10 ** floor(log10(min(known)) - 0.1), 10 ** ceil(log10(max(known))))
    axes.xaxis.set_major_formatter('{x:g}')
    axes.xaxis.set_minor_formatter('')
    axes.set_yticks(range(len(keys)), [BYTES[key] for key in keys])
    axes.set_ylim(len(keys) - 0.5, -0.5)
    axes.grid(visible=False, axis='y')
    axes.set_xlabel('MB, largest met')
    axes.legend(**LEGEND_ABOVE)


def _latency(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw p50, p95 and p99 of the first token and of the whole answer."""
    for number, run in enumerate(runs):
        color = look(number)['color']
        for key, place, filled in (('first_token', -0.15, True), ('total', 0.15, False)):
            row = run.report['latency_ms'][key]
            points = [row[name] for name in ('p50', 'p95', 'p99')]
            axes.plot(points, [number + place] * 3, '-', color=color, linewidth=1.5)
            for name, marker in (('p50', 'o'), ('p95', '|'), ('p99', '|')):
                axes.plot(
                    row[name],
                    number + place,
                    marker,
                    color=color,
                    markerfacecolor=color if filled else 'none',
                    markersize=6 if name == 'p50' else 9,
                    markeredgewidth=1.5,
                )
    axes.set_yticks(range(len(runs)), [run.name for run in runs])
    axes.set_ylim(len(runs) - 0.5, -0.5)
    axes.grid(visible=False, axis='y')
    axes.set_xlim(left=0)
    axes.set_xlabel('ms; ● first token, ○ answer: p50, p95, p99')


def _tokens(run: Run) -> tuple[list[float], Any]:
    """Return times of the longest recording's samples, and tokens by tier, [tiers, samples]."""
    import numpy as np

    samples = run.evaluation.memory
    longest = max(samples, key=lambda sample: sample.seconds).recording
    samples = [sample for sample in samples if sample.recording == longest]
    tokens = [[getattr(sample.sizes, f'{tier}_tokens') for sample in samples] for tier in TIERS]
    return [sample.seconds for sample in samples], np.array(tokens)


def _memory_of(run: Run, color: str, top: float) -> Callable[[Axes], None]:
    """Draw the tokens that one row holds over time, on the scale of all."""

    def draw(axes: Axes) -> None:
        seconds, tokens = _tokens(run)
        below = 0 * tokens[0]
        for (tier, strength), held in zip(TIERS.items(), tokens, strict=True):
            if held.any():
                name = tier.replace('_', '-')
                axes.fill_between(
                    seconds,
                    below,
                    below + held,
                    step='post',
                    color=color,
                    alpha=strength,
                    linewidth=0,
                    label=name,
                )
                below = below + held
        axes.set_xlim(0, max(seconds) or 1)
        axes.set_ylim(0, 1.05 * top or 1)
        axes.set_xlabel('seconds')
        axes.set_ylabel('tokens per layer')
        axes.legend(loc='lower left', bbox_to_anchor=(0, 1), ncols=len(TIERS))

    return draw
