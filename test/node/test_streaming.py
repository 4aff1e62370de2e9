# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Streams of a real node with random weights; camera, node and client are processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from livevlm_interfaces.action import AskStream as Action
from livevlm_ros.node.client import Client
from livevlm_ros.node.diagnostics import OK

pytestmark = pytest.mark.slow

Result = Action.Result
ANSWERED = (Result.STATUS_OK, Result.STATUS_PARTIAL)
QUESTION = 'what color was the car ?'
LONG = {'max_tokens': 512, 'temperature': 1.0}  # greedy, random weights may say one silent token
CANCELED_S = 0.2
ROUNDS = 11
CLIENTS, ALIVE_S, STOPPED_S = 8, 2.1, 0.9
SHORT_S, MOST_OVER_S = 0.15, 0.1

ASK_AND_HANG = f"""
import time
from livevlm_ros.node.client import Client

with Client() as client:
    assert client.wait_for_stream_server(60)
    client.stream({QUESTION!r}, lambda heard: print('heard', flush=True), max_tokens=512)
    time.sleep(600)
"""

ENTER_AND_HANG = """
import sys, time
from livevlm_ros.node.client import Client

print('ready', flush=True)
sys.stdin.read()
with Client():
    time.sleep(600)
"""


@contextmanager
def ready_client() -> Iterator[Any]:
    """Give a process that becomes a client when its input ends; it is killed after the block."""
    command = [sys.executable, '-c', ENTER_AND_HANG]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as ready:
        try:
            assert ready.stdout is not None
            assert ready.stdout.readline() == b'ready\n'
            yield ready
        finally:
            ready.kill()


class Listening:
    """A stream with what was heard of it."""

    def __init__(self, client: Client, *, budget_s: float = 20.0, **fields: Any) -> None:
        self.text = ''
        self.stream = client.stream(QUESTION, self._hear, budget_s=budget_s, **fields)

    def _hear(self, feedback: Any) -> None:
        self.text += feedback.delta

    def result(self) -> Any:
        """Return the result; all of the answer was heard by then or is soon."""
        return self.stream.wait(60)


@pytest.fixture
def node(processes: Any, client: Client) -> Any:
    """Give a node that has seen frames."""
    node = processes.node({'ask.min_confidence': 0.0})  # random weights are sure of nothing
    processes.start('world_camera', {'width': 160, 'height': 120})
    assert client.wait_for_status('camera/camera', OK, 120)
    assert client.wait_for_stream_server(60)
    return node


def test_all_that_is_heard_is_the_answer(
    node: Any, client: Client, eventually: Callable[..., Any]
) -> None:
    both = [Listening(client, **LONG) for _ in range(2)]
    for listening in both:
        result = listening.result()
        assert result.status in ANSWERED
        assert result.completion_tokens > 1
        eventually(lambda listening=listening, result=result: listening.text == result.answer)


def test_a_stream_ends_with_its_budget(
    node: Any, client: Client, eventually: Callable[..., Any]
) -> None:
    partial = None
    for budget_s in (0.2, 0.3, 0.4, 0.6, 0.8):  # the machine may be busy
        listening = Listening(client, budget_s=budget_s, **LONG)
        partial = listening.result()
        assert partial.latency.total_ms <= partial.latency.budget_ms
        if partial.finish_reason == Result.FINISH_BUDGET and partial.answer:
            break
    assert partial.status == Result.STATUS_PARTIAL
    assert partial.truncated
    eventually(lambda: listening.text == partial.answer)


def test_a_cancel_in_the_midst_of_an_answer_is_answered_soon_with_what_was_said(
    node: Any,
    client: Client,
    eventually: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    took_s, canceled = [], 0
    for _ in range(ROUNDS):
        listening = Listening(client, **LONG)
        eventually(lambda listening=listening: listening.text)
        began_s = time.monotonic()
        listening.stream.cancel()
        result = listening.result()
        took_s.append(time.monotonic() - began_s)
        if result.status == Result.STATUS_CANCELED:  # or it was complete before that
            canceled += 1
            assert result.finish_reason == Result.FINISH_CANCELED
            assert result.answer.startswith(listening.text[: len(result.answer)])
            assert result.completion_tokens < LONG['max_tokens']
    with capsys.disabled():
        print(f'\ncanceled in {sorted(took_s)[ROUNDS // 2] * 1e3:.0f} ms at the median, '
              f'{max(took_s) * 1e3:.0f} ms at most')  # fmt: skip
    assert canceled > ROUNDS // 2
    assert sorted(took_s)[ROUNDS // 2] < CANCELED_S


def test_a_client_that_is_killed_costs_the_others_nothing(
    node: Any, client: Client, eventually: Callable[..., Any]
) -> None:
    with subprocess.Popen([sys.executable, '-c', ASK_AND_HANG], stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b'heard\n'
        killed.kill()
    listening = Listening(client)
    result = listening.result()
    assert result.status in ANSWERED
    eventually(lambda: listening.text == result.answer)
    assert client.send(QUESTION, budget_s=20.0).wait(60).status in ANSWERED
    assert 'Traceback' not in node.said()


def test_clients_that_are_stopped_and_killed_do_not_hold_up_the_others(
    node: Any, client: Client
) -> None:
    over_s = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            reply = client.send(QUESTION, budget_s=SHORT_S)
            over_s.append(reply.took_s - SHORT_S if reply.wait(60) else 60.0)

    asking = [threading.Thread(target=ask) for _ in range(2)]
    with ExitStack() as running:
        clients = [running.enter_context(ready_client()) for _ in range(CLIENTS)]
        for thread in asking:
            thread.start()
        for each in clients:  # it takes the place in shared memory of the one before at once
            each.stdin.close()
            time.sleep(ALIVE_S)
            each.send_signal(signal.SIGSTOP)
            time.sleep(STOPPED_S)
            each.kill()
            each.wait()
    ended.set()
    for thread in asking:
        thread.join()
    assert max(over_s) < MOST_OVER_S, sorted(over_s)[-5:]


def test_ctrl_c_of_the_node_ends_a_stream_with_what_was_said(
    node: Any, client: Client, eventually: Callable[..., Any]
) -> None:
    listening = Listening(client, **LONG)
    eventually(lambda: listening.text)
    code, _ = node.interrupt()
    result = listening.stream.wait(5.0)
    assert code == 0
    assert result is not None
    assert result.answer.startswith(listening.text[: len(result.answer)])
    assert 'Traceback' not in node.said()
