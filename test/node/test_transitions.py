# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

from collections.abc import Callable
from typing import Any

import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.lifecycle import LifecycleNode, LifecycleNodeMixin, TransitionCallbackReturn

from livevlm_ros.node.transitions import answer_every_request, label_after

SUCCESS, FAILURE, ERROR = (
    TransitionCallbackReturn.SUCCESS,
    TransitionCallbackReturn.FAILURE,
    TransitionCallbackReturn.ERROR,
)


def test_the_node_knows_its_state_as_rclpy_does(
    live_node: Any, fake_engine: Any, lifecycle: Any
) -> None:
    node = live_node()

    def change(transition: int, *, expected: str) -> None:
        lifecycle.change(transition)
        assert node.state().label == lifecycle.state() == expected

    def fail(*_: Any) -> None:
        raise RuntimeError('broken')

    assert node.state().label == lifecycle.state() == 'unconfigured'
    change(Transition.TRANSITION_CONFIGURE, expected='inactive')
    start, fake_engine.start = fake_engine.start, fail
    change(Transition.TRANSITION_ACTIVATE, expected='inactive')
    fake_engine.start = start
    change(Transition.TRANSITION_ACTIVATE, expected='active')
    change(Transition.TRANSITION_CONFIGURE, expected='active')
    change(Transition.TRANSITION_DEACTIVATE, expected='inactive')
    change(Transition.TRANSITION_CLEANUP, expected='unconfigured')
    change(Transition.TRANSITION_UNCONFIGURED_SHUTDOWN, expected='finalized')


def test_the_node_knows_the_state_after_an_error_too(
    live_node: Any, lifecycle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = live_node()
    monkeypatch.setattr(LifecycleNodeMixin, 'on_configure', lambda *_: ERROR)
    lifecycle.change(Transition.TRANSITION_CONFIGURE)
    assert node.state().label == lifecycle.state() == 'unconfigured'


@pytest.mark.parametrize(
    ('transition', 'result', 'label'),
    [
        ('configure', FAILURE, 'before'),
        ('deactivate', FAILURE, 'before'),
        ('shutdown', FAILURE, 'finalized'),
        ('error', FAILURE, 'finalized'),
        ('activate', ERROR, 'errorprocessing'),
    ],
)
def test_the_label_after_a_transition_that_does_not_succeed(
    transition: str, result: TransitionCallbackReturn, label: str
) -> None:
    assert label_after(transition, result, before='before') == label


def test_a_request_whose_callback_raises_is_answered(
    ros: Any, eventually: Callable[..., Any]
) -> None:
    def raising(request: Any, response: Any) -> Any:
        raise RuntimeError('Transition is not registered.')

    node = LifecycleNode('raising', context=ros.context)
    (service,) = (each for each in node.services if each.srv_type is ChangeState)
    service.callback = raising
    answer_every_request(node)
    ros.add(node)
    client = ros.node().create_client(ChangeState, '/raising/change_state')
    assert client.wait_for_service(60)
    reply = client.call_async(ChangeState.Request())
    eventually(reply.done)
    assert reply.result().success is False
