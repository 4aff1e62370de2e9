# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command that films recordings of the procedural world."""

from pathlib import Path
from typing import Annotated

import typer

from livevlm_ros.terminal import image_size, number_range, plain_errors, progress_bar


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
