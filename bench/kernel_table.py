# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What suite `kernels` found, on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from livevlm_bench.table import new_table, quartile_cells

WAYS = ('naive', 'twin', 'triton')
NO_GPU = (
    'No GPU here: the Triton kernels are not timed. `make gpu-check` does that where there is one.'
)


def print_kernels(found: dict[str, Any], console: Console) -> None:
    """
    Print what each way takes to do each task.

    :param found: as `kernel_suite.measure` gives it
    """
    console.print(
        f'{found["machine"].get("device", "CPU")}, {found["machine"]["threads"]} thread, '
        f'quartiles of {found["rounds"]} rounds in turn, times in ms',
        highlight=False,
    )
    table = new_table(
        'task', 'way', 'ms', 'quartiles', 'cpu', 'x naive', 'quartiles', 'differs by'
    )
    for row in found['rows']:
        for way in WAYS:
            if way in row:
                took = row[way]
                table.add_row(
                    *(row['what'], way),
                    *quartile_cells(took['wall_ms'], 2),
                    f'{took["cpu_ms"]["p50"]:.2f}',
                    *quartile_cells(took['times_as_fast'], 2),
                    f'{took["differs_by"]:.1e}',
                )
    console.print(table)
    if not any('triton' in row for row in found['rows']):
        console.print(NO_GPU, highlight=False)
