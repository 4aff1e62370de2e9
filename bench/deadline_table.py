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
    words = [name.lower().replace('_', '\n') for name in (*STATUSES, *RUNGS)]
    table = new_table('budget', 'n', 'late', 'refused,\nfits', 'took\np50', 'least\nleft', *words)
    for row in rows:
        low, high = row['budget_s']
        table.add_row(
            f'{low:g} to {high:g} s',
            str(row['questions']),
            str(row['late']),
            '-' if row['refused_though_it_fits'] is None else str(row['refused_though_it_fits']),
            '-' if row['took_ms'] is None else f'{row["took_ms"]["p50"]:.0f}',
            '-' if row['least_left_ms'] is None else f'{row["least_left_ms"]:.0f}',
            *(_share(row, 'statuses', name) for name in STATUSES),
            *(_share(row, 'rungs', name) for name in RUNGS),
        )
    return table


def _share(row: dict[str, Any], part: str, name: str) -> str:
    count = row[part].get(name, 0)
    return f'{100 * count / row["questions"]:.0f}' if count else '-'
