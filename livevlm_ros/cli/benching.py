# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command that measures against the peers' methods."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console

from livevlm_ros.cli.options import JsonFile
from livevlm_ros.terminal import check_writable, plain_errors, progress_bar, refuse

Found = dict[str, Any]
Progress = Callable[[str, float], None]


class Suite(NamedTuple):
    """
    How a suite is run.

    :param measure: called with what tells of progress, and what writes a report that is not whole
    :param show: prints what was found
    """

    measure: Callable[[Progress, Callable[[Found], None]], Found]
    show: Callable[[Found, Console], None]


def bench(
    suite: Annotated[
        str,
        typer.Argument(
            help='first-token; answer, to its last token; scaling, by length of the stream; '
            'ingest, frames a second; restart, of an hour of memory; kernels; standing, a '
            'question asked every second; deadline, budgets of all lengths; deadline-ros, the '
            'same over ROS with two cameras; endurance, minutes of work over ROS; weights, of 8 '
            'and 4 bits; or language, what a pretrained language model answers.'
        ),
    ] = 'first-token',
    rounds: Annotated[int, typer.Option(min=2, help='Rounds that count.')] = 21,
    quick: Annotated[
        bool,
        typer.Option(
            '--quick', help='Few frames, streams and rows, to see that it runs: no bar is judged.'
        ),
    ] = False,
    minutes: Annotated[float, typer.Option(min=0.1, help='For endurance: how long.')] = 10.0,
    viewers: Annotated[
        int,
        typer.Option(min=0, help="For endurance: how many look at the node's page in between."),
    ] = 0,
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
    json_file: JsonFile = None,
) -> None:
    """Measure memories against the peers' in one run, and print ratios."""
    suites: dict[str, Callable[[], Suite]] = {
        'first-token': lambda: _questions('first_token', rounds, quick),
        'answer': lambda: _questions('answer', rounds, quick),
        'scaling': lambda: _scaling(rounds, quick),
        'ingest': lambda: _ingest(rounds, quick),
        'restart': lambda: _restart(rounds, quick),
        'kernels': lambda: _kernels(rounds, quick),
        'standing': lambda: _standing(quick),
        'deadline': lambda: _deadline(quick),
        'deadline-ros': lambda: _deadline_ros(quick),
        'endurance': lambda: _endurance(minutes, viewers, quick),
        'weights': lambda: _weights(rounds, quick),
        'language': lambda: _language(facts, text, seed, streams, tokens, row or [], quick),
    }
    with plain_errors():
        check_writable(json_file)
        if suite not in suites:
            refuse(f'bench {suite}: no such suite; expected one of {", ".join(suites)}')
        _run(suites[suite](), json_file)


def _run(suite: Suite, json_file: Path | None) -> None:
    from livevlm_ros.replay.table import report_console
    from livevlm_ros.replay.whole_file import write_whole

    def write(found: Found) -> None:
        if json_file is not None:
            write_whole(json_file, json.dumps(found, indent=1) + '\n')

    with progress_bar() as bar:
        task = bar.add_task('loading the model', total=1.0)
        found = suite.measure(
            lambda name, share: bar.update(task, completed=share, description=name), write
        )
    suite.show(found, report_console())
    write(found)
    if json_file is not None:
        print(f'wrote {json_file}')


def _questions(mark: str, rounds: int, quick: bool) -> Suite:
    from livevlm_bench.question_suite import ANSWER, measure, suite
    from livevlm_bench.question_table import print_questions
    from livevlm_bench.shapes import ANSWER_TOKENS

    settings, tokens = suite(mark, quick=quick), ANSWER_TOKENS if mark == ANSWER else 1
    return Suite(
        lambda progress, _: measure(
            settings, rounds=rounds, answer_tokens=tokens, progress=progress
        ),
        print_questions,
    )


def _scaling(rounds: int, quick: bool) -> Suite:
    from livevlm_bench.scaling import QUICK_LENGTHS, QUICK_STEPS, measure
    from livevlm_bench.scaling_table import print_scaling

    size = {'lengths': QUICK_LENGTHS, 'steps': QUICK_STEPS, 'bars': False} if quick else {}
    return Suite(
        lambda progress, _: measure(rounds=rounds, progress=progress, **size), print_scaling
    )


def _ingest(rounds: int, quick: bool) -> Suite:
    from livevlm_bench.ingest import HELD, QUICK_HELD, measure
    from livevlm_bench.ingest_table import print_ingest

    held = QUICK_HELD if quick else HELD
    return Suite(
        lambda progress, _: measure(rounds=rounds, held=held, progress=progress), print_ingest
    )


def _restart(rounds: int, quick: bool) -> Suite:
    from livevlm_bench.restart import QUICK_FRAMES, measure, print_restart

    size = {'frames': QUICK_FRAMES, 'bars': False} if quick else {}
    return Suite(
        lambda progress, _: measure(rounds=rounds, progress=progress, **size), print_restart
    )


def _kernels(rounds: int, quick: bool) -> Suite:
    import torch

    from livevlm_bench.kernel_cases import QUICK_SIZES, cases
    from livevlm_bench.kernel_suite import measure
    from livevlm_bench.kernel_table import print_kernels

    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    size = QUICK_SIZES if quick else {}
    return Suite(
        lambda progress, _: measure(
            cases(device, **size), device, rounds=rounds, progress=progress
        ),
        print_kernels,
    )


def _standing(quick: bool) -> Suite:
    from livevlm_bench.standing import QUICK_SECONDS, SECONDS, measure
    from livevlm_bench.standing_table import print_standing

    seconds = QUICK_SECONDS if quick else SECONDS
    return Suite(
        lambda progress, _: measure(seconds=seconds, bars=not quick, progress=progress),
        print_standing,
    )


def _deadline(quick: bool) -> Suite:
    from livevlm_bench.deadline import QUICK_FRAMES, QUICK_QUESTIONS, measure
    from livevlm_bench.deadline_table import print_deadline

    size = {'frames': QUICK_FRAMES, 'questions': QUICK_QUESTIONS} if quick else {}
    return Suite(lambda progress, _: measure(progress=progress, **size), print_deadline)


def _deadline_ros(quick: bool) -> Suite:
    from livevlm_bench.over_ros.budgets import QUICK_CROWD_S, QUICK_QUESTIONS, measure
    from livevlm_bench.over_ros.budgets_table import print_budgets

    size = {'questions': QUICK_QUESTIONS, 'crowd_s': QUICK_CROWD_S} if quick else {}
    return Suite(lambda progress, _: measure(progress=progress, **size), print_budgets)


def _endurance(minutes: float, viewers: int, quick: bool) -> Suite:
    from livevlm_bench.over_ros.endurance import QUICK_MINUTES, measure, print_endurance

    lasting = QUICK_MINUTES if quick else minutes
    return Suite(
        lambda progress, _: measure(minutes=lasting, viewers=viewers, progress=progress),
        print_endurance,
    )


def _weights(rounds: int, quick: bool) -> Suite:
    from livevlm_bench.smollm2 import load_smollm2
    from livevlm_bench.weights_suite import QUICK_WINDOWS, WINDOWS, measure
    from livevlm_bench.weights_table import print_weights

    windows = QUICK_WINDOWS if quick else WINDOWS
    return Suite(
        lambda progress, _: measure(
            load_smollm2, rounds=rounds, windows=windows, progress=progress
        ),
        print_weights,
    )


def _language(
    facts: Path | None,
    text: Path | None,
    seed: int,
    streams: int,
    tokens: int,
    rows: list[str],
    quick: bool,
) -> Suite:
    from livevlm_bench.language_rows import table_rows
    from livevlm_bench.language_suite import QUICK, Streams, measure
    from livevlm_bench.language_table import print_language
    from livevlm_bench.smollm2 import load_smollm2

    read = Streams(seed, streams, tokens, facts, text)
    if quick:
        read = replace(read, **QUICK)
    chosen = table_rows(read.tokens, texts=rows, quick=quick)
    return Suite(
        lambda progress, so_far: measure(
            load_smollm2(), read, chosen, progress=progress, so_far=so_far
        ),
        print_language,
    )
