# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What suite `weights` found, on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from livevlm_bench.table import new_table, quartile_cells


def print_weights(found: dict[str, Any], console: Console) -> None:
    """
    Print what each kind of weights takes, and what it expects of text.

    :param found: as `weights_suite.measure` gives it
    """
    console.print(
        f'{found["machine"]["cpu"]}, one thread, layers of {found["shape"]}, quartiles of '
        f'{found["rounds"]} rounds in turn, times in ms',
        highlight=False,
    )
    times = new_table('weights', 'read at once', 'ms', 'quartiles', 'x float32', 'quartiles')
    for weights, by_work in found['times'].items():
        for work, took in by_work.items():
            as_fast = quartile_cells(took['times_as_fast'], 2)
            times.add_row(weights, work, *quartile_cells(took['wall_ms']), *as_fast)
    console.print(times)
    console.print(
        f'{found["model"]}, {found["windows"]} windows of {found["window_tokens"]} tokens of text',
        highlight=False,
    )
    table = new_table('weights', 'perplexity', 'same next token', 'scores apart', 'nats apart')
    for weights, told in found['words'].items():
        table.add_row(
            weights,
            f'{told["perplexity"]:.2f}',
            f'{told["equal"]:.1%}',
            f'{told["apart"]:.3f}',
            f'{told["divergence"]:.4f}',
        )
    console.print(table)
