# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The look of the tables that suites print."""

from __future__ import annotations

from collections.abc import Mapping

from rich.box import SIMPLE
from rich.table import Table


def new_table(first: str, *others: str) -> Table:
    """Make an empty table: a column of names, then columns of numbers."""
    table = Table(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True)
    for title in others:
        table.add_column(title, justify='right', no_wrap=True)
    return table


def quartile_cells(quartiles: Mapping[str, float], digits: int = 1) -> tuple[str, str]:
    """Return a median and, beside it, the other quartiles."""
    low, middle, high = (f'{quartiles[name]:.{digits}f}' for name in ('p25', 'p50', 'p75'))
    return middle, f'{low}..{high}'


def megabytes(count: int) -> str:
    """Return bytes in MB, with a digit after the point where they are few."""
    return f'{count / 1e6:.{0 if count >= 1e8 else 1}f}'
