# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the suites `first-token` and `answer` found, on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from livevlm_bench.bars import bar_words
from livevlm_bench.question_suite import ANSWER, FIRST_TOKEN
from livevlm_bench.table import megabytes, new_table, quartile_cells


def print_questions(found: dict[str, Any], console: Console) -> None:
    """
    Print times, ratios, tokens read and those brought from the past, what it takes, then the bars.

    :param found: as `question_suite.measure` gives it
    """
    tokens = found['answer_tokens']
    for setting in found['settings']:
        console.print(
            f'{setting["name"]}, {setting["dtype"]}: question of {setting["question_tokens"]} '
            f'tokens, answer of {tokens}, {found["machine"]["threads"]} thread, quartiles of '
            f'{found["rounds"]} rounds in turn, times in ms',
            highlight=False,
        )
        for mark in (FIRST_TOKEN, ANSWER)[: 1 if tokens == 1 else 2]:
            console.print(_times(mark, setting))
        console.print(_costs(setting['rows']))
    for setting in found['settings']:
        for bar in setting['bars']:
            console.print(f'{setting["name"]}: {bar_words(bar)}', highlight=False)


def _times(mark: str, setting: dict[str, Any]) -> Table:
    ratio = f'x {setting["baseline"]}'
    table = new_table(mark.replace('_', ' '), 'ms', 'quartiles', 'cpu ms', ratio, 'quartiles')
    for row in setting['rows']:
        lap = row[mark]
        table.add_row(
            row['name'],
            *quartile_cells(lap['wall_ms']),
            f'{lap["cpu_ms"]["p50"]:.1f}',
            *quartile_cells(lap['times_as_fast'], 2),
        )
    return table


def _costs(rows: list[dict[str, Any]]) -> Table:
    table = new_table(
        'memory@frames',
        *('read\ntokens', 'of the\npast', 'pages\nranked', 'device\nMB', 'views\nMB', 'host\nMB'),
    )
    for row in rows:
        table.add_row(
            row['name'],
            *(f'{row[name]:.0f}' for name in ('tokens_read', 'tokens_brought', 'pages_ranked')),
            *(megabytes(row[name]) for name in ('device_bytes', 'read_bytes', 'host_bytes')),
        )
    return table
