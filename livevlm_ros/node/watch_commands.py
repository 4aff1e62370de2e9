# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `livevlm watch` does: standing questions of a running node, and a line for each event."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from livevlm_interfaces.msg import Watch, WatchEvent
from livevlm_interfaces.srv import AddWatch, ListWatches, RemoveWatch
from livevlm_ros.engine.watch import Reason
from livevlm_ros.node.conversions import to_duration
from livevlm_ros.node.memory_client import CommandFailed, MemoryClient

DURATIONS = ('period', 'cooldown', 'latency_budget')
LOOK_S = 0.2  # between two looks at Ctrl-C


def follow(fields: Mapping[str, Any], namespace: str, *, as_json: bool) -> None:
    """
    Add a watch, print its events until Ctrl-C, and remove it.

    :param fields: of the watch; seconds where it has a duration
    """
    given = {
        name: to_duration(value) if name in DURATIONS else value for name, value in fields.items()
    }
    heard: queue.Queue[WatchEvent] = queue.Queue()
    with MemoryClient(namespace=namespace) as client:
        client.hear(WatchEvent, 'watch_events', heard.put)
        with _added(client, Watch(**given)) as watch_id:
            while True:
                _print_next(heard, watch_id, as_json=as_json)


def show(namespace: str, *, as_json: bool) -> None:
    """List the watches of the node."""
    with MemoryClient(namespace=namespace) as client:
        watches = client.call(ListWatches, 'list_watches', ListWatches.Request()).watches
    for watch in watches:
        told = {
            'watch_id': watch.watch_id,
            'question': watch.question,
            'cameras': list(watch.cameras),
            'period': _seconds(watch.period),
            'every_frames': watch.every_frames,
            'answer': watch.answer,
            'confidence': round(watch.confidence, 4),
            'answered_at': _seconds(watch.answered_at),
            'events': watch.events,
        }
        if as_json:
            print(json.dumps(told))
            continue
        every = f'{watch.every_frames} frames' if watch.every_frames else f'{told["period"]:g} s'
        print(
            f'{watch.watch_id}: {watch.question!r} every {every}, {watch.events} events, '
            f'last {watch.answer!r} ({watch.confidence:.2f})'
        )


def remove(watch_id: str, namespace: str) -> None:
    """End a watch."""
    with MemoryClient(namespace=namespace) as client:
        _remove(client, watch_id)


@contextmanager
def _added(client: MemoryClient, watch: Watch) -> Iterator[str]:
    """Give the name of a watch that lasts as long as a block."""
    response = client.call(AddWatch, 'add_watch', AddWatch.Request(watch=watch))
    if not response.success:
        raise CommandFailed(response.message)
    try:
        yield response.watch_id
    finally:
        _remove(client, response.watch_id)


def _remove(client: MemoryClient, watch_id: str) -> None:
    request = RemoveWatch.Request(watch_id=watch_id)
    response = client.call(RemoveWatch, 'remove_watch', request)
    if not response.success:
        raise CommandFailed(response.message)


def _print_next(heard: queue.Queue[WatchEvent], watch_id: str, *, as_json: bool) -> None:
    """Print the next event, if it comes soon and is of this watch."""
    try:
        event = heard.get(timeout=LOOK_S)
    except queue.Empty:
        return
    if event.watch_id == watch_id:
        print(_line(event, as_json=as_json), flush=True)


def _line(event: WatchEvent, *, as_json: bool) -> str:
    reason = Reason(event.reason).name
    if as_json:
        told = {
            'stamp': _seconds(event.header.stamp),
            'reason': reason,
            'answer': event.answer,
            'answer_before': event.answer_before,
            'confidence': round(event.confidence, 4),
            'evidence': [found.frame_key for found in event.evidence],
        }
        return json.dumps(told)
    before = f', before: {event.answer_before!r}' if event.answer_before else ''
    return (
        f'{_seconds(event.header.stamp):.3f} {reason.lower()}: {event.answer!r} '
        f'({event.confidence:.2f}{before})'
    )


def _seconds(time: Any) -> float:
    return float(time.sec) + time.nanosec * 1e-9
