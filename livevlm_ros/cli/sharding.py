# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluations in parts, each by a process of its own, and the command that merges them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from livevlm_ros.cli.options import HtmlFile, JsonFile
from livevlm_ros.cli.reporting import fail_if_left_out, publish
from livevlm_ros.terminal import (
    check_writable,
    different_names,
    plain_errors,
    progress_bar,
    refuse,
)

if TYPE_CHECKING:
    from livevlm_ros.replay.compare import Load
    from livevlm_ros.replay.part import Job


def merge(
    parts: Annotated[
        list[Path], typer.Argument(help='All parts that `livevlm evaluate --shard` wrote.')
    ],
    json_file: JsonFile = None,
    html_file: HtmlFile = None,
    reliability: Annotated[
        Path | None,
        typer.Option(help='Draw how often answers of each confidence are right, as SVG.'),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help='Rows that the others are paired with; by default the first.'),
    ] = None,
) -> None:
    """
    Make one report of an evaluation in parts: that of a single run, but for times.

    Exits with 3 if nothing was measured, with 4 if recordings were left out, as `evaluate` does.
    """
    with plain_errors():
        for part in parts:
            check_writable(json_file, html_file, reliability, read=part)
        from livevlm_ros.replay.part import Part
        from livevlm_ros.replay.rows import check_baselines
        from livevlm_ros.replay.sharded import merge_parts

        read = [Part.read(file) for file in parts]
        opponents = different_names('--against', against) if against else []
        check_baselines(opponents, list(read[0].plan['rows']))
        runs = merge_parts(read)
        publish(
            runs,
            comparing=read[0].plan['comparing'],
            against=opponents,
            json_file=json_file,
            html_file=html_file,
            reliability=reliability,
        )
        fail_if_left_out(runs[0].report)


def evaluate_shard(job: Job, shard: str, file: Path | None, *, load: Load) -> None:
    """
    Do what is left of a shard, and say what was done.

    :param shard: as i/n
    :param file: the part
    """
    from livevlm_ros.replay.part import Part, Shard
    from livevlm_ros.replay.sharded import run_part

    if file is None:
        refuse(f'--shard {shard}: expected --json with a file for this part')
    part = Part.open(file, Shard.read(shard), job)
    left = len(part.recordings_left())
    with progress_bar() as bar:
        task = bar.add_task('loading the model', total=1.0)
        run_part(
            job,
            part,
            load=load,
            progress=lambda name, share: bar.update(task, completed=share, description=name),
        )
    print(
        f'{file}: shard {part.shard}, {left} recording{"s" * (left != 1)} done, '
        f'{len(part.names) - left} done before'
    )


def refuse_beside_shard(**given: object) -> None:
    """Refuse options of `evaluate` that a part cannot serve."""
    for name, value in given.items():
        if value:
            option = name.replace('_', '-')
            refuse(f'--{option}: not with --shard, which writes a part for `livevlm merge`')
