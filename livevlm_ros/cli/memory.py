# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Commands that look into the memory of a running node, change it, save it and load it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from livevlm_ros.cli.options import AsJson
from livevlm_ros.terminal import check_writable, progress_bar, time_ns

memory = typer.Typer(
    help='Look into the memory of a running node, forget, save and load.', no_args_is_help=True
)

Namespace = Annotated[str, typer.Option(help='Namespace of the node.')]
Cameras = Annotated[list[str] | None, typer.Option('--camera', help='Only this one; repeatable.')]
From = Annotated[str, typer.Option('--from', help='First header stamp, seconds or date.')]
To = Annotated[str, typer.Option('--to', help='Last header stamp, seconds or date.')]
Most = Annotated[int, typer.Option('--max', min=1, help='Frames to list.')]
Name = Annotated[
    str, typer.Argument(help='Name of the snapshot; by default the one in memory.path.')
]


@memory.command()
def status(namespace: Namespace = '', as_json: AsJson = False) -> None:
    """Say what the node is and what its memory holds."""
    with _plain_failures():
        from livevlm_ros.node import memory_commands

        memory_commands.status(namespace, as_json=as_json)


@memory.command()
def timeline(
    namespace: Namespace = '',
    camera: Cameras = None,
    begin: From = '',
    end: To = '',
    most: Most = 50,
    as_json: AsJson = False,
) -> None:
    """List frames that the memory holds, and where their tokens are."""
    with _plain_failures():
        from livevlm_ros.node import memory_commands

        chosen = (camera or (), *_span(begin, end))
        memory_commands.timeline(namespace, *chosen, most=most, as_json=as_json)


@memory.command()
def recall(
    question: Annotated[str, typer.Argument(help='What the frames are to tell.')],
    namespace: Namespace = '',
    camera: Cameras = None,
    begin: From = '',
    end: To = '',
    most: Most = 5,
    as_json: AsJson = False,
) -> None:
    """Find the frames that a question wants, best first."""
    with _plain_failures():
        from livevlm_ros.node import memory_commands

        chosen = (camera or (), *_span(begin, end))
        memory_commands.recall(question, namespace, *chosen, most=most, as_json=as_json)


@memory.command()
def frame(
    key: Annotated[str, typer.Argument(help='Key of the frame, as the other commands list it.')],
    out: Annotated[Path, typer.Option(help='File to write.')] = Path('frame.jpg'),
    namespace: Namespace = '',
) -> None:
    """Fetch the picture of a frame."""
    check_writable(out)
    with _plain_failures():
        from livevlm_ros.node import memory_commands

        memory_commands.frame(key, out, namespace)


@memory.command()
def clear(
    namespace: Namespace = '',
    camera: Cameras = None,
    begin: From = '',
    end: To = '',
    yes: Annotated[bool, typer.Option('--yes', help='Forget everything unasked.')] = False,
) -> None:
    """Forget frames for good: of cameras, of a time, or all."""
    if not (camera or begin or end or yes):
        typer.confirm('Forget everything?', abort=True)
    with _plain_failures():
        from livevlm_ros.node import memory_commands

        memory_commands.clear(namespace, camera or (), *_span(begin, end))


@memory.command()
def pause(namespace: Namespace = '') -> None:
    """Take in no frame; questions are answered."""
    with _plain_failures():
        from livevlm_ros.node import memory_commands

        memory_commands.set_paused(namespace, paused=True)


@memory.command()
def resume(namespace: Namespace = '') -> None:
    """Take frames in again."""
    with _plain_failures():
        from livevlm_ros.node import memory_commands

        memory_commands.set_paused(namespace, paused=False)


@memory.command()
def save(
    name: Name = '',
    namespace: Namespace = '',
    overwrite: Annotated[
        bool, typer.Option('--overwrite', help='Replace a snapshot of this name.')
    ] = False,
) -> None:
    """Save the memory to a snapshot, while the node works."""
    with _plain_failures(), _shown() as told:
        from livevlm_ros.node import memory_commands

        memory_commands.save(name, namespace, overwrite=overwrite, told=told)


@memory.command()
def load(name: Name = '', namespace: Namespace = '') -> None:
    """Go on with a snapshot in place of what the node remembers."""
    with _plain_failures(), _shown() as told:
        from livevlm_ros.node import memory_commands

        memory_commands.load(name, namespace, told=told)


def _span(begin: str, end: str) -> tuple[int, int]:
    """Return both ends of a time in nanoseconds; 0: open."""
    return (
        time_ns('--from', begin) if begin else 0,
        time_ns('--to', end) if end else 0,
    )


@contextmanager
def _plain_failures() -> Iterator[None]:
    """Turn what goes wrong between command and node into one line and exit code 1."""
    from livevlm_ros.node.memory_client import CommandFailed

    try:
        yield
    except CommandFailed as error:
        print(f'livevlm memory: {error}', file=sys.stderr)
        raise typer.Exit(1) from None


@contextmanager
def _shown() -> Iterator[Callable[[str, float], None]]:
    """Give what shows how far a phase is."""
    with progress_bar() as bar:
        task = bar.add_task('', total=1.0)
        yield lambda phase, share: bar.update(task, description=phase, completed=share)
