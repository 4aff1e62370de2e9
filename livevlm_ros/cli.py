# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The `livevlm` command.

Each command imports its room when it runs, so that `livevlm --help` needs neither torch nor ROS.
What the user gave and cannot be used is one line on stderr and exit code 2.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from livevlm_ros import __version__

if TYPE_CHECKING:
    from livevlm_ros.engine import Engine, EngineConfig
    from livevlm_ros.replay.outcome import Evaluation
    from livevlm_ros.replay.report import Report

app = typer.Typer(
    help="A robot's camera memory that can be asked questions.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

LEAST_WIDTH = 80  # columns in which no number of a report is cut off
PIPED_WIDTH = 110  # columns of a report that goes into a file or a pipe
MODEL_HELP = 'embedded, a checkpoint folder or a hub name.'
JsonFile = Annotated[Path | None, typer.Option('--json', help='Write the report as JSON.')]
AsJson = Annotated[bool, typer.Option('--json', help='Print JSON.')]


def main() -> None:
    """Run the command line."""
    app()


def _version(wanted: bool) -> None:
    if wanted:
        print(f'livevlm {__version__}')
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option('--version', callback=_version, is_eager=True, help='Print the version.'),
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    seed: Annotated[int, typer.Option(min=0, help='Stream of the world camera.')] = 7,
    questions: Annotated[int, typer.Option(min=1, help='Questions to ask.')] = 44,
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = 'embedded',
    json_file: JsonFile = None,
) -> None:
    """Start the node and the world camera over ROS and ask about now and the past."""
    _check_writable(json_file)
    from livevlm_ros.node.demo import run_demo

    raise typer.Exit(run_demo(seed=seed, questions=questions, json_path=json_file, model=model))


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help='The question, in words.')],
    namespace: Annotated[str, typer.Option(help='Namespace of the node.')] = '',
    budget: Annotated[
        float | None, typer.Option(min=0.001, help='Seconds the reply may take.')
    ] = None,
    thumbnails: Annotated[
        Path | None, typer.Option(help='Folder for the evidence frames as jpegs.')
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask a running node and print the answer with its evidence."""
    from livevlm_ros.node.ask_client import ask as ask_node

    code = ask_node(
        question, namespace=namespace, budget_s=budget, thumbnails=thumbnails, as_json=as_json
    )
    raise typer.Exit(code)


@app.command()
def world(
    out: Annotated[Path, typer.Option(help='Folder for the bags: new or empty.')],
    seed: Annotated[int, typer.Option(help='Which streams; never one that training uses.')],
    minutes: Annotated[float, typer.Option(min=0.01, help='Length of a stream.')] = 5.0,
    streams: Annotated[int, typer.Option(help='How many bags.')] = 1,
    frames: Annotated[
        str, typer.Option(help='Frames of a stream, as 64 or 4..16; goes over --minutes.')
    ] = '',
    size: Annotated[str, typer.Option(help='Camera size in pixels.')] = '320x240',
    fps: Annotated[float, typer.Option(help='Frames per second.')] = 1.0,
    questions_per_stream: Annotated[int, typer.Option(help='Questions of each stream.')] = 24,
    kinds: Annotated[
        str, typer.Option(help='Kinds of question, with commas between; by default all.')
    ] = '',
    storage: Annotated[str, typer.Option(help='mcap or sqlite3.')] = 'mcap',
    raw: Annotated[bool, typer.Option('--raw', help='Raw images instead of jpeg.')] = False,
) -> None:
    """Film the procedural world into bags with their questions and truth."""
    with _plain_errors(), _progress() as bar:
        from livevlm_ros.replay.write_world import Filming, write_world
        from livevlm_ros.world import KINDS

        chosen = tuple(kinds.replace(' ', '').split(',')) if kinds else KINDS
        length = max(1, round(60 * minutes * fps))
        filming = Filming(
            seed=seed,
            streams=streams,
            frames=_range('--frames', frames) if frames else (length, length),
            size=_size('--size', size),
            fps=fps,
            questions=questions_per_stream,
            kinds=chosen,
            storage=storage,
            raw=raw,
        )
        task = bar.add_task(f'filming {streams} streams', total=1.0)
        written = write_world(
            out, filming, progress=lambda share: bar.update(task, completed=share)
        )
    print(f'{out}: {streams} streams, {written} frames')


@app.command()
def evaluate(
    source: Annotated[Path, typer.Argument(help='A bag, a video, or a folder of them.')],
    questions: Annotated[
        Path | None,
        typer.Option(help='Questions file; by default SOURCE.questions.yaml beside each.'),
    ] = None,
    preset: Annotated[str, typer.Option(help='Memory preset: recent or full.')] = 'recent',
    settings: Annotated[
        list[str] | None, typer.Option('--set', help='Setting as name=value, repeatable.')
    ] = None,
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = 'embedded',
    topic: Annotated[
        str | None, typer.Option(help='Image topic, where a bag has several.')
    ] = None,
    fps: Annotated[float, typer.Option(help='Most frames used per second of the source.')] = 1.0,
    json_file: JsonFile = None,
    html_file: Annotated[
        Path | None, typer.Option('--html', help='Write the report as one page.')
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help='Draw questions, answers and evidence frames.')
    ] = None,
) -> None:
    """Replay recordings through the engine, ask their questions and report."""
    with _plain_errors():
        from livevlm_ros.replay.evaluate import evaluate as replay
        from livevlm_ros.replay.report import build_report
        from livevlm_ros.replay.settings import engine_config
        from livevlm_ros.replay.table import print_report

        _check_writable(json_file, html_file, picture)
        config = engine_config(model=model, preset=preset, fps=fps, given=settings or ())
        with _progress() as bar:
            task = bar.add_task('loading the model', total=1.0)
            engine = _load(config, lambda phase, share: bar.update(task, description=phase))
            started = time.monotonic()
            evaluation = replay(
                source,
                engine,
                questions=questions,
                topic=topic,
                thumbnails=html_file is not None,
                progress=lambda name, share: bar.update(
                    task, completed=share, description=name or 'done'
                ),
            )
        seconds = time.monotonic() - started
        report = build_report(
            evaluation, engine.stats(), config, path=str(source), seconds=seconds
        )
        console = Console()
        console.width = max(console.width, LEAST_WIDTH if console.is_terminal else PIPED_WIDTH)
        print_report(report, console)
        _write(report, evaluation, json_file=json_file, html_file=html_file)
        if picture is not None:
            from livevlm_ros.replay.picture import draw_picture

            draw_picture(source, evaluation, picture, topic=topic)


@app.command()
def train(
    out: Annotated[Path, typer.Option(help='Checkpoint folder to write.')],
    minutes: Annotated[float, typer.Option(help='Time for the language layers.')] = 45.0,
    tower_minutes: Annotated[float, typer.Option(help='Time for the vision tower.')] = 10.0,
    resume: Annotated[
        Path | None, typer.Option(help='Checkpoint to go on from; its tower is kept.')
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help='Training seed.')] = 0,
    threads: Annotated[int, typer.Option(min=1, help='CPU threads.')] = 1,
    evidence_loss: Annotated[
        bool, typer.Option(help='Teach attention heads where the evidence lies.')
    ] = True,
) -> None:
    """Train the embedded model from scratch, with its held-out curve in the log."""
    import logging

    from livevlm_ros.model import CheckpointError
    from livevlm_ros.training.train import TrainingConfig, read_runs
    from livevlm_ros.training.train import train as train_model

    with _plain_errors(CheckpointError):
        if resume is not None:
            if not (resume / 'model.safetensors').is_file():
                _refuse(f'{resume}: no model.safetensors; expected a folder that train wrote')
            read_runs(resume)
        logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
        train_model(
            TrainingConfig(
                out=out,
                minutes=minutes,
                tower_minutes=tower_minutes,
                resume=resume,
                seed=seed,
                threads=threads,
                evidence_loss=evidence_loss,
            )
        )


@app.command()
def card(
    out: Annotated[Path, typer.Option(help='Markdown file to write.')],
    model: Annotated[
        str, typer.Option(help='embedded, or a folder that `livevlm train` wrote.')
    ] = 'embedded',
    streams: Annotated[
        Path, typer.Option(help='Folder for the held-out streams; filmed where missing.')
    ] = Path('livevlm-streams'),
) -> None:
    """Measure a checkpoint on held-out streams and write its model card."""
    from livevlm_ros.model.checkpoint import CheckpointError, checkpoint_folder
    from livevlm_ros.replay.card import card_text, measure
    from livevlm_ros.training.train import read_runs

    with _plain_errors(CheckpointError):
        _check_writable(out)
        runs = read_runs(checkpoint_folder(model))
        with _progress() as bar:
            task = bar.add_task('filming', total=1.0)
            measured = measure(
                model,
                streams,
                progress=lambda name, share: bar.update(task, completed=share, description=name),
            )
        out.write_text(card_text(measured, runs), encoding='utf-8')
        print(f'{out}: model card written')


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what this machine has and what is wrong with it."""
    from livevlm_ros.doctor import doctor as examine

    raise typer.Exit(examine(as_json=as_json))


@contextmanager
def _plain_errors(*others: type[Exception]) -> Iterator[None]:
    """Turn `BadInput`, and other errors that tell of bad input, into one line and exit code 2."""
    from livevlm_ros.replay.errors import BadInput

    told: tuple[type[Exception], ...] = (BadInput, *others)
    try:
        yield
    except told as error:
        _refuse(str(error))


def _refuse(message: str) -> NoReturn:
    print(f'livevlm: {message}', file=sys.stderr)
    raise typer.Exit(2)


def _progress() -> Progress:
    """Make a progress bar on stderr; nothing is drawn where that is no terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn('{task.description}'),
        BarColumn(),
        TextColumn('{task.percentage:>3.0f} %'),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def _load(config: EngineConfig, progress: Callable[[str, float], None]) -> Engine:
    from livevlm_ros.engine import Engine
    from livevlm_ros.model import CheckpointError
    from livevlm_ros.replay.errors import BadInput

    engine = Engine(config)
    try:
        engine.load(progress)
    except (CheckpointError, ValueError) as error:
        raise BadInput(str(error)) from error
    return engine


def _check_writable(*files: Path | None) -> None:
    """Refuse an output that cannot be written before the work is done, not after."""
    for file in files:
        if file is None:
            continue
        folder = file.absolute().parent
        if not folder.is_dir() or file.is_dir():
            _refuse(f'{file}: cannot be written; expected a file in an existing folder')
        if not os.access(file if file.exists() else folder, os.W_OK):
            _refuse(f'{file}: cannot be written; permission denied')


def _write(
    report: Report, evaluation: Evaluation, *, json_file: Path | None, html_file: Path | None
) -> None:
    if json_file is not None:
        json_file.write_text(json.dumps(report, indent=1) + '\n', encoding='utf-8')
    if html_file is not None:
        from livevlm_ros.replay.html import html_report

        html_file.write_text(html_report(report, evaluation), encoding='utf-8')


def _range(option: str, text: str) -> tuple[int, int]:
    match = re.fullmatch(r'(\d+)(?:\.\.(\d+))?', text)
    if match is None:
        _refuse(f'{option} {text}: expected a number or a range such as 4..16')
    return int(match[1]), int(match[2] or match[1])


def _size(option: str, text: str) -> tuple[int, int]:
    match = re.fullmatch(r'(\d+)x(\d+)', text)
    if match is None:
        _refuse(f'{option} {text}: expected width x height, such as 320x240')
    return int(match[1]), int(match[2])
