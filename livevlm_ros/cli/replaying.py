# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Commands that film recordings, or replay them and report the answers."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from livevlm_ros.cli.options import MODEL_HELP, Duration, HtmlFile, JsonFile, Start
from livevlm_ros.cli.reporting import model_loader, publish, report_json
from livevlm_ros.cli.sharding import evaluate_shard, refuse_beside_shard
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
    from livevlm_ros.replay.questions import QuestionEntry

Source = Annotated[Path, typer.Argument(help='A bag, a video, or a folder of them.')]
Questions = Annotated[
    Path | None, typer.Option(help='Questions file; by default SOURCE.questions.yaml beside each.')
]
Settings = Annotated[
    list[str] | None, typer.Option('--set', help='Setting as name=value, repeatable.')
]
Topic = Annotated[str | None, typer.Option(help='Image topic, where a bag has several.')]
Fps = Annotated[float, typer.Option(help='Most frames used per second of the source.')]


def world(
    out: Annotated[Path, typer.Option(help='Folder for the bags: new or empty.')],
    seed: Annotated[int, typer.Option(help='Which streams; never one that training uses.')],
    minutes: Annotated[
        float, typer.Option(min=0.01, metavar='<float>', help='Length of a stream.')
    ] = 5.0,
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
    never: Annotated[
        float,
        typer.Option(help='Share of what was never there, in questions for a color or a place.'),
    ] = 0.1,
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
            never=never,
            storage=storage,
            raw=raw,
        )
        task = bar.add_task(f'filming {streams} streams', total=1.0)
        written = write_world(
            out, filming, progress=lambda share: bar.update(task, completed=share)
        )
    filmed = f'{streams} stream{"s" * (streams != 1)}, {written} frames'
    print(f'{out}: {filmed}; livevlm evaluate {out} asks their questions')


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

    Exits with 3 if nothing was measured: no frame was used, or no question was asked.
    """
    with plain_errors():
        from livevlm_ros.replay.clip import WHOLE, Stretch
        from livevlm_ros.replay.compare import run_rows
        from livevlm_ros.replay.rows import BASELINES, ORACLE, check_baselines, read_rows

        check_writable(json_file, html_file, reliability, picture, memory_picture, read=questions)
        if questions and ask:
            refuse(f'--questions {questions}, --ask {ask[0]}: expected one of them, not both')
        if at is not None and not ask:
            refuse(f'--at {at:g}: nothing is asked then; give questions by --ask')
        if preset and presets:
            refuse(f'--preset {preset}, --presets {presets}: expected one of them, not both')
        stretch = Stretch(start, duration)
        if stretch != WHOLE and memory_picture:
            refuse(
                f'{memory_picture}: shows a whole recording; expected no --start, no --duration'
            )
        comparing = bool(presets or row or baselines)
        if comparing and (drawn := picture or memory_picture):
            refuse(f'{drawn}: a picture shows a single preset; give it with --preset')
        if against and not comparing:
            refuse(
                f'--against {against}: nothing to compare; give --presets, --row or --baselines'
            )
        names = [preset] if preset else [] if row else ['balanced']
        names = different_names('--presets', presets) if presets else names
        bounds = [*BASELINES, ORACLE % (names or ['balanced'])[0]] if baselines else []
        rows = read_rows(
            names,
            [*(row or ()), *bounds],
            model=model,
            fps=fps,
            given=settings or (),
        )
        opponents = different_names('--against', against) if against else []
        check_baselines(opponents, [one.name for one in rows])
        given = _asked(ask, at) if ask else questions
        if shard:
            from livevlm_ros.replay.part import Job

            refuse_beside_shard(
                html=html_file,
                reliability=reliability,
                against=against,
                masked=masked,
                picture=picture,
                memory_picture=memory_picture,
            )
            job = Job(source, rows, given, topic, choices, stretch, comparing)
            evaluate_shard(job, shard, json_file, load=model_loader())
            return
        with progress_bar() as bar:
            task = bar.add_task('loading the model', total=1.0)
            runs = list(
                run_rows(
                    source,
                    rows,
                    load=model_loader(),
                    questions=given,
                    topic=topic,
                    thumbnails=html_file is not None,
                    masked=masked,
                    choose=choices,
                    stretch=stretch,
                    progress=lambda name, share: bar.update(
                        task, completed=share, description=name
                    ),
                )
            )
        publish(
            runs,
            comparing=comparing,
            against=opponents,
            json_file=json_file,
            html_file=html_file,
            reliability=reliability,
        )
        if picture is not None:
            from livevlm_ros.replay.picture import draw_picture

            draw_picture(source, runs[0].evaluation, picture, topic=topic)
        if memory_picture is not None:
            from livevlm_ros.model import load_model
            from livevlm_ros.replay.memory_picture import draw_memory_picture

            draw_memory_picture(
                source,
                rows[0].config,
                runs[0].evaluation,
                memory_picture,
                load=load_model,
                topic=topic,
            )


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
    json_file: JsonFile = None,
    html_file: HtmlFile = None,
) -> None:
    """
    Trade accuracy for memory and time: every budget of long-term, every number read of it.

    Exits with 3 if nothing was measured, as `evaluate` does.
    """
    with plain_errors():
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
                load=model_loader(),
                questions=questions,
                topic=topic,
                note=lambda text: bar.console.print(text, highlight=False),
                progress=lambda name, share: bar.update(task, completed=share, description=name),
            )
        problems = write_each(
            (json_file, lambda: report_json(found)), (html_file, lambda: sweep_page(found))
        )
        report_console().print(sweep_table(found))
        if problems:
            refuse('; '.join(problems))
        if why := found['nothing_measured']:
            print(f'livevlm: nothing was measured: {why}', file=sys.stderr)
            raise typer.Exit(NOTHING_MEASURED)


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
    html_file: HtmlFile = None,
) -> None:
    """Play a bag to the real node over ROS, ask its questions over /ask and report."""
    with plain_errors():
        check_writable(json_file, html_file, read=questions)
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


def _asked(questions: list[str], at: float | None) -> list[QuestionEntry]:
    from livevlm_ros.replay.questions import AT_THE_END, QuestionEntry

    return [
        QuestionEntry(AT_THE_END if at is None else at, question, id=str(number))
        for number, question in enumerate(questions, 1)
    ]
