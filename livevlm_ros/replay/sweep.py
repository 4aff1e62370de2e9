# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What accuracy costs: every budget of long-term memory with every number of frames that are read.

All combinations see the same frames and answer the same questions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from livevlm_ros.plain import plain
from livevlm_ros.replay.accuracy import Report
from livevlm_ros.replay.cap import over_kinds
from livevlm_ros.replay.compare import Run, run_rows
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.evaluate import Progress
from livevlm_ros.replay.procedure import PLAIN, Procedure
from livevlm_ros.replay.rows import Row
from livevlm_ros.replay.settings import engine_config
from livevlm_ros.replay.table import (
    bytes_text,
    milliseconds,
    percent,
    rate_text,
    recordings_in_words,
)

if TYPE_CHECKING:
    from livevlm_ros.replay.compare import Load

SWEPT = ('livevlm', 'balanced')
"""Presets with a long-term memory of which a part is read."""


def numbers(option: str, text: str) -> list[int]:
    """
    Read different whole numbers above 0 with commas between.

    :raises BadInput: naming the option, what was given and what was expected
    """
    found: list[int] = []
    with suppress(ValueError):
        found = [int(part) for part in text.split(',')]
    different = len(set(found)) == len(found) > 0
    if not different or min(found) <= 0:
        raise BadInput(
            f'{option} {text}: expected different whole numbers above 0 with commas between'
        )
    return found


def sweep_grid(
    preset: str,
    long_term: Sequence[int],
    read: Sequence[int],
    *,
    model: str = 'embedded',
    fps: float = 1.0,
    given: Sequence[str] = (),
) -> list[Row]:
    """
    Make a row of each combination, all that are read of the first budget first.

    :param preset: one of `SWEPT`
    :param long_term: budgets in frames' worth of tokens
    :param read: frames' worth of tokens that a question reads of older frames
    :param given: `name=value` settings of every row
    :raises BadInput: for a preset without both settings, or as `engine_config` does
    """
    if preset not in SWEPT:
        raise BadInput(
            f'preset {preset} has no long-term memory to be swept: expected {" or ".join(SWEPT)}'
        )

    def row(budget: int, frames: int) -> Row:
        swept = (f'memory.long_term_frames={budget}', f'retrieval.frames={frames}')
        config = engine_config(model=model, preset=preset, fps=fps, given=(*given, *swept))
        return Row(f'{budget} frames, {frames} read', config)

    return [row(budget, frames) for budget, frames in product(long_term, read)]


def run_sweep(
    path: Path,
    grid: Sequence[Row],
    procedure: Procedure = PLAIN,
    *,
    load: Load,
    note: Callable[[str], None] = lambda text: None,
    progress: Progress = lambda name, share: None,
) -> Report:
    """
    Replay a source with each combination.

    :param grid: see `sweep_grid`
    :param procedure: what is asked, and how
    :param load: makes a loaded engine of a configuration
    :param note: told, after the first combination, how long the others will take
    :param progress: called with the combination and recording, and the share of all done, [0, 1]
    :returns: what is common to all, and `points`, the figures of each combination
    :raises BadInput: as `evaluate` does
    """

    def tell(name: str, share: float) -> None:
        number = min(len(grid), 1 + int(share * len(grid)))
        progress(f'{number} of {len(grid)}, {name}', share)

    runs: list[Run] = []
    for run in run_rows(path, grid, procedure, load=load, progress=tell):
        runs.append(run)
        if len(runs) == 1 < len(grid):
            seconds = run.report['seconds_taken']
            left = _duration(seconds * (len(grid) - 1))
            note(f'the first of {len(grid)} took {_duration(seconds)}; the rest: about {left}')
    first = runs[0].report
    return {
        **{key: first[key] for key in ('source', 'model', 'preset', 'questions')},
        'chance': over_kinds(first, 'chance'),
        'majority': over_kinds(first, 'majority'),
        'warnings': list(dict.fromkeys(text for run in runs for text in run.report['warnings'])),
        'nothing_measured': first['nothing_measured'],
        'seconds_taken': sum(run.report['seconds_taken'] for run in runs),
        'points': [_point(run.report) for run in runs],
    }


def _point(report: Report) -> Report:
    """Pick the figures of one combination; `oldest` is the accuracy on the oldest age asked."""
    settings, memory, by_age = report['settings'], report['memory'], report['accuracy']['by_age']
    asked = [age for age, row in by_age.items() if row['n']]
    return {
        'name': report['name'],
        'long_term_frames': settings['memory.long_term_frames'],
        'read_frames': settings['memory.retrieval_frames'],
        'accuracy': report['accuracy']['overall'],
        'oldest_age': asked[-1] if asked else None,
        'oldest': by_age[asked[-1]] if asked else None,
        'device_bytes': memory['device_bytes'],
        'read_bytes': memory['read_bytes'],
        'first_token_ms': report['latency_ms']['first_token'],
        'statuses': report['questions']['statuses'],
    }


def sweep_table(swept: Report) -> Table:
    """Lay out what `run_sweep` found, a line a combination."""
    head, *rows = sweep_cells(swept)
    table = Table(
        title=Text(plain(swept_in_words(swept))),
        caption=Text(plain('\n'.join(swept['warnings'])), style='yellow'),
        box=SIMPLE,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for name in head:
        table.add_column(name, justify='right', no_wrap=True)
    budgets = [point['long_term_frames'] for point in swept['points']]
    for row, budget, following in zip(rows, budgets, [*budgets[1:], None], strict=True):
        table.add_row(*row, end_section=budget != following)
    return table


def sweep_cells(swept: Report) -> list[tuple[str, ...]]:
    """Write the figures of each combination, below a head."""
    oldest = swept['points'][0]['oldest_age'] or 'oldest'
    return [
        ('frames', 'read', 'right', 'n', oldest, 'n', 'device', 'to read', 'p50 / p95'),
        *(
            (
                str(point['long_term_frames']),
                str(point['read_frames']),
                rate_text(point['accuracy']),
                str(point['accuracy']['n']),
                rate_text(point['oldest']) if point['oldest'] else '-',
                str(point['oldest']['n']) if point['oldest'] else '0',
                bytes_text(point['device_bytes']),
                bytes_text(point['read_bytes']),
                milliseconds(point['first_token_ms']),
            )
            for point in swept['points']
        ),
    ]


def swept_in_words(swept: Report) -> str:
    """Say what was swept, what guessing gives, and what the figures mean."""
    scored = swept['questions']['scored']
    return (
        f'{swept["model"]}, preset {swept["preset"]}: {scored} question{"s" * (scored != 1)} of '
        f'{recordings_in_words(swept["source"])}; % right ± s.e., over all and over '
        f'the oldest age (frames since it was visible); chance {percent(swept["chance"])}, '
        f'majority {percent(swept["majority"])}; p50 / p95 of the first token'
    )


def _duration(seconds: float) -> str:
    return f'{seconds:.0f} s' if seconds < 100 else f'{seconds / 60:.0f} min'
