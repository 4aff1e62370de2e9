# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The chat with a node, over a client that follows a script."""

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip('rclpy')

from livevlm_interfaces.action import AskStream
from livevlm_ros.engine.messages import Question, Scope, Status
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.tools import running
from livevlm_ros.tools.camera_memory import Enough
from livevlm_ros.tools.running import Running

QUESTION = Question(
    'what ?',
    scope=Scope.NOW,
    budget_s=2.5,
    lookback_s=1.5,
    cameras=('a',),
    choices=('b', 'c'),
    attach_images=True,
)


class ScriptedClient:
    """Says 'dark red' in two pieces; without `replies` it waits for ever."""

    service = '/ask'
    found = replies = True

    def __init__(self, *, namespace: str) -> None:
        self.asked: dict[str, Any] = {}
        self.canceled = self.closed = False

    def wait_for_stream_server(self, timeout_s: float) -> bool:
        return self.found

    def stream(self, question: str, on_feedback: Any, **fields: Any) -> 'ScriptedClient':
        self.asked = fields
        self.on_feedback = on_feedback
        return self

    def wait(self, timeout_s: float) -> Any:
        if not self.canceled:
            for delta in ('dark', ' red'):
                self.on_feedback(SimpleNamespace(delta=delta))
        if not self.replies and not self.canceled:
            raise KeyboardInterrupt
        status = Status.CANCELED if self.canceled else Status.OK
        return AskStream.Result(answer='dark red', status=int(status))

    def cancel(self) -> None:
        self.canceled = True

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def client(monkeypatch: pytest.MonkeyPatch) -> type[ScriptedClient]:
    monkeypatch.setattr(running, 'MemoryClient', ScriptedClient)
    return ScriptedClient


def test_the_answer_grows_and_the_focus_reaches_the_request() -> None:
    heard: list[str] = []
    with Running() as node:
        answer = node.ask(QUESTION, heard.append)
        asked = node._client.asked
    assert heard == ['dark', 'dark red'] and answer.text == 'dark red'
    assert asked['memory_scope'] == int(Scope.NOW) and asked['cameras'] == ['a']
    assert (asked['lookback'].sec, asked['lookback'].nanosec) == (1, 500_000_000)
    assert (asked['latency_budget'].sec, asked['latency_budget'].nanosec) == (2, 500_000_000)
    assert (asked['choices'], asked['max_tokens'], asked['temperature']) == (['b', 'c'], 0, -1.0)
    assert asked['attach_evidence_images'] and node._client.closed


def test_ctrl_c_cancels_and_takes_what_was_said(client, monkeypatch) -> None:
    monkeypatch.setattr(client, 'replies', False)
    assert Running().ask(QUESTION, lambda so_far: None).status is Status.CANCELED


def test_who_hears_enough_cancels() -> None:
    def hear(so_far: str) -> None:
        raise Enough

    assert Running().ask(QUESTION, hear).status is Status.CANCELED


def test_a_node_that_says_nothing_more_is_told(client, monkeypatch) -> None:
    monkeypatch.setattr(client, 'wait', lambda self, timeout_s: None)
    answer = Running().ask(QUESTION, lambda so_far: None)
    assert answer.status is Status.ERROR and 'did the node end' in answer.message


def test_a_node_that_is_not_there_is_refused(client, monkeypatch) -> None:
    monkeypatch.setattr(client, 'found', False)
    with pytest.raises(BadInput, match='no node serves /ask_stream'):
        Running()
