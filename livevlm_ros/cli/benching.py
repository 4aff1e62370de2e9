# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command that measures against the peers' methods."""

import json
from pathlib import Path
from typing import Annotated

import typer

from livevlm_ros.cli.options import JsonFile
from livevlm_ros.terminal import check_writable, plain_errors, progress_bar, refuse


def bench(
    suite: Annotated[
        str,
        typer.Argument(help='first-token; or standing, a question asked every second.'),
    ] = 'first-token',
    rounds: Annotated[int, typer.Option(min=2, help='Rounds that count.')] = 21,
    quick: Annotated[
        bool, typer.Option('--quick', help='Few frames, to see that it runs: no bar is judged.')
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Measure memories against the peers' in one run, and print ratios."""
    with plain_errors():
        check_writable(json_file)
        if suite == 'first-token':
            _first_token(rounds, quick, json_file)
        elif suite == 'standing':
            _standing(quick, json_file)
        else:
            refuse(f'bench {suite}: no such suite; expected first-token or standing')


def _first_token(rounds: int, quick: bool, json_file: Path | None) -> None:
    from livevlm_bench.first_token import measure, suite
    from livevlm_bench.table import print_first_token
    from livevlm_ros.replay.table import report_console

    with progress_bar() as bar:
        task = bar.add_task('building the model', total=1.0)
        found = measure(
            suite(quick=quick),
            rounds=rounds,
            progress=lambda name, share: bar.update(task, completed=share, description=name),
        )
    print_first_token(found, report_console())
    if json_file is not None:
        json_file.write_text(json.dumps(found, indent=1) + '\n', encoding='utf-8')


def _standing(quick: bool, json_file: Path | None) -> None:
    from livevlm_bench.standing import QUICK_SECONDS, SECONDS, measure
    from livevlm_bench.standing_table import print_standing
    from livevlm_ros.replay.table import report_console

    with progress_bar() as bar:
        task = bar.add_task('loading the model', total=1.0)
        found = measure(
            seconds=QUICK_SECONDS if quick else SECONDS,
            bars=not quick,
            progress=lambda name, share: bar.update(task, completed=share, description=name),
        )
    print_standing(found, report_console())
    if json_file is not None:
        json_file.write_text(json.dumps(found, indent=1) + '\n', encoding='utf-8')
