# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Commands that replay recordings and report the answers."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from livevlm_ros.cli.options import (
    MODEL_HELP,
    Duration,
    Fps,
    HtmlFile,
    JsonFile,
    Settings,
    Start,
    Topic,
)
from livevlm_ros.cli.reporting import (
    draw,
    fail_if_left_out,
    model_loader,
    publish,
    report_json,
    tell_written,
)
from livevlm_ros.cli.sharding import evaluate_shard, refuse_beside_shard
from livevlm_ros.terminal import (
    check_writable,
    different_names,
    plain_errors,
    progress_bar,
    refuse,
)

if TYPE_CHECKING:
    from livevlm_ros.replay.clip import Stretch
    from livevlm_ros.replay.compare import Run
    from livevlm_ros.replay.part import Job
    from livevlm_ros.replay.procedure import Given
    from livevlm_ros.replay.rows import Row

Source = Annotated[Path, typer.Argument(help='A bag, a video, or a folder of them.')]
Questions = Annotated[
    Path | None, typer.Option(help='Questions file; by default SOURCE.questions.yaml beside each.')
]


def evaluate(
    source: Source,
    questions: Questions = None,
    ask: Annotated[
        list[str] | None,
        typer.Option(help='A question, in place of a questions file; repeatable.'),
    ] = None,
    at: Annotated[
        float | None,
        typer.Option(min=0, help='Seconds at which --ask is asked; by default the end.'),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help='Memory preset, such as recent; by default balanced.')
    ] = None,
    presets: Annotated[
        str | None,
        typer.Option(help='In place of --preset: several, with commas between, to be compared.'),
    ] = None,
    row: Annotated[
        list[str] | None,
        typer.Option(
            help="One more to be compared, as 'NAME=PRESET setting=value ...', repeatable; with "
            'oracle=true it reads where the truth lies, with alone=true nothing.'
        ),
    ] = None,
    baselines: Annotated[
        bool,
        typer.Option(
            '--baselines',
            help='Compare with no video, the last 2, 4 and 8 frames, and an oracle.',
        ),
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(help='Rows that the others are paired with; by default the first.'),
    ] = None,
    settings: Settings = None,
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = 'embedded',
    topic: Topic = None,
    fps: Fps = 1.0,
    start: Start = 0.0,
    duration: Duration = math.inf,
    json_file: JsonFile = None,
    html_file: HtmlFile = None,
    masked: Annotated[
        bool,
        typer.Option('--masked', help='Ask again without the frames that were looked at.'),
    ] = False,
    choices: Annotated[
        bool, typer.Option('--choices', help="Let answers be of each question's choices.")
    ] = False,
    reliability: Annotated[
        Path | None,
        typer.Option(help='Draw how often answers of each confidence are right, as SVG.'),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help='Draw questions, answers and evidence frames.')
    ] = None,
    memory_picture: Annotated[
        Path | None, typer.Option(help='Draw what is held, and what one question reads of it.')
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar='I/N',
            help="Do the I-th of N shares of a folder's recordings, or what is left of it; "
            '--json is then a part for `livevlm merge`.',
        ),
    ] = None,
) -> None:
    """
    Replay recordings through the engine, ask their questions and report.

    Example: livevlm evaluate walk.mp4 --ask 'what do you see now ?'

    Exits with 3 if nothing was measured: no frame was used, or no question was asked; with 4 if
    there are recordings that could not be used.
    """
    with plain_errors():
        from livevlm_ros.replay.clip import Stretch
        from livevlm_ros.replay.part import Job
        from livevlm_ros.replay.procedure import Procedure
        from livevlm_ros.replay.rows import check_baselines

        check_writable(json_file, html_file, reliability, picture, memory_picture, read=questions)
        stretch, comparing = Stretch(start, duration), bool(presets or row or baselines)
        _check_comparison(preset, presets, against, comparing=comparing)
        _check_pictures(picture, memory_picture, stretch, comparing=comparing)
        procedure = Procedure(
            questions=_asked(questions, ask, at),
            topic=topic,
            thumbnails=html_file is not None,
            choose=choices,
            stretch=stretch,
        )
        names = [preset] if preset else [] if row else ['balanced']
        names = different_names('--presets', presets) if presets else names
        rows = _rows(
            names, row or [], baselines=baselines, model=model, fps=fps, given=settings or []
        )
        opponents = different_names('--against', against) if against else []
        check_baselines(opponents, [one.name for one in rows])
        job = Job(source, rows, procedure, comparing)
        if shard:
            refuse_beside_shard(
                html=html_file,
                reliability=reliability,
                against=against,
                masked=masked,
                picture=picture,
                memory_picture=memory_picture,
            )
            evaluate_shard(job, shard, json_file, load=model_loader())
            return
        runs = _run(job, masked=masked)
        publish(
            runs,
            comparing=comparing,
            against=opponents,
            json_file=json_file,
            html_file=html_file,
            reliability=reliability,
        )
        draw(
            source,
            rows[0].config,
            runs[0].evaluation,
            picture=picture,
            memory_picture=memory_picture,
            topic=topic,
        )
        fail_if_left_out(runs[0].report)


def _asked(questions: Path | None, ask: list[str] | None, at: float | None) -> Given:
    """Return what `--questions`, or `--ask` and `--at`, say is asked."""
    from livevlm_ros.replay.questions import AT_THE_END, QuestionEntry

    if questions and ask:
        refuse(f'--questions {questions}, --ask {ask[0]}: expected one of them, not both')
    if at is not None and not ask:
        refuse(f'--at {at:g}: nothing is asked then; give questions by --ask')
    if not ask:
        return questions
    return [
        QuestionEntry(AT_THE_END if at is None else at, question, id=str(number))
        for number, question in enumerate(ask, 1)
    ]


def _check_comparison(
    preset: str | None, presets: str | None, against: str | None, *, comparing: bool
) -> None:
    if preset and presets:
        refuse(f'--preset {preset}, --presets {presets}: expected one of them, not both')
    if against and not comparing:
        refuse(f'--against {against}: nothing to compare; give --presets, --row or --baselines')


def _check_pictures(
    picture: Path | None, memory_picture: Path | None, stretch: Stretch, *, comparing: bool
) -> None:
    from livevlm_ros.replay.clip import WHOLE

    if stretch != WHOLE and memory_picture:
        refuse(f'{memory_picture}: shows a whole recording; expected no --start, no --duration')
    if comparing and (drawn := picture or memory_picture):
        refuse(f'{drawn}: a picture shows a single preset; give it with --preset')


def _rows(
    presets: list[str],
    texts: list[str],
    *,
    baselines: bool,
    model: str,
    fps: float,
    given: list[str],
) -> list[Row]:
    """Return a row a preset, a row a text of `--row`, and those of `--baselines`."""
    from livevlm_ros.replay.rows import BASELINES, ORACLE, read_rows

    bounds = [*BASELINES, ORACLE % (presets or ['balanced'])[0]] if baselines else []
    return read_rows(presets, [*texts, *bounds], model=model, fps=fps, given=given)


def _run(job: Job, *, masked: bool) -> list[Run]:
    from livevlm_ros.replay.compare import run_rows

    with progress_bar() as bar:
        task = bar.add_task('loading the model', total=1.0)
        runs = run_rows(
            job.path,
            job.rows,
            job.procedure,
            load=model_loader(),
            masked=masked,
            progress=lambda name, share: bar.update(task, completed=share, description=name),
        )
        return list(runs)


def sweep(
    source: Source,
    questions: Questions = None,
    preset: Annotated[str, typer.Option(help='Memory preset: livevlm or balanced.')] = 'balanced',
    long_term: Annotated[
        str, typer.Option(help='Budgets of long-term in frames, with commas between.')
    ] = '8,15,30,61',
    read: Annotated[
        str, typer.Option(help='Frames that a question reads of older ones, with commas between.')
    ] = '4,8,15,30',
    settings: Settings = None,
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = 'embedded',
    topic: Topic = None,
    fps: Fps = 1.0,
    start: Start = 0.0,
    duration: Duration = math.inf,
    json_file: JsonFile = None,
    html_file: HtmlFile = None,
) -> None:
    """
    Trade accuracy for memory and time: every budget of long-term, every number read of it.

    Exits with 3 if nothing was measured, with 4 if recordings were left out, as `evaluate` does.
    """
    with plain_errors():
        from livevlm_ros.replay.clip import Stretch
        from livevlm_ros.replay.procedure import Procedure
        from livevlm_ros.replay.report import NOTHING_MEASURED
        from livevlm_ros.replay.sweep import numbers, run_sweep, sweep_grid, sweep_table
        from livevlm_ros.replay.sweep_page import sweep_page
        from livevlm_ros.replay.table import report_console
        from livevlm_ros.replay.whole_file import write_each

        check_writable(json_file, html_file, read=questions)
        grid = sweep_grid(
            preset,
            numbers('--long-term', long_term),
            numbers('--read', read),
            model=model,
            fps=fps,
            given=settings or (),
        )
        with progress_bar() as bar:
            task = bar.add_task('loading the model', total=1.0)
            found = run_sweep(
                source,
                grid,
                Procedure(questions, topic, stretch=Stretch(start, duration)),
                load=model_loader(),
                note=lambda text: bar.console.print(text, highlight=False),
                progress=lambda name, share: bar.update(task, completed=share, description=name),
            )
        written = write_each(
            (json_file, lambda: report_json(found)), (html_file, lambda: sweep_page(found))
        )
        report_console().print(sweep_table(found))
        tell_written(written)
        if why := found['nothing_measured']:
            print(f'livevlm: nothing was measured: {why}', file=sys.stderr)
            raise typer.Exit(NOTHING_MEASURED)
        fail_if_left_out(found)


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
    topic: Topic = None,
    fps: Fps = 1.0,
    rate: Annotated[
        float,
        typer.Option(min=0.01, max=1000, help='Bag seconds a second; above 1 frames may drop.'),
    ] = 1.0,
    start: Start = 0.0,
    duration: Duration = math.inf,
    json_file: JsonFile = None,
    html_file: HtmlFile = None,
) -> None:
    """Play a bag to the real node over ROS, ask its questions over /ask and report."""
    with plain_errors():
        check_writable(json_file, html_file, read=questions)
        from livevlm_ros.node.replay import Replay, node_parameters, publish, run_replay
        from livevlm_ros.replay.clip import Stretch

        stretch = Stretch(start, duration)
        asked = Replay(bag, questions, topic, rate, stretch, json_file, html_file)
        parameters = node_parameters(model=model, preset=preset, fps=fps, given=settings or ())
        with progress_bar() as bar:
            task = bar.add_task('starting the node', total=1.0)
            run = run_replay(
                asked,
                parameters,
                progress=lambda name, share: bar.update(task, completed=share, description=name),
            )
        raise typer.Exit(1 if run is None else publish(run, asked))
