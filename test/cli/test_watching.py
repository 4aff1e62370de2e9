# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip('rclpy')

from livevlm_interfaces.msg import Watch, WatchEvent
from livevlm_interfaces.srv import AddWatch, ListWatches, RemoveWatch
from livevlm_ros.node import watch_commands


class Node:
    """A node as the command's client sees it: tells events once it is asked, then Ctrl-C comes."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.events: list[WatchEvent] = []
        self.listed: list[Watch] = []
        self.refusal = ''
        self._tell: Callable[[WatchEvent], None] | None = None

    def __call__(self, *, namespace: str) -> 'Node':
        return self

    def __enter__(self) -> 'Node':
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def hear(self, kind: Any, name: str, on_message: Callable[[WatchEvent], None]) -> None:
        assert (kind, name) == (WatchEvent, 'watch_events')
        self._tell = on_message

    def call(self, kind: Any, name: str, request: Any) -> Any:
        self.requests.append(request)
        if kind is ListWatches:
            return ListWatches.Response(watches=self.listed)
        if kind is RemoveWatch:
            return RemoveWatch.Response(success=not self.refusal, message=self.refusal)
        for event in self.events:
            assert self._tell is not None, 'the command must listen before it adds the watch'
            self._tell(event)
        return AddWatch.Response(success=not self.refusal, message=self.refusal, watch_id='w1')


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    """Give a node; Ctrl-C comes when all its events were printed."""
    node, show = Node(), watch_commands._print_next

    def shown(heard: Any, watch_id: str, *, as_json: bool) -> None:
        if heard.empty():
            raise KeyboardInterrupt
        show(heard, watch_id, as_json=as_json)

    monkeypatch.setattr(watch_commands, 'MemoryClient', node)
    monkeypatch.setattr(watch_commands, '_print_next', shown)
    return node


def _event(watch_id: str, reason: int, answer: str, before: str = '') -> WatchEvent:
    event = WatchEvent(watch_id=watch_id, reason=reason, answer=answer, answer_before=before)
    event.header.stamp.sec, event.confidence = 12, 0.75
    return event


def test_a_line_for_each_event_until_ctrl_c_and_the_watch_is_removed(livevlm, node) -> None:
    node.events = [
        _event('w1', WatchEvent.FIRST, 'red'),
        _event('w2', WatchEvent.FIRST, 'another watch'),
        _event('w1', WatchEvent.CHANGED, 'green', 'red'),
    ]
    options = '--every 5s --camera front --min-confidence 0.5 --cooldown 1m --budget 2s'
    code, out, _ = livevlm('watch', 'what light ?', *options.split())
    assert code == 130
    assert out.splitlines() == [
        "12.000 first: 'red' (0.75)",
        "12.000 changed: 'green' (0.75, before: 'red')",
    ]
    added, removed = node.requests
    watch = added.watch
    assert (watch.question, list(watch.cameras), watch.every_frames) == (
        'what light ?',
        ['front'],
        0,
    )
    assert (watch.period.sec, watch.cooldown.sec, watch.latency_budget.sec) == (5, 60, 2)
    assert watch.min_confidence == 0.5
    assert removed == RemoveWatch.Request(watch_id='w1')


def test_it_asks_every_second_or_at_each_so_many_frames(livevlm, node) -> None:
    livevlm('watch', 'what light ?')
    livevlm('watch', 'what light ?', '--frames', 10)
    watches = [request.watch for request in node.requests if isinstance(request, AddWatch.Request)]
    assert [(watch.period.sec, watch.every_frames) for watch in watches] == [(1, 0), (0, 10)]


def test_events_and_watches_as_json(livevlm, node) -> None:
    node.events = [_event('w1', WatchEvent.FELL, 'red', 'red')]
    told = json.loads(livevlm('watch', 'what light ?', '--json')[1])
    assert (told['reason'], told['stamp'], told['confidence']) == ('FELL', 12.0, 0.75)
    node.listed = [Watch(watch_id='w1', question='what light ?', every_frames=3, events=2)]
    assert json.loads(livevlm('watch', '--list', '--json')[1])['events'] == 2
    assert livevlm('watch', '--list')[1].startswith("w1: 'what light ?' every 3 frames, 2 events")


def test_what_the_node_refuses_is_one_line(livevlm, node) -> None:
    node.refusal = "cameras: got 'side'"
    code, _, error = livevlm('watch', 'what light ?', '--camera', 'side')
    assert (code, error) == (1, "livevlm watch: cameras: got 'side'\n")
    assert livevlm('watch', '--remove', 'w9')[0] == 1
    assert node.requests[-1] == RemoveWatch.Request(watch_id='w9')


@pytest.mark.parametrize(
    'arguments', [[], ['now ?', '--list'], ['now ?', '--every', '1s', '--frames', '2']]
)
def test_what_makes_no_sense_together_is_refused(refused, arguments) -> None:
    assert 'expected one of' in refused('watch', *arguments)
