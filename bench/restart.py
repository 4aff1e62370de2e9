# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Suite `restart`: how soon a process that starts has the hour that another one saved.

The memory has the shape of LLaVA-OneVision 0.5B and is full of noise, one frame a second, with its
archive in RAM. An empty one reads it back from its snapshot and checks every byte: `cold`, after
the kernel was told to drop its copy of the file, and `warm`, when it has one. Loading the weights
is not part of it.
"""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.console import Console

from livevlm_bench.bars import bar, bar_words
from livevlm_bench.filling import empty, filled
from livevlm_bench.question_suite import Progress
from livevlm_bench.report_head import head
from livevlm_bench.rounds import Quartiles
from livevlm_bench.table import new_table, quartile_cells
from livevlm_bench.timed_layers import Language, half_billion
from livevlm_ros.memory.snapshot import read_snapshot, tensors_of, write_snapshot

FRAMES, QUICK_FRAMES = 3600, 40
PRESET = 'balanced'
SEED = 0

MOST_S = 10.0


def measure(
    *,
    rounds: int,
    frames: int = FRAMES,
    bars: bool = True,
    progress: Progress = lambda name, share: None,
) -> dict[str, Any]:
    """
    Save a memory and read it back, cold and warm in turn.

    :param frames: that it has seen
    :returns: the report's head, `rows`, cold and warm, and `bars`
    """
    progress('filling the memory', 0.0)
    language = half_billion()
    took: dict[str, list[dict[str, float]]] = {'cold': [], 'warm': []}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with closing(filled(language, preset=PRESET, frames=frames)) as memory:
            nbytes = write_snapshot(folder, memory.state())
        for number in range(rounds):
            progress('reading it back', 0.8 + 0.2 * number / rounds)
            for name, times in took.items():
                if name == 'cold':
                    drop_cache(tensors_of(folder))
                times.append(_restart(language, folder, frames))
    rows = [
        {
            'name': name,
            **{part: Quartiles.of([each[part] for each in times])._asdict() for part in times[0]},
        }
        for name, times in took.items()
    ]
    return {
        **head('restart', seed=SEED, threads=os.cpu_count() or 1),
        'model': language.name,
        'rounds': rounds,
        'frames': frames,
        'bytes': nbytes,
        'rows': rows,
        'bars': [_judged(row, frames) for row in rows] if bars else [],
    }


def _restart(language: Language, folder: Path, frames: int) -> dict[str, float]:
    """Read a snapshot back; returns the seconds until it was checked, and until it was there."""
    with closing(empty(language, preset=PRESET, archive_frames=frames)) as memory:
        began_s = time.perf_counter()
        state = read_snapshot(folder)
        checked_s = time.perf_counter()
        memory.restore(state)
        return {
            'checked_s': checked_s - began_s,
            'restored_s': time.perf_counter() - began_s,
        }


def _judged(row: dict[str, Any], frames: int) -> dict[str, Any]:
    what = f'restart of {frames} frames, {row["name"]} / {MOST_S:g} s'
    return bar(what, row['restored_s']['p50'], MOST_S, most=1.0, unit='s')


def drop_cache(file: Path) -> None:
    """Have the kernel forget its copy of a file; Linux alone."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def print_restart(found: dict[str, Any], console: Console) -> None:
    """
    Print how long it took.

    :param found: as `measure` gives it
    """
    line = (
        f'{found["model"]}, {PRESET}, {found["frames"]} frames, {found["bytes"] / 1e9:.2f} GB, '
        f'{found["rounds"]} rounds; seconds'
    )
    console.print(line, highlight=False)
    table = new_table('file', 'checked', 'quartiles', 'restored', 'quartiles')
    for row in found['rows']:
        cells = (quartile_cells(row[part], 2) for part in ('checked_s', 'restored_s'))
        table.add_row(row['name'], *(cell for pair in cells for cell in pair))
    console.print(table)
    for each in found['bars']:
        console.print(bar_words(each), highlight=False)
