# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Commands that look into the memory of a running node, change it, save it and load it."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from livevlm_ros.cli.options import AsJson
from livevlm_ros.terminal import check_writable, progress_bar

if TYPE_CHECKING:
    from livevlm_ros.node.memory_client import MemoryClient

PIPED_WIDTH = 1000  # columns where no terminal sets a limit
LONGEST_CLEAR_S = 3600.0  # until a large disk is overwritten

memory = typer.Typer(
    help='Look into the memory of a running node, forget, save and load.', no_args_is_help=True
)

Namespace = Annotated[str, typer.Option(help='Namespace of the node.')]
Cameras = Annotated[list[str] | None, typer.Option('--camera', help='Only this one; repeatable.')]
From = Annotated[float, typer.Option('--from', min=0, help='First header stamp, seconds.')]
To = Annotated[float, typer.Option('--to', min=0, help='Last header stamp, seconds.')]
Name = Annotated[str, typer.Argument(help='Of the snapshot; none: the one in memory.path.')]


@memory.command()
def status(namespace: Namespace = '', as_json: AsJson = False) -> None:
    """Say what the node is and what its memory holds."""
    with _client(namespace) as client:
        from livevlm_interfaces.srv import GetInfo

        info, state = client.call(GetInfo, 'get_info', GetInfo.Request()), client.state()
    facts = {
        'model': info.model_id,
        'device': info.device,
        'preset': info.preset,
        'memory_id': info.memory_id,
        'paused': state.paused,
        'short_term_frames': state.short_term_frames,
        'short_term_tokens': state.short_term_tokens,
        'long_term_tokens': state.long_term_tokens,
        'archive_tokens': state.archive_tokens,
        'device_bytes': state.device_bytes,
        'host_bytes': state.host_bytes,
        'disk_bytes': state.disk_bytes,
        'oldest': _seconds(state.oldest),
        'kept': info.horizon,
        'capabilities': ', '.join(info.capabilities),
    }
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        _show(['', ''], [[name, str(value)] for name, value in facts.items()])


@memory.command()
def timeline(
    namespace: Namespace = '',
    camera: Cameras = None,
    begin: From = 0.0,
    end: To = 0.0,
    most: Annotated[int, typer.Option('--max', min=1, help='Frames to list.')] = 50,
    as_json: AsJson = False,
) -> None:
    """List frames that the memory holds, and where their tokens are."""
    from livevlm_interfaces.srv import QueryTimeline

    request = QueryTimeline.Request(max_frames=most, **_chosen(camera, begin, end))
    with _client(namespace) as client:
        found = _done(client.call(QueryTimeline, 'query_timeline', request))
    _show_frames(found.frames, as_json)
    if not as_json:
        print(f'{len(found.frames)} of {found.frames_in_range} frames')


@memory.command()
def recall(
    question: Annotated[str, typer.Argument(help='What the frames are to tell.')],
    namespace: Namespace = '',
    camera: Cameras = None,
    begin: From = 0.0,
    end: To = 0.0,
    most: Annotated[int, typer.Option('--max', min=1, help='Frames to list.')] = 5,
    as_json: AsJson = False,
) -> None:
    """Find the frames that a question wants, best first."""
    from livevlm_interfaces.srv import Recall

    request = Recall.Request(question=question, max_frames=most, **_chosen(camera, begin, end))
    with _client(namespace) as client:
        found = client.call(Recall, 'recall', request)
    if found.status:
        _fail(found.status_message)
    _show_frames(found.frames, as_json)


@memory.command()
def frame(
    key: Annotated[str, typer.Argument(help='Of the frame, as the other commands list it.')],
    out: Annotated[Path, typer.Option(help='File to write.')] = Path('frame.jpg'),
    namespace: Namespace = '',
) -> None:
    """Fetch the picture of a frame."""
    check_writable(out)
    from livevlm_interfaces.srv import GetFrame

    with _client(namespace) as client:
        found = _done(client.call(GetFrame, 'get_frame', GetFrame.Request(frame_key=key)))
    out.write_bytes(bytes(found.frame.thumbnail.data))
    print(f'{out}: {found.frame.camera}, {_seconds(found.frame.header.stamp):.3f} s')


@memory.command()
def clear(
    namespace: Namespace = '',
    camera: Cameras = None,
    begin: From = 0.0,
    end: To = 0.0,
    yes: Annotated[bool, typer.Option('--yes', help='Forget everything unasked.')] = False,
) -> None:
    """Forget frames for good: of cameras, of a time, or all."""
    if not (camera or begin or end or yes):
        typer.confirm('Forget everything?', abort=True)
    from livevlm_interfaces.srv import ClearMemory

    request = ClearMemory.Request(**_chosen(camera, begin, end))
    with _client(namespace) as client:
        freed = _done(client.call(ClearMemory, 'clear_memory', request, LONGEST_CLEAR_S))
    print(
        f'{freed.freed_frames} frames forgotten, {freed.freed_tokens} tokens, '
        f'{freed.freed_disk_bytes} bytes on disk overwritten'
    )


@memory.command()
def pause(namespace: Namespace = '') -> None:
    """Take in no frame; questions are answered."""
    _set_paused(namespace, paused=True)


@memory.command()
def resume(namespace: Namespace = '') -> None:
    """Take frames in again."""
    _set_paused(namespace, paused=False)


@memory.command()
def save(
    name: Name = '',
    namespace: Namespace = '',
    overwrite: Annotated[bool, typer.Option('--overwrite', help='Replace one.')] = False,
) -> None:
    """Save the memory to a snapshot, while the node works."""
    from livevlm_interfaces.action import SaveMemory

    goal = SaveMemory.Goal(name=name, overwrite=overwrite)
    result = _carried_out(namespace, SaveMemory, 'save_memory', goal)
    print(f'{result.path}: {result.frames} frames, {result.bytes} bytes')


@memory.command()
def load(name: Name = '', namespace: Namespace = '') -> None:
    """Go on with a snapshot in place of what the node remembers."""
    from livevlm_interfaces.action import LoadMemory

    goal = LoadMemory.Goal(name=name)
    result = _carried_out(namespace, LoadMemory, 'load_memory', goal)
    print(f'{result.path}: {result.frames} frames, memory {result.memory_id}')


def _set_paused(namespace: str, *, paused: bool) -> None:
    from std_srvs.srv import SetBool

    with _client(namespace) as client:
        told = _done(client.call(SetBool, 'set_paused', SetBool.Request(data=paused)))
    print(told.message)


def _carried_out(namespace: str, kind: Any, name: str, goal: Any) -> Any:
    """Send a goal, show how far it is, and return its result."""
    with _client(namespace) as client, progress_bar() as bar:
        task = bar.add_task(name, total=1.0)

        def told(phase: str, share: float) -> None:
            bar.update(task, description=phase, completed=share)

        return _done(client.send_goal(kind, name, goal, told))


@contextmanager
def _client(namespace: str) -> Iterator['MemoryClient']:
    """Give a client; what goes wrong between it and the node is one line and exit code 1."""
    from livevlm_ros.node.memory_client import MemoryClient, NoReply

    with MemoryClient(namespace=namespace) as client:
        try:
            yield client
        except NoReply as error:
            _fail(str(error))


def _done(response: Any) -> Any:
    """Return a response that tells of success; of another show why, and end."""
    if not response.success:
        _fail(response.message)
    return response


def _fail(message: str) -> None:
    print(f'livevlm memory: {message}', file=sys.stderr)
    raise typer.Exit(1)


def _chosen(cameras: list[str] | None, begin: float, end: float) -> dict[str, Any]:
    """Return the fields of a request that choose frames."""
    return {'cameras': cameras or [], 'time_start': _time(begin), 'time_end': _time(end)}


def _time(seconds: float) -> Any:
    from builtin_interfaces.msg import Time

    sec, nanosec = divmod(round(seconds * 1e9), 1_000_000_000)
    return Time(sec=sec, nanosec=nanosec)


def _seconds(stamp: Any) -> float:
    return float(stamp.sec) + stamp.nanosec * 1e-9


def _show_frames(frames: Any, as_json: bool) -> None:
    columns: dict[str, Callable[[Any], Any]] = {
        'key': lambda frame: frame.frame_key,
        'camera': lambda frame: frame.camera,
        'stamp': lambda frame: round(_seconds(frame.header.stamp), 3),
        'score': lambda frame: round(frame.score, 4),
        'short-term': lambda frame: frame.short_term_tokens,
        'long-term': lambda frame: frame.long_term_tokens,
        'archive': lambda frame: frame.archive_tokens,
    }
    rows = [{name: value(frame) for name, value in columns.items()} for frame in frames]
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        _show(list(columns), [[str(value) for value in row.values()] for row in rows])


def _show(columns: list[str], rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow='fold')
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else PIPED_WIDTH).print(table)
