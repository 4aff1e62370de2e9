# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A bad day of a running node, fault after fault: `python -m livevlm_bench.over_ros.faults`.

The real node runs with random weights in a process of its own, over Fast DDS. Meanwhile a client
asks without pause. Whatever is done to the node, it lives, its memory stays flat, nobody waits
longer for a reply than the budget and a moment, and each fault is told.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console

from livevlm_bench.over_ros.cameras import camera_faults
from livevlm_bench.over_ros.clients import client_faults
from livevlm_bench.over_ros.clocks import clock_faults
from livevlm_bench.over_ros.disks import disk_faults
from livevlm_bench.over_ros.fault import FaultClass, Untold
from livevlm_bench.over_ros.faults_table import print_faults
from livevlm_bench.over_ros.halts import halt_faults
from livevlm_bench.over_ros.images import image_faults
from livevlm_bench.over_ros.process import resident_mb
from livevlm_bench.over_ros.rig import Rig
from livevlm_bench.over_ros.settings import parameter_faults
from livevlm_bench.over_ros.stages import stage_faults
from livevlm_bench.report_head import head
from livevlm_ros.node.children import ChildDied, choose_domain, terminate_as_interrupt
from livevlm_ros.node.memory_client import CommandFailed
from livevlm_ros.replay.table import report_console
from livevlm_ros.terminal import progress_bar

THOUSAND = 1000
MOST_OVER_MS = 100.0
MOST_GROWTH_MB = 50.0
NOBODY_S = 10.0  # in which somebody must have asked

Progress = Callable[[str, float], None]


def fault_classes() -> list[FaultClass]:
    """Return all that is done to a node."""
    return [
        *stage_faults(),
        *image_faults(),
        *clock_faults(),
        *camera_faults(),
        *disk_faults(),
        *client_faults(),
        *parameter_faults(),
        *halt_faults(),
    ]


def run(
    rig: Rig,
    classes: Sequence[FaultClass],
    *,
    seed: int,
    count: int,
    progress: Progress = lambda name, share: None,
) -> Iterator[dict[str, Any]]:
    """
    Do faults to a node, class after class, until all are done or it has died.

    :param count: of all classes together; each has its share, and one at least
    :returns: a row for each class
    """
    for done, kind in enumerate(classes):
        faults = max(1, round(kind.share * count / THOUSAND))
        progress(kind.name, done / len(classes))
        row = _run_class(rig, kind, Random(f'{seed} {kind.name}'), faults)
        yield row
        if not row['alive']:
            return


def _run_class(rig: Rig, kind: FaultClass, draw: Random, faults: int) -> dict[str, Any]:
    rig.asker.take()
    began_s, before_mb = time.monotonic(), resident_mb(rig.node.pid)
    told: Counter[str] = Counter()
    broken, injected, alive = [], 0, True
    for number in range(faults):
        injected += 1
        try:
            told[kind.inject(rig, draw)] += 1
            rig.check()
        except (Untold, CommandFailed) as error:
            broken.append(f'{kind.name} {number}: {error}')
        except ChildDied as error:
            broken.append(f'{kind.name} {number}: {error}')
            alive = False
            break
    waits = rig.asker.take()
    answered = waits.asked > waits.lost
    return {
        'class': kind.name,
        'injected': injected,
        'told': dict(told),
        'broken': broken,
        'alive': alive,
        'asked': waits.asked,
        'lost': waits.lost,
        'over_ms': 1e3 * waits.over_s if answered else None,
        'over_at_node_ms': 1e3 * waits.over_at_node_s if answered else None,
        'resident_mb': [before_mb, resident_mb(rig.node.pid) if alive else None],
        'took_s': time.monotonic() - began_s,
    }


def promises_broken(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return what was promised and is not so."""
    found = [words for row in rows for words in row['broken']]
    for row in rows:
        if not row['asked'] and row['took_s'] > NOBODY_S:
            found.append(f'{row["class"]}: nobody asked in {row["took_s"]:.0f} s')
        if row['lost']:
            found.append(f'{row["class"]}: {row["lost"]} questions got no reply')
        if row['over_ms'] is not None and row['over_ms'] > MOST_OVER_MS:
            found.append(f'{row["class"]}: a reply came {row["over_ms"]:.0f} ms after its budget')
    first, last = rows[0]['resident_mb'][0], rows[-1]['resident_mb'][1]
    if last is not None and last - first > MOST_GROWTH_MB:
        found.append(f'the node grew by {last - first:.0f} MB')
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Do faults, print the table; returns 1 when a promise is broken."""
    names = [kind.name for kind in fault_classes()]
    parser = argparse.ArgumentParser(prog='faults', description=__doc__)
    parser.add_argument('--seed', type=int, default=0, help='decides every fault')
    parser.add_argument('--count', type=int, default=THOUSAND, help='faults of all classes')
    parser.add_argument('--only', action='append', choices=names, help='a class, or several')
    parser.add_argument('--json', type=Path, help='where the report goes')
    given = parser.parse_args(arguments)
    classes = [kind for kind in fault_classes() if kind.name in (given.only or names)]
    choose_domain(Console(stderr=True))
    rows: list[dict[str, Any]] = []
    ended = False
    try:
        with terminate_as_interrupt(), tempfile.TemporaryDirectory() as folder:
            for row in _done(Path(folder), classes, seed=given.seed, count=given.count):
                rows.append(row)
                _write(given.json, _report(rows, given.seed))
        ended = True
    except KeyboardInterrupt:
        print('faults: interrupted', file=sys.stderr)
    if not rows:
        return 1
    report = _report(rows, given.seed)
    print_faults(report, report_console())
    return int(bool(report['broken']) or not ended)


def _done(
    folder: Path, classes: Sequence[FaultClass], *, seed: int, count: int
) -> Iterator[dict[str, Any]]:
    """Start a node and yield a row for each class of faults that was done to it."""
    with progress_bar() as bar:
        task = bar.add_task('starting the node', total=1.0)
        with Rig(folder, seed=seed) as rig:
            yield from run(
                rig,
                classes,
                seed=seed,
                count=count,
                progress=lambda name, share: bar.update(task, completed=share, description=name),
            )


def _report(rows: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    broken = promises_broken(rows)
    return {
        **head('faults', seed=seed, threads=os.cpu_count() or 1),
        'rows': rows,
        'broken': broken,
    }


def _write(file: Path | None, report: dict[str, Any]) -> None:
    if file is not None:
        file.write_text(json.dumps(report, indent=1) + '\n', encoding='utf-8')


if __name__ == '__main__':
    sys.exit(main())
