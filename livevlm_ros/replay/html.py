# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The report as one self-contained page: tables, plots, and wrong answers with their frames."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

from livevlm_ros.replay.outcome import Evaluation, Outcome
from livevlm_ros.replay.report import Report
from livevlm_ros.replay.table import percent, totals

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN_ANSWERS = 12
BLUE, GREY, ORANGE = '#2b6cb0', '#a0aec0', '#dd6b20'

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #1a202c; }
table { border-collapse: collapse; margin: 1rem 0; }
td, th { padding: .2rem .7rem; border-bottom: 1px solid #e2e8f0; text-align: left; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
img { max-width: 100%; } .plots img { width: 49%; }
.answer { display: flex; gap: 1rem; margin: .8rem 0; align-items: flex-start; }
.answer img { width: 9rem; } .answer div { min-width: 20rem; }
.warning { color: #975a16; } small { color: #718096; }
"""


def html_report(report: Report, evaluation: Evaluation) -> str:
    """
    Write the page.

    :param report: from `build_report`
    :param evaluation: what the report was made of; its evidence thumbnails are shown if it has any
    :returns: a whole HTML document
    """
    title = f'{report["model"]}, preset {report["preset"]}'
    parts = [
        f'<h1>{escape(title)}</h1>',
        '<table>',
        *(f'<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>' for k, v in totals(report)),
        '</table>',
        *(f'<p class="warning">{escape(warning)}</p>' for warning in report['warnings']),
    ]
    if report['accuracy']['overall']['n']:
        parts += ['<h2>Accuracy</h2>', _kinds(report)]
    parts += ['<div class="plots">', *_plots(report, evaluation), '</div>']
    wrong = [outcome for outcome in evaluation.outcomes if outcome.correct is False]
    if wrong:
        parts += [
            f'<h2>Wrong answers</h2><p>{len(wrong)} in all; one of each kind in turn, with the '
            'frames the answer looked at.</p>',
            *map(_wrong_answer, _in_turn(wrong)[:SHOWN_ANSWERS]),
        ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<title>{escape(title)}</title><style>{_STYLE}</style></head><body>'
        + '\n'.join(parts)
        + '</body></html>\n'
    )


def _kinds(report: Report) -> str:
    head = ('n', 'right %', 's.e.', 'chance %', 'majority %')
    rows = [f'<tr><th>kind</th>{"".join(f"<th class=n>{name}</th>" for name in head)}</tr>']
    accuracy = report['accuracy']
    for kind, row in {**accuracy['by_type'], 'all': accuracy['overall']}.items():
        cells = (
            row['n'],
            percent(row['rate']),
            percent(row['se']),
            percent(row.get('chance')),
            percent(row.get('majority')),
        )
        numbers = ''.join(f'<td class=n>{cell}</td>' for cell in cells)
        rows.append(f'<tr><td>{escape(kind)}</td>{numbers}</tr>')
    return f'<table>{"".join(rows)}</table>'


def _plots(report: Report, evaluation: Evaluation) -> list[str]:
    accuracy = report['accuracy']
    latencies = [o.answer.latency.total_ms for o in evaluation.outcomes]
    plots = []
    if accuracy['overall']['n']:
        plots.append(_plot('accuracy by kind', lambda axes: _bars(axes, accuracy['by_type'])))
        ages = {age: row for age, row in accuracy['by_age'].items() if row['n']}
        if ages:
            plots.append(
                _plot('accuracy by frames since it was to be seen', lambda axes: _bars(axes, ages))
            )
    if evaluation.memory:
        plots.append(_plot('memory', lambda axes: _memory(axes, evaluation)))
    if latencies:
        plots.append(_plot('latency', lambda axes: _latency(axes, latencies)))
    return plots


def _bars(axes: Axes, rows: dict[str, Report]) -> None:
    """Draw rates with two standard errors, and what guessing and one fixed answer give."""
    places = range(len(rows))
    axes.barh(
        places,
        [100 * row['rate'] for row in rows.values()],
        xerr=[200 * row['se'] for row in rows.values()],
        color=BLUE,
        ecolor='black',
        capsize=2,
    )
    for name, style in (('chance', ':'), ('majority', '-')):
        for place, row in zip(places, rows.values(), strict=True):
            if row.get(name) is not None:
                at = 100 * row[name]
                label = name if place == 0 else None
                axes.plot([at, at], [place - 0.4, place + 0.4], style, color=ORANGE, label=label)
    axes.set_yticks(places, [f'{name} ({row["n"]})' for name, row in rows.items()])
    axes.invert_yaxis()
    axes.set_xlim(0, 105)
    axes.set_xlabel('right, % (bars: two standard errors)')
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=7, loc='lower left')


def _memory(axes: Axes, evaluation: Evaluation) -> None:
    """Draw the bytes over the longest recording."""
    longest = max(evaluation.memory, key=lambda sample: sample.seconds).recording
    samples = [sample for sample in evaluation.memory if sample.recording == longest]
    seconds = [sample.seconds for sample in samples]
    curves = (('device_bytes', BLUE), ('read_bytes', ORANGE), ('full_cache_bytes', GREY))
    for key, color in curves:
        axes.plot(
            seconds,
            [getattr(sample.sizes, key) / 1e6 for sample in samples],
            '.-',
            color=color,
            label=key,
        )
    axes.set_xlabel(f'seconds of {longest}')
    axes.set_ylabel('MB')
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=7)


def _latency(axes: Axes, latencies: Sequence[float]) -> None:
    axes.hist(latencies, bins=40, color=BLUE)
    axes.set_xlabel('question to answer, ms')
    axes.set_ylabel('answers')


def _plot(title: str, draw: Callable[[Axes], None]) -> str:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout='constrained')
    axes = figure.add_subplot()
    draw(axes)
    axes.set_title(title, fontsize=10)
    data = io.BytesIO()
    figure.savefig(data, format='png', dpi=110)
    return f'<img alt="{escape(title)}" src="{_inline("png", data.getvalue())}">'


def _inline(kind: str, data: bytes) -> str:
    return f'data:image/{kind};base64,{base64.b64encode(data).decode()}'


def _in_turn(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Order outcomes so that each kind shows once before any shows twice."""
    turns: dict[str, int] = {}
    ranked = []
    for position, outcome in enumerate(outcomes):
        turn = turns[outcome.entry.type] = turns.get(outcome.entry.type, 0) + 1
        ranked.append((turn, position, outcome))
    return [outcome for _, _, outcome in sorted(ranked, key=lambda rank: rank[:2])]


def _wrong_answer(outcome: Outcome) -> str:
    entry, answer = outcome.entry, outcome.answer
    seen = entry.evidence and f'to be seen at {entry.evidence[0]:g} to {entry.evidence[1]:g} s'
    frames = ''.join(
        f'<figure style="margin:0"><img alt="evidence at {second:.1f} s" '
        f'src="{_inline("jpeg", found.thumbnail_jpeg)}"><br><small>{second:.1f} s</small></figure>'
        for found, second in zip(answer.evidence, outcome.evidence_s, strict=True)
        if found.thumbnail_jpeg
    )
    return (
        f'<div class="answer"><div><b>{escape(entry.question)}</b><br>'
        f'said <b>{escape(answer.text or answer.message)}</b>, '
        f'expected <b>{escape(" or ".join(entry.answer))}</b><br>'
        f'<small>{escape(outcome.recording)}, {escape(entry.id)}, asked at {entry.at:g} s'
        f'{", " + seen if seen else ""}</small></div>{frames}</div>'
    )
