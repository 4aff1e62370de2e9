# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command that measures against the peers' methods."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from livevlm_ros.cli.options import JsonFile
from livevlm_ros.terminal import check_writable, plain_errors, progress_bar, refuse


def bench(
    suite: Annotated[
        str,
        typer.Argument(
            help='first-token; standing, a question asked every second; deadline, budgets of all '
            'lengths; or language, what a pretrained language model answers from each memory.'
        ),
    ] = 'first-token',
    rounds: Annotated[int, typer.Option(min=2, help='Rounds that count.')] = 21,
    quick: Annotated[
        bool, typer.Option('--quick', help='Few frames, to see that it runs: no bar is judged.')
    ] = False,
    facts: Annotated[
        Path | None, typer.Option(help='For language: file of facts; by default those built in.')
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option(help='For language: folder of *.txt and *.md to drop them into.'),
    ] = None,
    seed: Annotated[int, typer.Option(help='For language: decides the streams.')] = 0,
    streams: Annotated[int, typer.Option(min=1, help='For language: streams.')] = 8,
    tokens: Annotated[int, typer.Option(help='For language: tokens of a stream.')] = 1536,
    row: Annotated[
        list[str] | None,
        typer.Option(
            help="For language: a row more, such as 'small=balanced retrieval.frames=4'."
        ),
    ] = None,
    short: Annotated[
        bool,
        typer.Option('--short', help='For language: one stream of 1536 tokens and five rows.'),
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
        elif suite == 'deadline':
            _deadline(quick, json_file)
        elif suite == 'language':
            _language(
                *(facts, text, seed, streams, tokens), rows=row or (), short=short, file=json_file
            )
        else:
            suites = 'first-token, standing, deadline or language'
            refuse(f'bench {suite}: no such suite; expected {suites}')


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


def _language(
    facts: Path | None,
    text: Path | None,
    seed: int,
    streams: int,
    tokens: int,
    *,
    rows: Sequence[str],
    short: bool,
    file: Path | None,
) -> None:
    from livevlm_bench.language_rows import table_rows
    from livevlm_bench.language_suite import SHORT, Streams, measure
    from livevlm_bench.language_table import print_language
    from livevlm_bench.smollm2 import load_smollm2
    from livevlm_ros.replay.table import report_console

    read = Streams(seed, streams, tokens, facts, text)
    if short:
        read = replace(read, **SHORT)
    chosen = table_rows(read.tokens, texts=rows, short=short)

    def write(found: dict[str, Any]) -> None:
        if file is not None:
            file.write_text(json.dumps(found, indent=1) + '\n', encoding='utf-8')

    with progress_bar() as bar:
        task = bar.add_task('loading the model', total=1.0)
        found = measure(
            load_smollm2(),
            read,
            chosen,
            progress=lambda name, share: bar.update(task, completed=share, description=name),
            so_far=write,
        )
    print_language(found, report_console())


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


def _deadline(quick: bool, json_file: Path | None) -> None:
    from livevlm_bench.deadline import QUICK_FRAMES, QUICK_QUESTIONS, measure
    from livevlm_bench.deadline_table import print_deadline
    from livevlm_ros.replay.table import report_console

    length = {'frames': QUICK_FRAMES, 'questions': QUICK_QUESTIONS} if quick else {}
    with progress_bar() as bar:
        task = bar.add_task('loading the model', total=1.0)
        found = measure(
            **length,
            progress=lambda name, share: bar.update(task, completed=share, description=name),
        )
    print_deadline(found, report_console())
    if json_file is not None:
        json_file.write_text(json.dumps(found, indent=1) + '\n', encoding='utf-8')
