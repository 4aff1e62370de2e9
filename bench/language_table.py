# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the suite `language` found, on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from livevlm_bench.table import new_table
from livevlm_bench.text_streams import TYPES
from livevlm_ros.replay.accuracy import Report
from livevlm_ros.replay.table import difference, percent, rate_text


def print_language(found: Report, console: Console) -> None:
    """
    Print rates by row, by age and by type, and the differences in pairs.

    :param found: as `language_suite.measure` gives it
    """
    source, rows = found['source'], found['rows']
    console.print(
        f'{found["model"]}, {source["streams"]} streams of {source["tokens"]} tokens '
        f'({source["tokens"] // source["frame_tokens"]} frames), seed {source["seed"]}, '
        f'text {source["fingerprint"]}; rates in % ± s.e., guessing {percent(found["chance"])}; '
        f'{found["seconds_taken"]:.0f} s',
        highlight=False,
    )
    table = new_table('row', 'n', 'right', 'log p', 'recall', 'tokens read', 'of all')
    for name, row in rows.items():
        table.add_row(
            name,
            *(str(row['n']), rate_text(_rated(row)), f'{row["logp"]:.2f}'),
            *(percent(row['recall']), f'{row["tokens_read"]:.0f}', percent(row['share_read'])),
        )
    console.print(table)
    console.print(_parts('by_age', 'frames since', rows))
    console.print(_parts('by_type', 'type', rows))
    _print_not_said(rows, console)
    pairs = new_table(
        'right, in pairs', 'points', '95 %', 'n', 'only the first', 'second', 'log p'
    )
    for row in found['paired']:
        pairs.add_row(
            f'{row["candidate"]} − {row["baseline"]}',
            *difference(row),
            *(str(row[key]) for key in ('n', 'gained', 'lost')),
            f'{row["logp"]:+.2f}',
        )
    console.print(pairs)


def _parts(part: str, title: str, rows: Report) -> Table:
    """Put the rates of some parts of the questions side by side."""
    first = next(iter(rows.values()))
    names = [name for name, rated in first[part].items() if rated['n'] and 'right' in rated]
    table = new_table(title, *(f'{name} ({first[part][name]["n"]})' for name in names))
    for row, of_row in rows.items():
        table.add_row(row, *(rate_text(_rated(of_row[part][name])) for name in names))
    return table


def _print_not_said(rows: Report, console: Console) -> None:
    not_said = TYPES[-1]
    table = new_table('not said', 'n', 'log p of the likeliest', 'where said', 'told apart by it')
    for name, row in rows.items():
        told = row['by_type'][not_said]
        if told['told_apart'] is not None:
            table.add_row(
                name,
                *(str(told['n']), f'{told["sure"]:.2f}', f'{told["sure_said"]:.2f}'),
                percent(told['told_apart']),
            )
    if table.row_count:
        console.print(table)


def _rated(row: Report) -> Report:
    return {'n': row['n'], 'rate': row['right'], 'se': row['se']}
