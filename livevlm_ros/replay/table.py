# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The report on a terminal: one row a kind of question, and the totals."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from io import TextIOWrapper
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from livevlm_ros.plain import plain
from livevlm_ros.replay.accuracy import Report
from livevlm_ros.replay.reliability import in_words
from livevlm_ros.replay.set_rules import set_figures, set_lines, set_rules

LEAST_WIDTH = 80  # columns in which no number of a report is cut off
PIPED_WIDTH = 110  # columns of a report that goes into a file or a pipe
NAMES_WIDTH = 32  # columns that the names of measures take
VALUE_WIDTH = 15  # columns that a measure takes


def report_console() -> Console:
    """Make a console on stdout, wide enough for a report wherever it goes, in any encoding."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors='replace')
    console = Console()
    console.width = max(console.width, LEAST_WIDTH if console.is_terminal else PIPED_WIDTH)
    return console


def print_report(report: Report, console: Console) -> None:
    """
    Print the rates of a report with their sample sizes, errors and what guessing gives.

    :param console: 80 columns or more, so that no number is cut off
    """
    for warning in report['warnings']:
        console.print(Text(plain(f'warning: {warning}'), 'yellow'))
    accuracy = report['accuracy']
    if accuracy['overall']['n']:
        console.print(_kinds(report))
        if len([row for row in accuracy['by_age'].values() if row['n']]) > 1:
            console.print(_ages(report))
    console.print(_totals(report))


def print_comparison(compared: Report, console: Console) -> None:
    """
    Print what `compare` found: a column a row, what each pays, and the differences in pairs.

    :param console: as for `print_report`
    """
    reports = compared['presets'].values()
    for warning in dict.fromkeys(warning for report in reports for warning in report['warnings']):
        console.print(Text(plain(f'warning: {warning}'), 'yellow'))
    guesses = compared['cap'][0]['accuracy']
    console.print(
        f'rates in % ± s.e.; of all, chance is {percent(guesses["chance"])}, '
        f'majority {percent(guesses["majority"])}',
        highlight=False,
    )
    columns = [(name, measures(report)) for name, report in compared['presets'].items()]
    fitting = max(1, (console.width - NAMES_WIDTH) // VALUE_WIDTH)
    for first in range(0, len(columns), fitting):
        console.print(_side_by_side(dict(columns[first : first + fitting])))
    for name, text in set_rules(next(iter(reports))):
        console.print(f'{name}: {text}', highlight=False, markup=False, soft_wrap=True)
    for card in compared['cap']:
        if card['pays'] is not None:
            made = f'{card["preset"]} is made to give up {card["gives_up"]}'
            console.print(f'{card["name"]} pays {card["pays"]["words"]} ({made})', highlight=False)
    if compared['paired']:
        console.print(_pairs(compared['paired']))


def measures(report: Report) -> dict[str, str]:
    """Say a report's main figures under names that stay the same, to be put side by side."""
    accuracy, memory, latency = report['accuracy'], report['memory'], report['latency_ms']
    ingest, deadline = report['ingest'], report['deadline']
    asked, read = sum(deadline.values()), ingest['tokens_read']
    failed = sum(n for name, n in report['questions']['statuses'].items() if name != 'OK')
    smaller = memory['full_cache_bytes'] / max(1, memory['device_bytes'])
    rates = {
        'right': accuracy['overall'],
        'right without counts': accuracy['without_count'],
        'right about now': accuracy['now'],
        'right about the past': accuracy['past'],
        **{f'right {age} frames': row for age, row in accuracy['by_age'].items()},
        'evidence of the past': report['evidence']['past'],
        'false memory': report['false_memory'],
    }
    rows = {
        **set_figures(report),
        **{f'{name} (n {row["n"]})': rate_text(row) for name, row in rates.items()},
        'not answered': str(failed or '-'),
        'deadlines met': f'{deadline["met"]} of {asked}' if asked else '-',
        'first token p50 / p95': milliseconds(latency['first_token']),
        'answer p50 / p95': milliseconds(latency['total']),
        'on the device': bytes_text(memory['device_bytes']),
        'all / on the device': f'{smaller:.1f}x',
        'to read': bytes_text(memory['read_bytes']),
        'on the host': bytes_text(memory['host_bytes']),
        'on disk': bytes_text(memory['disk_bytes']),
        'all keys and values': bytes_text(memory['full_cache_bytes']),
        'oldest frames lost by the full cache': 'yes' if memory['context_truncated'] else '-',
        'choices ahead corrected': _corrected(report['recall']),
        'frames used': f'{ingest["frames_used"]} of {ingest["frames_in"]}',
        'tokens read': '-' if read == 1 else f'{percent(read)} %',
    }
    return {name: text for name, text in rows.items() if text not in ('-', '0 B')}


def _corrected(recall: Report) -> str:
    if not recall['questions']:
        return '-'
    return f'{recall["questions_corrected"]} of {recall["questions"]}'


def difference(row: Report) -> tuple[str, str]:
    """Write a paired difference in points, and its 95 % interval."""
    if row['difference'] is None:
        return '-', '-'
    interval = '-' if row['low'] is None else f'{row["low"]:+.1f} to {row["high"]:+.1f}'
    return f'{row["difference"]:+.1f}', interval


def evidence(row: Report) -> str:
    """Write the rate of evidence hits, and in brackets that of chance."""
    return f'{rate_text(row)} ({percent(row["chance"])})'


def percent(value: float | None) -> str:
    """Write a rate in percent with one digit."""
    return '-' if value is None else f'{100 * value:.1f}'


def rate_text(row: Report) -> str:
    """Write a rate with its standard error, in percent."""
    return '-' if row['rate'] is None else f'{100 * row["rate"]:.1f} ± {100 * row["se"]:.1f}'


def milliseconds(row: Report) -> str:
    """Write two percentiles of a latency."""
    return '-' if row['p50'] is None else f'{row["p50"]:.1f} / {row["p95"]:.1f} ms'


def bytes_text(count: float) -> str:
    """Write a number of bytes with its unit."""
    for unit in ('B', 'kB', 'MB'):
        if count < 1000:
            return f'{count:.3g} {unit}'
        count /= 1000
    return f'{count:.3g} GB'


def _kinds(report: Report) -> Table:
    title = f'{report["model"]}, preset {report["preset"]}; rates in % ± s.e.'
    table = Table(title=title, box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column('kind', overflow='fold')
    for name in ('n', 'right', 'chance', 'majority', 'n', 'evidence', 'chance'):
        table.add_column(name, justify='right', no_wrap=True)
    accuracy, evidence = report['accuracy'], report['evidence']
    for kind, row in accuracy['by_type'].items():
        guesses = percent(row['chance']), percent(row['majority'])
        hits = _hits(evidence['by_type'].get(kind))
        table.add_row(kind, str(row['n']), rate_text(row), *guesses, *hits)
        for name, variant in accuracy['by_variant'].items():
            if name.startswith(f'{kind}/') and variant['n'] < row['n']:
                sort = f'  {name.partition("/")[2]}'
                table.add_row(sort, str(variant['n']), rate_text(variant), style='dim')
        balanced = accuracy.get('exists_balanced') if kind == 'exists' else None
        if balanced and balanced['rate'] is not None:
            table.add_row(
                '  yes and no alike', str(balanced['n']), rate_text(balanced), '50.0', '50.0'
            )
    table.add_section()
    overall = accuracy['overall']
    table.add_row('all', str(overall['n']), rate_text(overall), '', '', *_hits(evidence))
    return table


def _side_by_side(columns: Mapping[str, Mapping[str, str]]) -> Table:
    table = Table('', box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    for name in columns:
        table.add_column(name, justify='right', overflow='fold')
    for name in dict.fromkeys(name for column in columns.values() for name in column):
        table.add_row(name, *(column.get(name, '-') for column in columns.values()))
    return table


def _pairs(pairs: list[Report]) -> Table:
    table = Table('accuracy in pairs', box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ('points', '95 %', 'n', 'streams', 'same answers'):
        table.add_column(name, justify='right', no_wrap=True)
    for row in pairs:
        sizes = str(row['n']), str(row['streams'])
        name = f'{row["candidate"]} − {row["baseline"]}'
        table.add_row(name, *difference(row), *sizes, percent(row['agreement']['rate']))
    return table


def _hits(row: Report | None) -> tuple[str, ...]:
    return (str(row['n']), rate_text(row), percent(row['chance'])) if row and row['n'] else ()


def _ages(report: Report) -> Table:
    table = Table('frames since it was visible', title='accuracy by age', box=SIMPLE)
    for name in ('n', 'right'):
        table.add_column(name, justify='right')
    for age, row in report['accuracy']['by_age'].items():
        if row['n']:
            table.add_row(age, str(row['n']), rate_text(row))
    return table


def _totals(report: Report) -> Table:
    table = Table(show_header=False, box=None)
    table.add_column(no_wrap=True)
    table.add_column(overflow='fold')
    for name, text in totals(report):
        table.add_row(name, Text(plain(text)))
    return table


def recordings_in_words(source: Report) -> str:
    """Say how many recordings were used, of how many there are."""
    used, left_out = source['recordings'], len(source['left_out'])
    of = f' of {used + left_out}' if left_out else ''
    return f'{used}{of} recording{"s" * (used + left_out != 1)}'


def totals(report: Report) -> list[tuple[str, str]]:
    """Say in a few named lines what the report says of the whole."""
    source, ingest, memory = report['source'], report['ingest'], report['memory']
    lines = [
        (
            'source',
            f'{source["path"]}: {recordings_in_words(source)}, {source["frames"]} frames, '
            f'{source["seconds"]:.1f} s',
        ),
        (
            'frames',
            f'{ingest["frames_in"]} in = {ingest["frames_used"]} used + '
            f'{ingest["frames_dropped"]} dropped {_nonzero(ingest["dropped_by"])}',
        ),
        (
            'memory',
            f'{bytes_text(memory["device_bytes"])} on the device, '
            f'{bytes_text(memory["read_bytes"])} to read, '
            f'{bytes_text(memory["full_cache_bytes"])} for all keys and values; '
            f'reaches back {report["cap"]["context_seconds"]:.1f} s',
        ),
    ]
    recall = report['recall']
    if recall['questions']:
        text = (
            f'{recall["questions"]} questions read pages chosen ahead, '
            f'{recall["questions_corrected"]} of them were corrected; '
            f'{recall["exposed_ms"] / 1e3:.1f} s waited for pages, '
            f'{recall["hidden_ms"] / 1e3:.1f} s of choosing hidden'
        )
        lines.append(('recall', text))
    others = {name: n for name, n in report['questions']['statuses'].items() if name != 'OK'}
    if others:
        reason = next(row for row in report['answers'] if row['status'] in others)
        lines.append(('not answered', f'{_nonzero(others)} such as {reason["message"]}'))
    if memory['context_truncated']:
        lines.append(('context', 'truncated: the oldest frames left the full cache'))
    accuracy = report['accuracy']
    for name, part in (('about now', accuracy['now']), ('about the past', accuracy['past'])):
        if part['n']:
            lines.append((name, f'{rate_text(part)} % of {part["n"]} right'))
    past, false_memory = report['evidence']['past'], report['false_memory']
    if past['n']:
        text = f'{rate_text(past)} % of {past["n"]} hit, {percent(past["chance"])} by chance'
        lines.append(('evidence of the past', text))
    if false_memory['n']:
        text = f'{rate_text(false_memory)} % of {false_memory["n"]} absent things'
        lines.append(('false memory', text))
    lines += set_lines(report)
    if report['confidence']['n']:
        lines.append(('confidence', in_words(report['confidence'])))
    total = report['latency_ms']['total']
    if total['p50'] is not None:
        lines.append(('latency', ', '.join(f'{k} {v:.1f} ms' for k, v in total.items())))
    deadline = report['deadline']
    if deadline['met'] or deadline['missed']:
        lines.append(('deadline', f'{deadline["met"]} met, {deadline["missed"]} missed'))
    lines.append(('took', f'{report["seconds_taken"]:.1f} s'))
    return lines


def _nonzero(counts: dict[str, Any]) -> str:
    parts = ', '.join(f'{name} {count}' for name, count in counts.items() if count)
    return f'({parts})' if parts else ''
