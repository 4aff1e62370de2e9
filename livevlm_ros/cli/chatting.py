# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command that talks about a source of the user's own, or with a running node."""

from __future__ import annotations

import math
import sys
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from livevlm_ros.cli.options import MODEL_HELP, Duration, Fps, Loop, Settings, Start, Topic
from livevlm_ros.cli.sources import (
    Pace,
    engine_over,
    open_frames,
    refuse_stretch,
    remark,
    running_node,
)
from livevlm_ros.terminal import plain_errors, refuse

if TYPE_CHECKING:
    from livevlm_ros.tools.recorded import Recorded
    from livevlm_ros.tools.running import Running


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
    topic: Topic = None,
    fps: Fps = 1.0,
    start: Start = 0.0,
    duration: Duration = math.inf,
    settings: Settings = None,
    realtime: Annotated[
        bool, typer.Option('--realtime', help='Play at its own pace, with the prompt beside it.')
    ] = False,
    loop: Loop = False,
    evidence: Annotated[
        Path | None,
        typer.Option(help='Folder for the evidence frames; by default a new temporary one.'),
    ] = None,
) -> None:
    """
    Ask about a video, a bag, a camera or a running node, at a prompt.

    Example: livevlm chat walk.mp4 --ask 'what do you see now ?'

    Questions also come from a pipe, one a line. Exits with 1 when one of --ask or of a pipe has
    no answer.
    """
    given = [name for name, value in _sources(source, camera, node).items() if value]
    if len(given) > 1:
        refuse(f'{" and ".join(given)}: expected one of them')
    if node:
        refuse_stretch(start, duration, 'without --node')
    with plain_errors():
        from livevlm_ros.tools.chat import Chat, interactive

        alone = bool(ask) or not interactive()
        if loop and (alone or node or camera is not None or not realtime):
            refuse('--loop: expected with --realtime, for a recording, at a prompt')
        frames = None if node else open_frames(source, camera, topic)
        from livevlm_ros.replay.clip import Clip, Stretch
        from livevlm_ros.replay.endless import Endless

        folder = _folder(evidence)
        partner: AbstractContextManager[Recorded | Running]
        if frames is None:
            partner = running_node(namespace, '--node')
        else:
            pace = Pace.LIVE if camera is not None else Pace.REAL if realtime else Pace.FULL
            frames = Clip(frames, Stretch(start, duration))
            if loop:
                frames = Endless(frames)
            partner = engine_over(frames, model, fps, settings or (), pace, alone=alone)
        with partner as other:
            talk = Chat(other, folder)
            if alone:
                raise typer.Exit(1 if talk.listen(ask or sys.stdin) else 0)
            remark(f'evidence frames go to {folder}; /help lists the commands, Ctrl-D ends it')
            talk.talk()


def _sources(source: Path | None, camera: int | None, node: bool) -> dict[str, bool]:
    return {
        f'SOURCE {source}': source is not None,
        f'--camera {camera}': camera is not None,
        '--node': node,
    }


def _folder(evidence: Path | None) -> Path:
    if evidence is None:
        return Path(tempfile.mkdtemp(prefix='livevlm-chat-'))
    try:
        evidence.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        refuse(f'--evidence {evidence}: cannot be a folder: {error.strerror}')
    return evidence
