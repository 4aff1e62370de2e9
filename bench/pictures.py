# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of what suites found, beside their tables in docs/bench.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sqrt
from typing import TYPE_CHECKING, Any

from livevlm_bench.ingest import ARCHIVED, ENCODED, KEPT
from livevlm_bench.question_suite import ANSWER, FIRST_TOKEN
from livevlm_ros.replay.plots import COLORS, GREY, INK, LEGEND_ABOVE, look, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def picture(name: str, report: Mapping[str, Any]) -> str | None:
    """
    Draw a report.

    :param name: of the report's suite
    :returns: an SVG file; None: its table says it better
    """
    drawn = PICTURES.get(name)
    if drawn is None:
        return None
    draw, height = drawn
    return svg(name, lambda axes: draw(axes, report), height=height).replace(INK, GREY)


def _first_tokens(axes: Axes, report: Mapping[str, Any]) -> None:
    _times(axes, report, FIRST_TOKEN)


def _answers(axes: Axes, report: Mapping[str, Any]) -> None:
    _times(axes, report, ANSWER)


def _times(axes: Axes, report: Mapping[str, Any], mark: str) -> None:
    """Draw medians and quartiles, a row a memory, a colour a model."""
    from matplotlib.ticker import LogFormatter

    rows = [row for setting in report['settings'] for row in setting['rows']]
    rows.sort(key=lambda row: row['frames'])  # of equals the first stays first
    names = list(dict.fromkeys(row['name'] for row in rows))
    for number, setting in enumerate(report['settings']):
        took = {row['name']: row[mark]['wall_ms'] for row in setting['rows']}
        medians = [each['p50'] for each in took.values()]
        axes.errorbar(
            medians,
            [names.index(name) for name in took],
            xerr=[
                [each['p50'] - each['p25'] for each in took.values()],
                [each['p75'] - each['p50'] for each in took.values()],
            ],
            label=setting['name'],
            linestyle='none',
            capsize=3,
            markersize=5,
            **look(number),
        )
    axes.set_xscale('log')
    axes.xaxis.set_major_formatter(LogFormatter())
    axes.xaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.5)))
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel('ms to the first token' if mark == FIRST_TOKEN else 'ms to the last token')
    axes.legend(**LEGEND_ABOVE)


def _lengths(axes: Axes, report: Mapping[str, Any]) -> None:
    """Draw CPU time by the stream's length, beside the young memory's."""
    rows = report['rows']
    frames = [row['frames'] for row in rows]
    for number, (mark, words) in enumerate({'first_token': 'first token', 'step': 'step'}.items()):
        for name, style in {'grown': '-', 'young': ':'}.items():
            took = [row[mark][name]['cpu_ms'] for row in rows]
            shown = look(number)
            axes.plot(
                frames,
                [each['p50'] for each in took],
                linestyle=style,
                label=words if name == 'grown' else f'{words}, {report["young_frames"]} frames',
                markersize=5,
                **shown,
            )
            axes.fill_between(
                frames,
                [each['p25'] for each in took],
                [each['p75'] for each in took],
                color=shown['color'],
                alpha=0.2,
                linewidth=0,
            )
    tails = [row['step']['tails']['grown']['cpu_ms']['p99'] for row in rows]
    axes.plot(frames, tails, linestyle='--', markersize=5, label='step, p99', **look(2))
    axes.axvline(report['archive_frames'], color=INK, linewidth=0.8, linestyle='--')
    axes.set_xscale('log', base=2)
    axes.set_xticks(frames, [f'{each:,}' for each in frames], rotation=60)
    axes.set_ylim(bottom=0)
    axes.set_xlabel('frames seen; dashed: the archive is full')
    axes.set_ylabel('ms of CPU')
    axes.legend(**{**LEGEND_ABOVE, 'ncols': 3})


def _rates(axes: Axes, report: Mapping[str, Any]) -> None:
    """Draw what a frame takes: the tower, the layers, the archive's thread."""
    rows = report['rows']
    parts = {ENCODED: 'vision tower', KEPT: 'layers and memory', ARCHIVED: 'then, archiving'}
    below = [0.0] * len(rows)
    for (mark, words), color in zip(parts.items(), COLORS, strict=False):
        ends = [row[mark]['wall_ms']['p50'] / row['batch'] for row in rows]
        widths = [end - begin for begin, end in zip(below, ends, strict=True)]
        axes.barh(range(len(rows)), widths, left=below, color=color, label=words)
        below = ends
    axes.set_yticks(range(len(rows)), [row['name'] for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(visible=False, axis='y')
    axes.set_xlabel('ms a frame')
    axes.legend(**{**LEGEND_ABOVE, 'ncols': 3})


def _budgets(axes: Axes, report: Mapping[str, Any]) -> None:
    """Draw what became of questions, and how many of the answers were right, by budget."""
    rows = [row for row in report['rows'][:-1] if row['questions']]  # the last one: all of them
    names = ['{:g} to {:g} s'.format(*row['budget_s']) for row in rows]

    def shares(part: str, *counted: str) -> list[float]:
        return [
            100 * sum(row[part].get(name, 0) for name in counted) / row['questions']
            for row in rows
        ]

    drawn = {
        'answered': shares('statuses', 'OK', 'PARTIAL'),
        'to the end': shares('statuses', 'OK'),
        'from all that retrieval reads': shares('rungs', 'ALL', 'FEWER_TOKENS'),
    }
    for number, (words, share) in enumerate(drawn.items()):
        axes.plot(names, share, label=words, markersize=5, **look(number))
    rights = [row.get('right') for row in rows]
    if all(rights):
        axes.errorbar(
            names,
            [100 * right['rate'] for right in rights],
            yerr=[100 * _error(right['rate'], right['n']) for right in rights],
            label='answers that are right',
            capsize=3,
            markersize=5,
            **look(len(drawn)),
        )
    axes.set_ylim(0, 105)
    axes.set_ylabel('% of questions')
    axes.legend(**{**LEGEND_ABOVE, 'ncols': 2})


def _error(rate: float, n: int) -> float:
    """Return the standard error of a share of so many."""
    return sqrt(rate * (1 - rate) / n)


PICTURES: Mapping[str, tuple[Callable[[Axes, Mapping[str, Any]], None], float]] = {
    'first-token': (_first_tokens, 3.0),
    'answer': (_answers, 3.0),
    'scaling': (_lengths, 3.6),
    'ingest': (_rates, 3.0),
    'deadline': (_budgets, 3.2),
    'deadline-ros': (_budgets, 3.2),
}
"""What draws a suite's report, and inches of height."""
