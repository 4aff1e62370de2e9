# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What suite `ingest` found, on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from livevlm_bench.ingest import ARCHIVED, BASELINE, ENCODED, KEPT
from livevlm_bench.table import new_table, quartile_cells


def print_ingest(found: dict[str, Any], console: Console) -> None:
    """
    Print frames a second and what a step takes to each of its marks.

    :param found: as `ingest.measure` gives it
    """
    console.print(
        f'{found["model"]}, memories of {found["held"]} frames and more, '
        f'{found["machine"]["threads"]} thread, quartiles of {found["rounds"]} steps in turn, '
        'times in ms',
        highlight=False,
    )
    table = new_table(
        'memory',
        *('frames\na second', 'quartiles', f'x\n{BASELINE}', 'quartiles'),
        *(ENCODED, KEPT, ARCHIVED, 'cpu'),
    )
    for row in found['rows']:
        table.add_row(
            row['name'],
            *quartile_cells(row['frames_per_s']),
            *quartile_cells(row['times_as_fast'], 2),
            *(f'{row[mark]["wall_ms"]["p50"]:.1f}' for mark in (ENCODED, KEPT, ARCHIVED)),
            f'{row[ARCHIVED]["cpu_ms"]["p50"]:.1f}',
        )
    console.print(table)
