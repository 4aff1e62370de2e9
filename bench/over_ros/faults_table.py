# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What faults did to a node, on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from livevlm_bench.table import new_table


def print_faults(report: dict[str, Any], console: Console) -> None:
    """Print a row for each class, and what was promised and is not so."""
    rows = report['rows']
    waits = ('asked', 'lost', 'most over\nbudget', 'at the\nnode')
    table = new_table('fault', 'injected', 'told', 'in', 'alive', *waits, 'RSS MB', 'took s')
    for row in rows:
        before, after = row['resident_mb']
        overs = row['over_ms'], row['over_at_node_ms']
        table.add_row(
            row['class'],
            str(row['injected']),
            str(sum(row['told'].values())),
            ', '.join(row['told']),
            'yes' if row['alive'] else 'NO',
            str(row['asked']),
            str(row['lost']),
            *('-' if over is None else f'{over:.0f} ms' for over in overs),
            f'{before:.0f} → ' + ('-' if after is None else f'{after:.0f}'),
            f'{row["took_s"]:.0f}',
        )
    console.print(table)
    injected = sum(row['injected'] for row in rows)
    broken = report['broken']
    console.print(f'{injected} faults, {len(broken)} promises broken', highlight=False)
    for words in broken:
        console.print(words, markup=False, highlight=False)
