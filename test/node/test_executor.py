# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import re
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import rclpy
import rclpy.executors
from lifecycle_msgs.srv import GetState
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.context import Context
from rclpy.node import Node
from rclpy.service import Service
from sensor_msgs.msg import CompressedImage

from livevlm_ros.node import executor as node_executor
from livevlm_ros.node.spinning import Spinner

MESSAGES = 40
THREADS = 4

# Newer releases (ros2/rclpy pull request 1469: Kilted 9.1.4, Jazzy 7.1.9) keep the tasks that are
# ready apart from those that are under way, and offer a callback's task only as it is made.
NEWER = {
    r'self\._tasks: List\[.*\] = \[\]': 'self._pending_tasks, self._ready_tasks = {}, []',
    r'self\._tasks\.append\(\(task, None, None\)\)': (
        'self._pending_tasks[task] = None, None; self._ready_tasks.append(task)'
    ),
    r'self\._tasks\.append\(\(task, entity, node\)\)': (
        'self._pending_tasks[task] = entity, node'
    ),
    r'tasks = None\n(?s:.*?)(?=\n +# Gather entities)': """\
with self._tasks_lock:
                for task in [task for task in self._pending_tasks if task.done()]:
                    del self._pending_tasks[task]
                ready, self._ready_tasks = self._ready_tasks, []
            for task in ready:
                yielded_work = True
                yield task, *self._pending_tasks[task]
""",
}


def newer(installed: ModuleType) -> ModuleType:
    """Make rclpy's executors as newer releases have them; they are left alone if they are so."""
    source = Path(installed.__file__).read_text(encoding='utf-8')
    if '_pending_tasks' in source:
        return installed
    for pattern, put in NEWER.items():
        source, times = re.subn(pattern, lambda found, put=put: put, source)
        assert times == 1, f'{times} times {pattern} in {installed.__file__}'
    assert 'self._tasks ' not in source
    module = ModuleType(installed.__name__)
    exec(compile(source, installed.__file__, 'exec'), module.__dict__)
    return module


def loaded_anew(module: ModuleType) -> ModuleType:
    """Load a module a second time, with what it imports as it is now."""
    spec = spec_from_file_location(module.__name__, module.__file__)
    again = module_from_spec(spec)
    spec.loader.exec_module(again)
    return again


@pytest.fixture(params=['installed', 'newer'])
def counting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type:
    """Give the executor over an rclpy, made to count how often it looks for work."""
    module = node_executor
    if request.param == 'newer':
        monkeypatch.setitem(sys.modules, 'rclpy.executors', newer(rclpy.executors))
        module = loaded_anew(node_executor)

    class CountingExecutor(module.NodeExecutor):
        looks = 0
        requests = 0

        def get_nodes(self) -> Any:
            """Return the nodes; rclpy asks once before each wait."""
            self.looks += 1
            return super().get_nodes()

        def wait_for_ready_callbacks(self, *args: Any, **kwargs: Any) -> Any:
            """Return what is ready."""
            found = super().wait_for_ready_callbacks(*args, **kwargs)
            self.requests += isinstance(found[1], Service)
            return found

    return CountingExecutor


@pytest.fixture
def context() -> Iterator[Context]:
    context = Context()
    rclpy.init(context=context)
    yield context
    rclpy.try_shutdown(context=context)


@pytest.fixture
def executor(context: Context, counting: type) -> Iterator[Any]:
    executor = counting(THREADS, context=context)
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
    context: Context, executor: Any, eventually: Callable[..., Any]
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
    context: Context, executor: Any, eventually: Callable[..., Any]
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


def test_it_settles_when_what_callbacks_left_to_be_done_is_done(executor: Any) -> None:
    go_on, sent = threading.Event(), threading.Event()

    def goal() -> None:
        go_on.wait(60)
        executor.create_task(sent.set)

    executor.create_task(goal)
    executor.settle(0.1)  # its time is up first
    assert not sent.is_set()
    threading.Timer(0.1, go_on.set).start()
    executor.settle(60)
    assert sent.is_set()


def test_a_request_that_waits_for_a_thread_is_handed_over_once(
    context: Context, executor: Any, eventually: Callable[..., Any]
) -> None:
    ear, go_on = Ear(context), threading.Event()

    def wait(request: GetState.Request, response: GetState.Response) -> GetState.Response:
        go_on.wait(60)
        return response

    ear.create_service(GetState, 'wait', wait, callback_group=ReentrantCallbackGroup())
    client = ear.create_client(GetState, 'wait', callback_group=ReentrantCallbackGroup())
    executor.add_node(ear)
    assert client.wait_for_service(60)
    replies = [client.call_async(GetState.Request()) for _ in range(THREADS + 1)]
    eventually(lambda: executor.requests == THREADS + 1)
    eventually(lambda: ear.mouth.get_subscription_count())
    for sent in range(1, MESSAGES + 1):
        ear.mouth.publish(CompressedImage())
        eventually(lambda sent=sent: len(ear.heard) == sent)
    assert executor.requests == THREADS + 1
    go_on.set()
    eventually(lambda: all(reply.done() for reply in replies))


def test_a_goal_that_waits_holds_no_message_up_and_is_run_once(
    context: Context, executor: Any, eventually: Callable[..., Any]
) -> None:
    ear, begun, go_on = Ear(context), threading.Semaphore(0), threading.Event()

    def wait() -> bool:  # as rclpy hands over an action's goal
        begun.release()
        return go_on.wait(60)

    executor.add_node(ear)
    eventually(lambda: ear.mouth.get_subscription_count())
    goal = executor.create_task(wait)
    assert begun.acquire(timeout=60)
    for sent in range(1, MESSAGES + 1):
        ear.mouth.publish(CompressedImage())
        eventually(lambda sent=sent: len(ear.heard) == sent)
    assert not goal.done()
    assert not begun.acquire(blocking=False)
    go_on.set()
    eventually(goal.done)
    assert goal.result()


def test_an_error_in_a_callback_is_logged_and_outlived(
    context: Context,
    executor: Any,
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
