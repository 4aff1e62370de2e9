# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What suite `scaling` found, on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from livevlm_bench.bars import bar_words
from livevlm_bench.table import megabytes, new_table, quartile_cells


def print_scaling(found: dict[str, Any], console: Console) -> None:
    """
    Print what questions and steps take by length, beside those of a young memory, and bytes.

    :param found: as `scaling.measure` gives it
    """
    console.print(
        f'{found["model"]}, balanced, archive of {found["archive_frames"]} frames, '
        f'{found["machine"]["threads"]} thread; in turn with a memory of '
        f'{found["young_frames"]} frames {found["rounds"]} questions and {found["steps"]} steps '
        'at each length; times in ms',
        highlight=False,
    )
    console.print(_questions(found['rows']))
    console.print(_steps(found['rows']))
    console.print(_bytes(found['rows']))
    for bar in found['bars']:
        console.print(bar_words(bar), highlight=False)


def _questions(rows: list[dict[str, Any]]) -> Table:
    table = new_table(
        'frames',
        *('first\ntoken', 'quartiles', 'cpu', 'times as\nlong', 'quartiles'),
        *('pages\nranked', 'tokens\nbrought'),
    )
    for row in rows:
        asked = row['first_token']
        table.add_row(
            str(row['frames']),
            *quartile_cells(asked['grown']['wall_ms']),
            f'{asked["grown"]["cpu_ms"]["p50"]:.1f}',
            *quartile_cells(asked['times_as_long'], 2),
            *(f'{row[name]:.0f}' for name in ('pages_ranked', 'tokens_brought')),
        )
    return table


def _steps(rows: list[dict[str, Any]]) -> Table:
    table = new_table(
        'frames',
        *('step\np50', 'p99', 'most', 'cpu\np50', 'p99', 'times as\nlong', 'quartiles'),
        'young\np99',
    )
    for row in rows:
        step = row['step']
        wall, cpu = (step['tails']['grown'][name] for name in ('wall_ms', 'cpu_ms'))
        table.add_row(
            str(row['frames']),
            *(f'{wall[name]:.1f}' for name in ('p50', 'p99', 'most')),
            *(f'{cpu[name]:.1f}' for name in ('p50', 'p99')),
            *quartile_cells(step['times_as_long'], 2),
            f'{step["tails"]["young"]["wall_ms"]["p99"]:.1f}',
        )
    return table


def _bytes(rows: list[dict[str, Any]]) -> Table:
    table = new_table('frames', 'held', 'device\nMB', 'views\nMB', 'host\nMB', 'RAM\nMB')
    for row in rows:
        names = ('device_bytes', 'read_bytes', 'host_bytes', 'resident_bytes')
        table.add_row(
            str(row['frames']), str(row['frames_held']), *(megabytes(row[name]) for name in names)
        )
    return table
