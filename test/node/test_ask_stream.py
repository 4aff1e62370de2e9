# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient

from livevlm_interfaces.action import AskStream as Action
from livevlm_interfaces.srv import Ask
from livevlm_ros.engine.messages import Answer, Phase, Status
from livevlm_ros.node import ask_stream
from livevlm_ros.node.client import Client

CANCELED_S = 0.2
Result = Action.Result


class Heard:
    """The feedback of one goal."""

    def __init__(self) -> None:
        self.all: list[Any] = []

    def __call__(self, feedback: Any) -> None:
        self.all.append(feedback)

    @property
    def text(self) -> str:
        return ''.join(feedback.delta for feedback in self.all)

    @property
    def phases(self) -> list[int]:
        return [feedback.phase for feedback in self.all]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def streaming(live_node: Any, fake_engine: Any, client: Client) -> Any:
    """Give the engine of an active node; it holds what it is asked."""
    node = live_node()
    node.trigger_configure()
    node.trigger_activate()
    fake_engine.held = True
    assert client.wait_for_stream_server(60) and client.wait_for_server(60)
    return fake_engine


@pytest.fixture
def begun(eventually: Callable[..., Any], streaming: Any) -> Callable[[int], Any]:
    """Give a function that waits for the question of this number."""

    def begun(number: int = 0) -> Any:
        eventually(lambda: len(streaming.inquiries) > number)
        return streaming.inquiries[number]

    return begun


def test_the_answer_is_heard_as_it_grows(
    begun: Any, client: Client, heard: Heard, eventually: Callable[..., Any]
) -> None:
    stream = client.stream('what drove by ?', heard, request_id='s1')
    inquiry = begun()
    eventually(lambda: Phase.QUEUED in heard.phases)
    for phase in (Phase.RETRIEVING, Phase.PREFILL):
        inquiry.phase = phase
        eventually(lambda phase=phase: phase in heard.phases)
    for piece in ('a', ' red', ' truck'):
        inquiry.say(piece)
        eventually(lambda piece=piece: heard.text.endswith(piece))
    inquiry.say(' 🚚 über')
    inquiry.end()
    result = stream.wait(60)
    assert (result.status, result.request_id) == (Result.STATUS_OK, 's1')
    assert result.answer == 'a red truck 🚚 über'
    eventually(lambda: heard.text == result.answer)
    assert heard.phases == sorted(heard.phases)
    assert [feedback.seq for feedback in heard.all] == list(range(len(heard.all)))
    assert [feedback.tokens_so_far for feedback in heard.all] == [0, 0, 0, 1, 2, 3, 4]
    assert heard.all[0].elapsed.nanosec == 500_000_000
    assert (heard.all[0].remaining_budget.sec, heard.all[0].remaining_budget.nanosec) == (
        1,
        500_000_000,
    )


def test_what_is_said_at_once_is_heard_together(
    begun: Any,
    client: Client,
    heard: Heard,
    eventually: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ask_stream, 'COALESCED_S', 0.5)
    stream = client.stream('what drove by ?', heard)
    inquiry = begun()
    eventually(lambda: heard.all)
    for _ in range(100):
        inquiry.say('very ')
    eventually(lambda: heard.text)
    inquiry.end()
    assert stream.wait(60).answer == 100 * 'very '
    eventually(lambda: heard.text == 100 * 'very ')
    assert len(heard.all) <= 3


@pytest.mark.parametrize('phase', Phase)
def test_a_goal_is_canceled_in_each_phase_with_what_was_said(
    begun: Any, client: Client, heard: Heard, eventually: Callable[..., Any], phase: Phase
) -> None:
    stream = client.stream('what drove by ?', heard)
    inquiry = begun()
    said = 'a red ' if phase is Phase.DECODING else ''
    if said:
        inquiry.say(said)
    inquiry.phase = phase
    eventually(lambda: phase in heard.phases)
    stream.cancel()
    result = stream.wait(60)
    assert inquiry.canceled
    assert (result.status, result.finish_reason) == (
        Result.STATUS_CANCELED,
        Result.FINISH_CANCELED,
    )
    assert result.answer == said


def test_a_cancel_is_answered_soon(begun: Any, client: Client, heard: Heard) -> None:
    took_s = []
    for number in range(11):
        stream = client.stream('what drove by ?', heard)
        begun(number)
        began = time.monotonic()
        stream.cancel()
        assert stream.wait(60).status == Result.STATUS_CANCELED
        took_s.append(time.monotonic() - began)
    assert sorted(took_s)[5] < CANCELED_S, took_s


@pytest.mark.usefixtures('slow_to_note')
def test_a_goal_that_is_accepted_at_once_has_its_result(
    begun: Any, client: Client, heard: Heard
) -> None:
    stream = client.stream('what drove by ?', heard)
    begun().end()
    assert stream.wait(10).status == Result.STATUS_OK


@pytest.fixture
def goals(ros: Any) -> Iterator[ActionClient]:
    """Give a plain client of the action."""
    client = ActionClient(ros.node('asker'), Action, 'ask_stream')
    assert client.wait_for_server(60)
    yield client
    client.destroy()


def wait(future: Any) -> Any:
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    assert done.wait(60)
    return future.result()


@pytest.mark.parametrize(
    ('status', 'goal_status'),
    [
        (Status.OK, GoalStatus.STATUS_SUCCEEDED),
        (Status.PARTIAL, GoalStatus.STATUS_SUCCEEDED),
        (Status.NO_EVIDENCE, GoalStatus.STATUS_SUCCEEDED),
        (Status.OVERLOADED, GoalStatus.STATUS_ABORTED),
        (Status.DEADLINE, GoalStatus.STATUS_ABORTED),
        (Status.INVALID, GoalStatus.STATUS_ABORTED),
    ],
)
def test_a_goal_ends_as_its_question_did(
    streaming: Any, goals: ActionClient, status: Status, goal_status: int
) -> None:
    streaming.held = False
    streaming.answer = lambda question: Answer(status, 'so it is')
    goal = wait(goals.send_goal_async(Action.Goal(question='what drove by ?')))
    ended = wait(goal.get_result_async())
    assert (ended.status, ended.result.status) == (goal_status, int(status))
    assert ended.result.status_message == 'so it is'


def test_a_goal_that_is_canceled_has_that_status(
    streaming: Any, begun: Any, goals: ActionClient
) -> None:
    goal = wait(goals.send_goal_async(Action.Goal(question='what drove by ?')))
    begun()
    assert len(wait(goal.cancel_goal_async()).goals_canceling) == 1
    assert wait(goal.get_result_async()).status == GoalStatus.STATUS_CANCELED


def test_a_goal_to_a_node_that_is_not_active_says_so(
    live_node: Any, fake_engine: Any, client: Client, heard: Heard
) -> None:
    node = live_node()
    assert client.wait_for_stream_server(60)
    result = client.stream('what drove by ?', heard).wait(60)
    assert result.status == Result.STATUS_NOT_ACTIVE
    assert 'unconfigured' in result.status_message
    assert client.stream('x ?', heard, priority=7).wait(60).status == Result.STATUS_INVALID
    node.trigger_configure()
    node.trigger_activate()
    assert client.stream('what drove by ?', heard).wait(60).status == Result.STATUS_OK
    assert heard.text == 'red'
    assert node.refused() == {Status.NOT_ACTIVE: 1, Status.INVALID: 1}


def test_an_engine_that_fails_ends_the_goal(streaming: Any, client: Client, heard: Heard) -> None:
    streaming.held = False
    streaming.answer = lambda question: 1 / 0
    result = client.stream('what drove by ?', heard).wait(60)
    assert result.status == Result.STATUS_ERROR
    assert 'ZeroDivisionError' in result.status_message


def test_streams_go_side_by_side_and_hold_up_neither_questions_nor_images(
    streaming: Any, begun: Any, client: Client, eventually: Callable[..., Any]
) -> None:
    heard = [Heard() for _ in range(9)]  # as many as the engine lets in
    streams = [client.stream(f'question {n} ?', each) for n, each in enumerate(heard)]
    begun(8)
    streaming.held = False
    response = client.send('and now ?').wait(60)
    assert response.status == Ask.Response.STATUS_OK
    inquiries = {inquiry.question.text: inquiry for inquiry in streaming.inquiries}
    for n in range(9):
        inquiries[f'question {n} ?'].say(f'answer {n}')
    for n, each in enumerate(heard):
        eventually(lambda n=n, each=each: each.text == f'answer {n}')
    for n, stream in enumerate(streams):
        inquiries[f'question {n} ?'].end()
        assert stream.wait(60).answer == f'answer {n}'


def test_a_client_that_has_left_frees_its_place(
    live_node: Any, fake_engine: Any, eventually: Callable[..., Any]
) -> None:
    node = live_node()
    node.trigger_configure()
    node.trigger_activate()
    fake_engine.held = True
    with Client() as short:
        assert short.wait_for_stream_server(60)
        heard = Heard()
        short.stream('what drove by ?', heard)
        eventually(lambda: heard.all)
    eventually(lambda: fake_engine.inquiries[0].canceled)


class Listed:
    """A node that is told who listens."""

    def __init__(self, gids: set[int]) -> None:
        self.gids = gids

    def get_subscriptions_info_by_topic(self, topic: str) -> list[Any]:
        assert topic == 'ask_stream/_action/feedback'
        return [SimpleNamespace(endpoint_gid=[gid]) for gid in self.gids]


@pytest.mark.parametrize(
    ('first', 'then', 'gone'),
    [
        ({1, 2}, {2, 3}, False),
        ({1, 2}, {3}, True),
        ({1}, set(), True),
        (set(), set(), False),  # not discovered yet
    ],
)
def test_a_client_is_gone_when_all_are_who_listened_as_its_goal_came(
    monkeypatch: pytest.MonkeyPatch, first: set[int], then: set[int], gone: bool
) -> None:
    node = Listed(first)
    listeners = ask_stream.Listeners(node)
    node.gids = then
    assert not listeners.are_gone()  # it does not look that often
    monkeypatch.setattr(ask_stream, 'LOOK_S', 0.0)
    assert listeners.are_gone() == gone
