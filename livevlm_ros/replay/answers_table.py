# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Answers on a terminal, where there is no truth to score them by."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from livevlm_ros.plain import plain
from livevlm_ros.replay.outcome import Outcome


def answers_table(outcomes: Sequence[Outcome], *, title: str) -> Table:
    """Tabulate each question with what came back."""
    table = Table(title=title, box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column('asked at', justify='right', no_wrap=True)
    table.add_column('question', overflow='fold')
    table.add_column('answer', overflow='fold')
    for name in ('confidence', 'evidence at', 'latency'):
        table.add_column(name, justify='right')
    for outcome in outcomes:
        answer = outcome.answer
        table.add_row(
            f'{outcome.entry.at:.1f} s',
            Text(plain(outcome.entry.question)),
            Text(plain(said(outcome))),
            f'{answer.confidence:.2f}',
            ', '.join(f'{second:.1f}' for second in outcome.evidence_s) or '-',
            f'{answer.latency.total_ms:.0f} ms',
        )
    return table


def said(outcome: Outcome) -> str:
    """Return the answer, or where there is none the first part of the reason."""
    return outcome.answer.text or outcome.answer.message.partition(';')[0]
