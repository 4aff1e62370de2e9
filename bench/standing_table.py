# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What suite `standing` found, on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from livevlm_bench.bars import bar_words
from livevlm_bench.table import new_table
from livevlm_ros.replay.accuracy import Report


def print_standing(found: dict[str, Any], console: Console) -> None:
    """
    Print answers and times of the memories, then the bars.

    :param found: as `standing.measure` gives it
    """
    commonest = found['commonest']
    lines = [
        f'"{found["question"]}" {found["questions"]} times in {found["seconds"]} s, '
        f'archive on disk, {found["machine"]["threads"]} thread; times in ms, without the first '
        f'{found["left_out"]} questions',
        f'always "{commonest["answer"]}" would agree in {_percent(commonest)} %',
    ]
    for line in lines:
        console.print(line, highlight=False, markup=False)
    console.print(_rows(found['rows']))
    for bar in found['bars']:
        console.print(bar_words(bar), highlight=False)


def _rows(rows: list[dict[str, Any]]) -> Table:
    table = new_table(
        'memory',
        *('agrees\n%', 'right\n%', 'ahead', 'corrected\n%', 'wait\np50', 'wait\np95'),
        *('answer\np50', 'wait\n%', 'hidden\nms/s', 'idle\np95'),
    )
    for row in rows:
        wait = row['exposed_ms']
        table.add_row(
            row['name'],
            _percent(row['agrees']),
            _percent(row['right']),
            str(row['ahead']['ahead']),
            _percent(row['corrected']),
            f'{wait["p50"]:.1f}',
            f'{wait["p95"]:.1f}',
            f'{row["answer_ms"]["p50"]:.1f}',
            f'{100 * row["exposed_share"]:.0f}',
            f'{row["hidden_ms_per_s"]:.1f}',
            f'{row["idle_ms"]["p95"]:.1f}',
        )
    return table


def _percent(part: Report) -> str:
    if part['rate'] is None:
        return '-'
    return f'{100 * part["rate"]:.1f} ± {100 * part["se"]:.1f}'
