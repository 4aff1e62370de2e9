# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command that watches: it asks a running node a standing question."""

import sys
from typing import Annotated

import typer

from livevlm_ros.cli.options import AsJson
from livevlm_ros.terminal import duration_s, refuse


def watch(
    question: Annotated[str, typer.Argument(help='The question, in words.')] = '',
    every: Annotated[str, typer.Option(help='Time between two answers, such as 5s.')] = '',
    frames: Annotated[
        int, typer.Option(min=0, show_default=False, help='Ask after each so many frames.')
    ] = 0,
    cameras: Annotated[
        list[str] | None, typer.Option('--camera', help='Only this camera; repeatable.')
    ] = None,
    min_confidence: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, show_default=False, help='Tell only of answers at least so sure.'
        ),
    ] = 0.0,
    cooldown: Annotated[str, typer.Option(help='Least time between two events.')] = '',
    budget: Annotated[str, typer.Option(help='Time an answer may take, such as 2s.')] = '',
    listed: Annotated[bool, typer.Option('--list', help='List the watches.')] = False,
    remove: Annotated[str, typer.Option(help='End the watch of this name.')] = '',
    namespace: Annotated[str, typer.Option(help='Namespace of the node.')] = '',
    as_json: AsJson = False,
) -> None:
    """
    Print a line whenever the answer to a question changes, until Ctrl-C.

    The question is asked every second, or as --every or --frames say. Exits with 1 when the node
    refuses it, 130 after Ctrl-C.
    """
    if bool(question) + listed + bool(remove) != 1:
        refuse('watch: expected one of a question, --list and --remove')
    if every and frames:
        refuse('--every and --frames are both given, expected one of them')
    fields = {
        'question': question,
        'cameras': cameras or [],
        'period': 0.0 if frames else duration_s('--every', every or '1s'),
        'every_frames': frames,
        'min_confidence': min_confidence,
        'cooldown': duration_s('--cooldown', cooldown or '0'),
        'latency_budget': duration_s('--budget', budget or '0'),
    }

    from livevlm_ros.node import watch_commands
    from livevlm_ros.node.memory_client import CommandFailed

    try:
        if listed:
            watch_commands.show(namespace, as_json=as_json)
        elif remove:
            watch_commands.remove(remove, namespace)
        else:
            watch_commands.follow(fields, namespace, as_json=as_json)
    except CommandFailed as error:
        print(f'livevlm watch: {error}', file=sys.stderr)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
