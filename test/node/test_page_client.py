# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the page's client keeps of a node, and when it holds the node to be gone."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from livevlm_interfaces.msg import MemoryEvent
from livevlm_interfaces.srv import ListWatches
from livevlm_ros.node import page_client
from livevlm_ros.node.memory_client import CommandFailed
from livevlm_ros.node.page_client import PageClient


@pytest.fixture
def client() -> Iterator[PageClient]:
    with PageClient(namespace='robot1') as client:
        yield client


def told(*names: str) -> DiagnosticArray:
    return DiagnosticArray(status=[DiagnosticStatus(name=name) for name in names])


def test_health_is_that_of_the_node_as_it_was_told_last(client: PageClient) -> None:
    client._on_diagnostics(told('robot1/livevlm: model', 'robot1/livevlm: watches'))
    client._on_diagnostics(told('robot1/livevlm: model', 'livevlm: ask'))
    client._on_diagnostics(told('another'))
    assert [health['task'] for health in client.news()['health']] == ['model']


def test_a_node_that_falls_silent_is_gone_at_the_pace_of_its_own(
    client: PageClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client._streams(), 'server_is_ready', lambda: True)
    now = [100.0]
    monkeypatch.setattr(time, 'monotonic', lambda: now[0])
    assert not client.is_alive()
    for pause_s, patience_s in ((1.0, page_client.SILENT_S), (60.0, 180.0)):
        for _ in range(2):
            now[0] += pause_s
            client._on_diagnostics(told('robot1/livevlm: model'))
        now[0] += patience_s - 0.1
        assert client.is_alive()
        now[0] += 0.2
        assert not client.is_alive()


def test_events_are_kept_newest_last_and_not_for_ever(client: PageClient) -> None:
    for number in range(page_client.EVENTS + 10):
        client._on_event(MemoryEvent(value=float(number)))
    events = client.news()['events']
    assert len(events) == page_client.EVENTS
    assert events[-1]['words'].startswith(f'{page_client.EVENTS + 9} frames')


def test_a_service_is_called_by_one_client_however_often(
    ros: Any, client: PageClient, eventually: Callable[..., Any]
) -> None:
    ros.node().create_service(
        ListWatches, '/robot1/livevlm/list_watches', lambda request, response: response
    )
    client.is_alive = lambda: True  # type: ignore[method-assign]
    before = len(list(client._node.clients))
    for _ in range(3):
        assert client.watches() == []
    assert len(list(client._node.clients)) == before + 1


def test_a_node_that_is_not_there_is_told_at_once(client: PageClient) -> None:
    began = time.monotonic()
    with pytest.raises(CommandFailed, match='no node serves /robot1/livevlm/query_timeline'):
        client.timeline()
    with pytest.raises(CommandFailed, match='watch_id: got none'):
        client.remove_watch('')
    assert time.monotonic() - began < 2.0
