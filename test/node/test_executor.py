# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rclpy
from lifecycle_msgs.srv import GetState
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage

from livevlm_ros.node.executor import NodeExecutor
from livevlm_ros.node.spinning import Spinner

MESSAGES = 40


class CountingExecutor(NodeExecutor):
    """Counts how often the spinning thread looks for work."""

    looks = 0

    def get_nodes(self) -> Any:
        """Return the nodes; rclpy asks once before each wait."""
        self.looks += 1
        return super().get_nodes()


@pytest.fixture
def context() -> Iterator[Context]:
    context = Context()
    rclpy.init(context=context)
    yield context
    rclpy.try_shutdown(context=context)


@pytest.fixture
def executor(context: Context) -> Iterator[CountingExecutor]:
    executor = CountingExecutor(4, context=context)
    spinner = Spinner(executor)
    yield executor
    spinner.stop()
    executor.shutdown(timeout_sec=1.0)


class Ear(Node):
    """Hears images and remembers in which thread."""

    def __init__(self, context: Context) -> None:
        super().__init__('ear', context=context)
        self.heard: list[str] = []
        self.create_subscription(
            CompressedImage, 'images', self.on_image, 10, callback_group=ReentrantCallbackGroup()
        )
        self.mouth = self.create_publisher(CompressedImage, 'images', 10)

    def on_image(self, message: CompressedImage) -> None:
        self.heard.append(threading.current_thread().name)
        if message.format == 'bad':
            raise ValueError('what a picture')


def test_the_spinning_thread_sleeps_between_messages(
    context: Context, executor: CountingExecutor, eventually: Callable[..., Any]
) -> None:
    ear = Ear(context)
    executor.add_node(ear)
    eventually(lambda: ear.mouth.get_subscription_count())
    before = executor.looks
    for sent in range(1, MESSAGES + 1):
        ear.mouth.publish(CompressedImage(data=bytes(100_000)))
        eventually(lambda sent=sent: len(ear.heard) == sent)
    assert set(ear.heard) == {'spin'}
    assert executor.looks - before < 4 * MESSAGES  # a pool makes it some 50 for each


def test_a_service_that_waits_holds_no_message_up(
    context: Context, executor: CountingExecutor, eventually: Callable[..., Any]
) -> None:
    ear, asked, go_on = Ear(context), threading.Event(), threading.Event()

    def wait(request: GetState.Request, response: GetState.Response) -> GetState.Response:
        asked.set()
        response.current_state.id = int(go_on.wait(60))
        return response

    ear.create_service(GetState, 'wait', wait, callback_group=ReentrantCallbackGroup())
    client = ear.create_client(GetState, 'wait', callback_group=ReentrantCallbackGroup())
    executor.add_node(ear)
    assert client.wait_for_service(60)
    reply = client.call_async(GetState.Request())
    assert asked.wait(60)
    eventually(lambda: ear.mouth.get_subscription_count())
    ear.mouth.publish(CompressedImage())
    eventually(lambda: ear.heard)
    assert not reply.done()
    go_on.set()
    eventually(reply.done)
    assert reply.result().current_state.id == 1


def test_an_error_in_a_callback_is_logged_and_outlived(
    context: Context,
    executor: CountingExecutor,
    eventually: Callable[..., Any],
    capfd: pytest.CaptureFixture[str],
) -> None:
    ear = Ear(context)
    executor.add_node(ear)
    eventually(lambda: ear.mouth.get_subscription_count())
    ear.mouth.publish(CompressedImage(format='bad'))
    ear.mouth.publish(CompressedImage(format='jpeg'))
    eventually(lambda: len(ear.heard) == 2)
    assert "a callback failed: ValueError('what a picture')" in capfd.readouterr().err
