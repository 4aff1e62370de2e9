# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command that talks about a source of the user's own, or with a running node."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from livevlm_ros.cli.options import MODEL_HELP
from livevlm_ros.terminal import plain_errors, progress_bar, refuse

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


def chat(
    source: Annotated[
        Path | None,
        typer.Argument(help='A video or a bag; by default the simulated street.'),
    ] = None,
    camera: Annotated[
        int | None, typer.Option(min=0, help="This machine's camera of that number.")
    ] = None,
    node: Annotated[bool, typer.Option('--node', help='A running node; needs ROS.')] = False,
    namespace: Annotated[str, typer.Option(help='Namespace of the node.')] = '',
    ask: Annotated[
        list[str] | None, typer.Option(help='A question, in place of the prompt; repeatable.')
    ] = None,
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = 'embedded',
    topic: Annotated[
        str | None, typer.Option(help='Image topic, where a bag has several.')
    ] = None,
    fps: Annotated[float, typer.Option(help='Most frames used per second of the source.')] = 1.0,
    settings: Annotated[
        list[str] | None, typer.Option('--set', help='Setting as name=value, repeatable.')
    ] = None,
    realtime: Annotated[
        bool, typer.Option('--realtime', help='Play at its own pace, with the prompt beside it.')
    ] = False,
    evidence: Annotated[
        Path | None,
        typer.Option(help='Folder for the evidence frames; by default a new temporary one.'),
    ] = None,
) -> None:
    """
    Ask about a video, a bag, a camera or a running node, at a prompt.

    Questions also come from a pipe, one a line. Exits with 1 when one of --ask or of a pipe has
    no answer.
    """
    given = [name for name, value in _sources(source, camera, node).items() if value]
    if len(given) > 1:
        refuse(f'{" and ".join(given)}: expected one of them')
    with plain_errors():
        frames = None if node else _open(source, camera, topic)
        from livevlm_ros.tools.chat import Chat, interactive

        alone = bool(ask) or not interactive()
        folder = _folder(evidence)
        partner: AbstractContextManager[Recorded | Running]
        if frames is None:
            partner = _node(namespace)
        else:
            pace = Pace.LIVE if camera is not None else Pace.REAL if realtime else Pace.FULL
            partner = _engine(frames, model, fps, settings or (), pace, alone=alone)
        with partner as other:
            talk = Chat(other, folder)
            if alone:
                raise typer.Exit(1 if talk.listen(ask or sys.stdin) else 0)
            _remark(f'evidence frames go to {folder}; /help lists the commands, Ctrl-D ends it')
            talk.talk()


def _sources(source: Path | None, camera: int | None, node: bool) -> dict[str, bool]:
    return {
        f'SOURCE {source}': source is not None,
        f'--camera {camera}': camera is not None,
        '--node': node,
    }


def _open(source: Path | None, camera: int | None, topic: str | None) -> FrameSource:
    """Open what was given, before anything heavy is imported."""
    if camera is not None:
        from livevlm_ros.replay.webcam import WebcamSource

        return WebcamSource(camera)
    if source is None:
        from livevlm_ros.replay.street import StreetSource

        street = StreetSource()
        _remark(f'{street.path}; ask such as: {"  ".join(street.examples())}')
        return street
    from livevlm_ros.replay.source import find_recordings, open_source

    found = find_recordings(source) if source.exists() else [source]
    if len(found) > 1:
        refuse(f'{source}: {len(found)} recordings; expected one, such as {found[0]}')
    return open_source(found[0], topic=topic)


@contextmanager
def _engine(
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

    if model == 'embedded':
        _remark(ONE_WORLD)
    with ExitStack() as ends:
        with progress_bar() as bar:
            task = bar.add_task('loading the model', total=1.0)

            def progress(name: str, share: float) -> None:
                bar.update(task, completed=share, description=name)

            config = engine_config(model=model, fps=fps, given=settings)
            partner = ends.enter_context(Recorded(config, source, progress))
            if pace is Pace.LIVE or (pace is Pace.REAL and not alone):
                partner.go_along(paced=pace is Pace.REAL)
            elif not partner.read_in(progress) and alone:
                raise typer.Exit(130)
        for warning in source.warnings:
            _remark(warning)
        _remark(partner.seen)
        yield partner


def _node(namespace: str) -> AbstractContextManager[Running]:
    try:
        from livevlm_ros.tools.running import Running
    except ImportError as error:
        refuse(f'--node: ROS 2 is not here ({error}); source its setup file, or give a SOURCE')
    return Running(namespace)


def _folder(evidence: Path | None) -> Path:
    if evidence is None:
        return Path(tempfile.mkdtemp(prefix='livevlm-chat-'))
    try:
        evidence.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        refuse(f'--evidence {evidence}: cannot be a folder: {error.strerror}')
    return evidence


def _remark(text: str) -> None:
    print(text, file=sys.stderr)
