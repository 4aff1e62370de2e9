# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a suite found, on a terminal."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table


def print_first_token(found: dict[str, Any], console: Console) -> None:
    """
    Print times, ratios, tokens read and those brought from the past, what it takes, then the bars.

    :param found: as `first_token.measure` gives it
    """
    for setting in found['settings']:
        console.print(
            f'{setting["name"]}, {setting["dtype"]}: question of {setting["question_tokens"]} '
            f'tokens, {found["threads"]} thread, median of {found["rounds"]} rounds in turn',
            highlight=False,
        )
        console.print(_rows(setting['rows']))
    for setting in found['settings']:
        for bar in setting['bars']:
            console.print(f'{setting["name"]}: {bar_words(bar)}', highlight=False)


def bar_words(bar: dict[str, Any]) -> str:
    """Say a bar in a line."""
    bound = 'least' if 'least' in bar else 'most'
    above, below = bar['ms']
    return (
        f'{bar["quotient"]} = {above:.1f} ms / {below:.1f} ms = {bar["value"]:.2f}, '
        f'at {bound} {bar[bound]:g}: {"met" if bar["met"] else "missed"}'
    )


def _rows(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column('memory@frames', no_wrap=True)
    for title in ('ms', 'quartiles', 'cpu\nms', 'x\nrekv', 'read\ntokens', 'of the\npast'):
        table.add_column(title, justify='right', no_wrap=True)
    for title in ('device', 'views', 'host'):
        table.add_column(f'{title}\nMB', justify='right', no_wrap=True)
    for row in rows:
        times = row['first_token_ms']
        table.add_row(
            row['name'],
            f'{times["p50"]:.1f}',
            f'{times["p25"]:.1f}..{times["p75"]:.1f}',
            f'{row["cpu_ms"]["p50"]:.1f}',
            f'{row["times_as_fast"]:.2f}',
            f'{row["tokens_read"]:.0f}',
            f'{row["tokens_brought"]:.0f}',
            *(_megabytes(row[name]) for name in ('device_bytes', 'read_bytes', 'host_bytes')),
        )
    return table


def _megabytes(count: int) -> str:
    return f'{count / 1e6:.{0 if count >= 1e8 else 1}f}'
