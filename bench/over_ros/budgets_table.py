# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What suite `deadline-ros` found, on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from livevlm_bench.deadline_table import print_deadline
from livevlm_bench.table import new_table


def print_budgets(found: dict[str, Any], console: Console) -> None:
    """
    Print what became of the questions by budget, and of the crowd.

    :param found: as `budgets.measure` gives it
    """
    print_deadline(found, console)
    late = found['rows'][-1]['late']
    console.print(f'{late} late by the clock of the client, {found["lost"]} lost', highlight=False)
    clients = found['crowd']['clients']
    said = f'{len(clients)} clients at once for {found["crowd"]["seconds"]:g} s'
    console.print(f'{said}, each coming back when it was told to:', highlight=False)
    titles = ('clients', 'asked', 'answered', 'least\neach', 'late', 'lost', 'back', 'too\nearly')
    table = new_table('budget', *titles)
    for budget_s in sorted({client['budget_s'] for client in clients}):
        mine = [client for client in clients if client['budget_s'] == budget_s]
        counts = ('asked', 'answered', 'late', 'lost', 'back', 'early')
        total = {name: str(sum(client[name] for client in mine)) for name in counts}
        least = str(min(client['answered'] for client in mine))
        table.add_row(
            f'{budget_s:g} s',
            str(len(mine)),
            total['asked'],
            total['answered'],
            least,
            *(total[name] for name in counts[2:]),
        )
    console.print(table)
