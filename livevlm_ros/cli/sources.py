# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sources that commands let stream into an engine of their own, and nodes in their place."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from livevlm_ros.terminal import progress_bar, refuse

if TYPE_CHECKING:
    from livevlm_ros.replay.recording import FrameSource
    from livevlm_ros.tools.recorded import Recorded
    from livevlm_ros.tools.running import Running

ONE_WORLD = (
    'this is the embedded model: it knows only its simulated street; '
    'real pictures need --model NAME'
)


class Pace(Enum):
    """How a source streams in."""

    FULL = auto()  # as fast as the engine takes it, all of it before the first question
    REAL = auto()  # by its stamps
    LIVE = auto()  # as it comes


def open_frames(source: Path | None, camera: int | None, topic: str | None) -> FrameSource:
    """Open what was given, before anything heavy is imported."""
    if camera is not None:
        from livevlm_ros.replay.webcam import WebcamSource

        return WebcamSource(camera)
    if source is None:
        from livevlm_ros.replay.street import StreetSource

        street = StreetSource()
        remark(f'{street.path}; ask such as: {"  ".join(street.examples())}')
        return street
    from livevlm_ros.replay.source import open_alone

    return open_alone(source, topic=topic)


@contextmanager
def engine_over(
    source: FrameSource,
    model: str,
    fps: float,
    settings: Sequence[str],
    pace: Pace,
    *,
    alone: bool,
) -> Iterator[Recorded]:
    """Load an engine and let the source stream in."""
    from livevlm_ros.replay.settings import engine_config
    from livevlm_ros.tools.recorded import Recorded

    config = engine_config(model=model, fps=fps, given=settings)
    if model == 'embedded':
        remark(ONE_WORLD)
    with ExitStack() as ends:
        with progress_bar() as bar:
            task = bar.add_task('loading the model', total=1.0)

            def progress(name: str, share: float) -> None:
                bar.update(task, completed=share, description=name)

            partner = ends.enter_context(Recorded(config, source, progress))
            if pace is Pace.LIVE or (pace is Pace.REAL and not alone):
                partner.go_along(paced=pace is Pace.REAL)
            elif not partner.read_in(progress) and alone:
                raise typer.Exit(130)
        for warning in source.warnings:
            remark(warning)
        remark(partner.seen)
        yield partner


def refuse_stretch(start: float, duration: float, expected: str) -> None:
    """
    Refuse a stretch of what has none.

    :param expected: what it is expected for
    """
    given = {'--start': start, '--duration': duration}
    named = [f'{name} {given[name]:g}' for name in given if given[name] not in (0.0, math.inf)]
    if named:
        refuse(f'{" ".join(named)}: expected {expected}')


def running_node(namespace: str, given: str) -> AbstractContextManager[Running]:
    """
    Find a running node.

    :param given: what stands for it on the command line
    """
    try:
        from livevlm_ros.tools.running import Running
    except ImportError as error:
        refuse(f'{given}: ROS 2 is not here ({error}); source its setup file, or give a SOURCE')
    return Running(namespace)


def remark(text: str) -> None:
    """Tell whoever typed the command, beside its output."""
    print(text, file=sys.stderr)
