# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `livevlm memory` does: asks the node in a namespace, and prints what it says."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from std_srvs.srv import SetBool

from livevlm_interfaces.action import LoadMemory, SaveMemory
from livevlm_interfaces.srv import ClearMemory, GetFrame, GetInfo, QueryTimeline, Recall
from livevlm_ros.node.conversions import pose_of, to_time
from livevlm_ros.node.memory_client import CommandFailed, MemoryClient
from livevlm_ros.pose import Pose

PIPED_WIDTH = 1000  # columns where no terminal sets a limit
LONGEST_CLEAR_S = 3600.0  # until a large disk is overwritten

Told = Callable[[str, float], None]


def status(namespace: str, *, as_json: bool) -> None:
    """Say what the node is and what its memory holds."""
    with MemoryClient(namespace=namespace) as client:
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


def timeline(
    namespace: str,
    cameras: Sequence[str],
    begin_ns: int,
    end_ns: int,
    *,
    most: int,
    as_json: bool,
) -> None:
    """List frames that the memory holds."""
    request = QueryTimeline.Request(max_frames=most, **_chosen(cameras, begin_ns, end_ns))
    with MemoryClient(namespace=namespace) as client:
        found = _done(client.call(QueryTimeline, 'query_timeline', request))
    _show_frames(found.frames, as_json=as_json)
    if not as_json:
        print(f'{len(found.frames)} of {found.frames_in_range} frames')


def recall(
    question: str,
    namespace: str,
    cameras: Sequence[str],
    begin_ns: int,
    end_ns: int,
    *,
    most: int,
    as_json: bool,
) -> None:
    """List the frames that a question wants, best first."""
    chosen = _chosen(cameras, begin_ns, end_ns)
    request = Recall.Request(question=question, max_frames=most, **chosen)
    with MemoryClient(namespace=namespace) as client:
        found = client.call(Recall, 'recall', request)
    if found.status:
        raise CommandFailed(found.status_message)
    _show_frames(found.frames, as_json=as_json)


def frame(key: str, out: Path, namespace: str) -> None:
    """Write the picture of a frame to a file."""
    with MemoryClient(namespace=namespace) as client:
        found = _done(client.call(GetFrame, 'get_frame', GetFrame.Request(frame_key=key))).frame
    out.write_bytes(bytes(found.thumbnail.data))
    print(f'{out}: {found.camera}, {_decimal(found.header.stamp)} s')


def clear(namespace: str, cameras: Sequence[str], begin_ns: int, end_ns: int) -> None:
    """Forget frames for good."""
    request = ClearMemory.Request(**_chosen(cameras, begin_ns, end_ns))
    with MemoryClient(namespace=namespace) as client:
        freed = _done(client.call(ClearMemory, 'clear_memory', request, LONGEST_CLEAR_S))
    print(
        f'{freed.freed_frames} frames forgotten, {freed.freed_tokens} tokens, '
        f'{freed.freed_disk_bytes} bytes on disk overwritten'
    )


def set_paused(namespace: str, *, paused: bool) -> None:
    """Take in no frame, or take them in again."""
    with MemoryClient(namespace=namespace) as client:
        told = _done(client.call(SetBool, 'set_paused', SetBool.Request(data=paused)))
    print(told.message)


def save(name: str, namespace: str, *, overwrite: bool, told: Told) -> None:
    """Save the memory to a snapshot."""
    goal = SaveMemory.Goal(name=name, overwrite=overwrite)
    with MemoryClient(namespace=namespace) as client:
        result = _done(client.send_goal(SaveMemory, 'save_memory', goal, told))
    print(f'{result.path}: {result.frames} frames, {result.bytes} bytes')


def load(name: str, namespace: str, *, told: Told) -> None:
    """Go on with a snapshot."""
    with MemoryClient(namespace=namespace) as client:
        goal = LoadMemory.Goal(name=name)
        result = _done(client.send_goal(LoadMemory, 'load_memory', goal, told))
    print(f'{result.path}: {result.frames} frames, memory {result.memory_id}')


def _done(response: Any) -> Any:
    """Return a response that tells of success."""
    if not response.success:
        raise CommandFailed(response.message)
    return response


def _chosen(cameras: Sequence[str], begin_ns: int, end_ns: int) -> dict[str, Any]:
    """Return the fields of a request that choose frames."""
    return {
        'cameras': list(cameras),
        'time_start': to_time(begin_ns),
        'time_end': to_time(end_ns),
    }


def _decimal(stamp: Any) -> str:
    """Return a stamp as `--from` and `--to` take it, to the nanosecond."""
    return f'{stamp.sec}.{stamp.nanosec:09d}'


def _seconds(stamp: Any) -> float:
    return float(stamp.sec) + stamp.nanosec * 1e-9


def _show_frames(frames: Sequence[Any], *, as_json: bool) -> None:
    rows = [
        {
            'key': frame.frame_key,
            'camera': frame.camera,
            'stamp': _decimal(frame.header.stamp),
            'score': round(frame.score, 4),
            'short-term': frame.short_term_tokens,
            'long-term': frame.long_term_tokens,
            'archive': frame.archive_tokens,
            'pose': pose_of(frame),
        }
        for frame in frames
    ]
    if as_json:
        print(json.dumps(rows, indent=2))
    elif rows:
        _show(list(rows[0]), [[_cell(value) for value in row.values()] for row in rows])


def _cell(value: object) -> str:
    if isinstance(value, Pose):
        return value.place()
    return '' if value is None else str(value)


def _show(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow='fold')
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else PIPED_WIDTH).print(table)
