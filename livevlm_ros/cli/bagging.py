# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command that makes a bag of a video."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Annotated

import typer

from livevlm_ros.cli.options import Duration, Start
from livevlm_ros.terminal import plain_errors, progress_bar


def bag(
    video: Annotated[Path, typer.Argument(help='A video.')],
    out: Annotated[
        Path | None,
        typer.Option(help='New folder for the bag; by default named as the video, here.'),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(min=0.01, help='Most frames written per second; by default all.'),
    ] = None,
    start: Start = 0.0,
    duration: Duration = math.inf,
    fov: Annotated[
        float | None,
        typer.Option(
            min=1,
            max=179,
            help='Horizontal field of view in degrees, for CameraInfo; by default unknown.',
        ),
    ] = None,
) -> None:
    """Make a bag of a video, with the times of its frames and a questions file to fill in."""
    with plain_errors(), progress_bar() as bar:
        from livevlm_ros.intrinsics import focal_of
        from livevlm_ros.replay.clip import Stretch
        from livevlm_ros.replay.video_bag import write_video_bag

        task = bar.add_task(video.name, total=1.0)
        folder = out or Path(video.stem)
        written = write_video_bag(
            video,
            folder,
            fps=fps,
            stretch=Stretch(start, duration),
            focal=0.0 if fov is None else focal_of(fov),
            progress=lambda share: bar.update(task, completed=share),
        )
    for warning in written.warnings:
        print(f'warning: {warning}', file=sys.stderr)
    print(f'{folder}: {written.frames} frames, {written.seconds:.1f} s; {written.questions}')
