# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The `livevlm` command.

Each command imports its room when it runs, so that `livevlm --help` needs neither torch nor ROS.
What the user gave and cannot be used is one line on stderr and exit code 2.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from livevlm_ros import __version__
from livevlm_ros.terminal import (
    check_writable,
    different_names,
    image_size,
    number_range,
    plain_errors,
    progress_bar,
    refuse,
)

if TYPE_CHECKING:
    from livevlm_ros.engine import Engine, EngineConfig

app = typer.Typer(
    help="A robot's camera memory that can be asked questions.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

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
    check_writable(json_file)
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
    with plain_errors(), progress_bar() as bar:
        from livevlm_ros.replay.write_world import Filming, write_world
        from livevlm_ros.world import KINDS

        chosen = tuple(kinds.replace(' ', '').split(',')) if kinds else KINDS
        length = max(1, round(60 * minutes * fps))
        filming = Filming(
            seed=seed,
            streams=streams,
            frames=number_range('--frames', frames) if frames else (length, length),
            size=image_size('--size', size),
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
    preset: Annotated[str, typer.Option(help='Memory preset, such as recent.')] = 'balanced',
    presets: Annotated[
        str | None,
        typer.Option(help='In place of --preset: several, with commas between, to be compared.'),
    ] = None,
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
    memory_picture: Annotated[
        Path | None, typer.Option(help='Draw what is held, and what one question reads of it.')
    ] = None,
) -> None:
    """Replay recordings through the engine, ask their questions and report."""
    with plain_errors():
        from livevlm_ros.replay.compare import compare, run_presets
        from livevlm_ros.replay.settings import engine_config
        from livevlm_ros.replay.table import print_comparison, print_report, report_console

        check_writable(json_file, html_file, picture, memory_picture)
        names = [preset] if presets is None else different_names('--presets', presets)
        if presets and (drawn := picture or memory_picture):
            refuse(f'{drawn}: a picture shows a single preset; give it with --preset')
        configs = [
            engine_config(model=model, preset=name, fps=fps, given=settings or ())
            for name in names
        ]
        with progress_bar() as bar:
            task = bar.add_task('loading the model', total=1.0)
            runs = run_presets(
                source,
                configs,
                load=_load,
                questions=questions,
                topic=topic,
                thumbnails=html_file is not None,
                progress=lambda name, share: bar.update(task, completed=share, description=name),
            )
        console = report_console()
        compared = compare(runs)
        report = compared if presets else runs[0].report
        if presets:
            print_comparison(compared, console)
        else:
            print_report(report, console)
        if json_file is not None:
            json_file.write_text(json.dumps(report, indent=1) + '\n', encoding='utf-8')
        if html_file is not None:
            from livevlm_ros.replay.html import html_report

            html_file.write_text(html_report(runs, compared), encoding='utf-8')
        if picture is not None:
            from livevlm_ros.replay.picture import draw_picture

            draw_picture(source, runs[0].evaluation, picture, topic=topic)
        if memory_picture is not None:
            from livevlm_ros.model import load_model
            from livevlm_ros.replay.memory_picture import draw_memory_picture

            draw_memory_picture(
                source,
                configs[0],
                runs[0].evaluation,
                memory_picture,
                load=load_model,
                topic=topic,
            )


@app.command()
def replay(
    bag: Annotated[Path, typer.Argument(help='A bag.')],
    questions: Annotated[
        Path | None, typer.Option(help='Questions file; by default BAG.questions.yaml beside it.')
    ] = None,
    preset: Annotated[str, typer.Option(help='Memory preset.')] = 'balanced',
    settings: Annotated[
        list[str] | None,
        typer.Option('--set', help='Parameter of the node as name=value, repeatable.'),
    ] = None,
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = 'embedded',
    topic: Annotated[
        str | None, typer.Option(help='Image topic, where the bag has several.')
    ] = None,
    fps: Annotated[float, typer.Option(help='Most frames used per second of the bag.')] = 1.0,
    rate: Annotated[
        float,
        typer.Option(min=0.01, max=1000, help='Bag seconds a second; above 1 frames may drop.'),
    ] = 1.0,
    json_file: JsonFile = None,
    html_file: Annotated[
        Path | None, typer.Option('--html', help='Write the report as one page.')
    ] = None,
) -> None:
    """Play a bag to the real node over ROS, ask its questions over /ask and report."""
    with plain_errors():
        check_writable(json_file, html_file)
        from livevlm_ros.node.replay import Replay, node_parameters, publish, run_replay

        asked = Replay(bag, questions, topic, rate, json_file, html_file)
        parameters = node_parameters(model=model, preset=preset, fps=fps, given=settings or ())
        with progress_bar() as bar:
            task = bar.add_task('starting the node', total=1.0)
            run = run_replay(
                asked,
                parameters,
                progress=lambda name, share: bar.update(task, completed=share, description=name),
            )
        raise typer.Exit(1 if run is None else publish(run, asked))


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

    with plain_errors(CheckpointError):
        if resume is not None:
            if not (resume / 'model.safetensors').is_file():
                refuse(f'{resume}: no model.safetensors; expected a folder that train wrote')
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

    with plain_errors(CheckpointError):
        check_writable(out)
        runs = read_runs(checkpoint_folder(model))
        with progress_bar() as bar:
            task = bar.add_task('filming', total=1.0)
            measured = measure(
                model,
                streams,
                progress=lambda name, share: bar.update(task, completed=share, description=name),
            )
        out.write_text(card_text(measured, runs), encoding='utf-8')
        print(f'{out}: model card written')


@app.command()
def calibrate(
    out: Annotated[Path, typer.Option(help='memory.yaml to write; its other keys are kept.')],
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = 'embedded',
    source: Annotated[
        Path | None,
        typer.Option(help='Recordings with questions; by default streams filmed for this.'),
    ] = None,
    preset: Annotated[str, typer.Option(help='Memory preset: livevlm or balanced.')] = 'balanced',
) -> None:
    """Measure how a checkpoint finds what left its short-term memory, and note the best way."""
    from livevlm_ros.model import CheckpointError, load_model
    from livevlm_ros.model.checkpoint import checkpoint_folder, read_yaml
    from livevlm_ros.replay import calibrate as calibration
    from livevlm_ros.replay.settings import engine_config
    from livevlm_ros.replay.table import report_console

    with plain_errors(CheckpointError):
        check_writable(out)
        config = engine_config(model=model, preset=preset)
        kept = read_yaml(out if out.exists() else checkpoint_folder(model) / 'memory.yaml')
        with progress_bar() as bar:
            task = bar.add_task('loading the model', total=1.0)
            found = calibration.calibrate(
                config,
                load=load_model,
                source=source,
                progress=lambda name, share: bar.update(task, completed=share, description=name),
            )
        console = report_console()
        console.print(calibration.calibration_table(found))
        retrieval = found.chosen.retrieval
        calibration.write_settings(out, {**kept, 'retrieval': dict(retrieval)})
        print(f'{out}: pages are found by {calibration.words(retrieval)}')


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what this machine has and what is wrong with it."""
    from livevlm_ros.doctor import doctor as examine

    raise typer.Exit(examine(as_json=as_json))


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
