# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What suite `deadline` found, on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from livevlm_bench.table import new_table

STATUSES = ('OK', 'PARTIAL', 'DEADLINE', 'NO_EVIDENCE', 'OVERLOADED', 'ERROR')
RUNGS = ('ALL', 'FEWER_PAGES', 'SHORT_TERM', 'FEWER_TOKENS')


def print_deadline(found: dict[str, Any], console: Console) -> None:
    """
    Print what became of the questions by budget.

    :param found: as `deadline.measure` gives it
    """
    line = (
        f'{found["questions"]} questions while {found["frames"]} frames came, '
        f'{found["frames_per_s"]:g} a second ({found["frames_used"]} used), '
        f'{found["machine"]["threads"]} threads; shares in %, times in ms'
    )
    console.print(line, highlight=False)
    console.print(_rows(found['rows']))
    if found['fits_ms'] is not None:
        note = f'a question fits when {found["fits_ms"]:.0f} ms of its budget are left at its turn'
        console.print(note, highlight=False)


def _rows(rows: list[dict[str, Any]]) -> Table:
    shown = [
        (part, name)
        for part, names in (('statuses', STATUSES), ('rungs', RUNGS))
        for name in names
        if any(name in row[part] for row in rows)
    ]
    words = [name.lower().replace('_', '\n') for _, name in shown]
    counts = ('n', 'late', 'refused,\nfits', 'took\np50', 'least\nleft', 'right')
    table = new_table('budget', *counts, *words)
    for row in rows:
        if not row['questions']:
            continue
        low, high = row['budget_s']
        table.add_row(
            f'{low:g} to {high:g} s',
            str(row['questions']),
            str(row['late']),
            '-' if row['refused_though_it_fits'] is None else str(row['refused_though_it_fits']),
            f'{row["took_ms"]["p50"]:.0f}',
            f'{row["least_left_ms"]:.0f}',
            f'{100 * row["right"]["rate"]:.1f}' if row.get('right') else '-',
            *(_share(row, part, name) for part, name in shown),
        )
    return table


def _share(row: dict[str, Any], part: str, name: str) -> str:
    count = row[part].get(name, 0)
    return f'{100 * count / row["questions"]:.0f}' if count else '-'
