# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A client of a running node: asks, follows answers, its clock and diagnostics."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Any, Self

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.srv import GetParameters
from rclpy.action import ActionClient
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import parameter_value_to_python
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from livevlm_interfaces.action import AskStream
from livevlm_interfaces.srv import Ask
from livevlm_ros.node.spinning import Spinner
from livevlm_ros.node.stream import Stream
from livevlm_ros.share import use_dds_profile


def not_found(service: str, waited_s: float) -> str:
    """Say that no node serves something, and what to do."""
    return (
        f'no node serves {service} after {waited_s:g} s: start one with '
        '`ros2 launch livevlm_ros camera.launch.py` or livevlm_node, and compare ROS_DOMAIN_ID '
        'and the namespace'
    )


class Reply(Future[Any]):
    """A response to come, which any thread may wait for; `took_s` is how long it took."""

    def __init__(self) -> None:
        super().__init__()
        self._sent_s = time.monotonic()
        self.took_s = math.nan

    def settle(self, sent: Any) -> None:
        """Take the response from rclpy's future, in the thread that spins."""
        self.took_s = time.monotonic() - self._sent_s
        self.set_result(sent.result())

    def wait(self, timeout_s: float) -> Any | None:
        """Return the response, or None when none came in that time."""
        return self.result() if wait([self], timeout_s).done else None


class Client:
    """
    Talks to the node in a namespace. A context manager; spins in a thread of its own.

    :param namespace: of the node, '' for the root
    :param follows_clock: whether it listens to /clock, for `wait_for_clock`
    """

    def __init__(self, *, namespace: str = '', follows_clock: bool = False) -> None:
        use_dds_profile()
        self._context = Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node('livevlm_client', context=self._context)
        self._prefix = f'/{namespace.strip("/")}/' if namespace.strip('/') else '/'
        self.service = f'{self._prefix}ask'
        self._stream_client: ActionClient | None = None  # made when it is first needed
        self._ask = self._node.create_client(Ask, self.service, qos_profile=QoSProfile(depth=100))
        self._parameters = self._node.create_client(
            GetParameters, f'{self._prefix}livevlm/get_parameters'
        )
        self._statuses: dict[str, DiagnosticStatus] = {}
        self._clock_s = 0.0
        self._news = threading.Condition()
        self._node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        if follows_clock:
            newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
            self._node.create_subscription(Clock, '/clock', self._on_clock, newest)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._spinner = Spinner(self._executor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave ROS."""
        self._spinner.stop()
        self._executor.shutdown()
        if self._stream_client is not None:
            self._stream_client.destroy()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def wait_for_server(self, timeout_s: float) -> bool:
        """Wait until the node's `ask` is there."""
        return bool(self._ask.wait_for_service(timeout_s))

    def wait_for_stream_server(self, timeout_s: float) -> bool:
        """Wait until the node's `ask_stream` is there."""
        return bool(self._streams().wait_for_server(timeout_s))

    def send(self, question: str, *, budget_s: float = 0.0, **fields: Any) -> Reply:
        """
        Send a question.

        :param budget_s: 0: the node's default
        :param fields: more fields of the `Ask` request
        """
        request = _with_budget(Ask.Request(question=question, **fields), budget_s)
        reply = Reply()
        self._ask.call_async(request).add_done_callback(reply.settle)
        return reply

    def stream(
        self,
        question: str,
        on_feedback: Callable[[Any], None],
        *,
        budget_s: float = 0.0,
        **fields: Any,
    ) -> Stream:
        """
        Send a question whose answer is heard as it grows.

        :param on_feedback: called with each feedback of `AskStream`, in the client's thread
        :param budget_s: 0: the node's default
        :param fields: more fields of the `AskStream` goal
        """
        goal = _with_budget(AskStream.Goal(question=question, **fields), budget_s)
        return Stream(self._streams(), goal, on_feedback, in_turn=self._in_turn)

    def parameters(self, names: Sequence[str], timeout_s: float) -> dict[str, Any] | None:
        """Return the node's values of these parameters, or None when it is not found in time."""
        if not self._parameters.wait_for_service(timeout_s):
            return None
        reply = Reply()
        request = GetParameters.Request(names=names)
        self._parameters.call_async(request).add_done_callback(reply.settle)
        response = reply.wait(timeout_s)
        if response is None:
            return None
        return dict(zip(names, map(parameter_value_to_python, response.values), strict=True))

    def status(self, task: str) -> DiagnosticStatus | None:
        """Return the newest diagnostics of a task of the node, such as 'camera/camera'."""
        return self._statuses.get(f'{self._prefix[1:]}livevlm: {task}')

    def wait_for_status(self, task: str, level: bytes, timeout_s: float) -> bool:
        """Wait until the diagnostics of a task have this level."""
        return self._wait(lambda: getattr(self.status(task), 'level', None) == level, timeout_s)

    def wait_for_news(self, task: str, timeout_s: float) -> bool:
        """Wait until the diagnostics tell anew of a task."""
        before = self.status(task)
        return self._wait(lambda: self.status(task) is not before, timeout_s)

    def wait_for_clock(self, time_s: float, timeout_s: float) -> bool:
        """Wait until /clock shows this time or later."""
        return self._wait(lambda: self._clock_s >= time_s, timeout_s)

    def _in_turn(self, send: Callable[[], Any], settle: Callable[[Any], None]) -> None:
        """
        Send a request of an action in the thread that spins.

        rclpy notes only after it has sent which reply it waits for: a reply that another thread
        takes in between is lost, and its future never done.

        :param send: returns the future of the reply
        """
        self._executor.create_task(lambda: send().add_done_callback(settle))

    def _streams(self) -> ActionClient:
        if self._stream_client is None:
            self._stream_client = ActionClient(self._node, AskStream, f'{self.service}_stream')
        return self._stream_client

    def _wait(self, condition: Any, timeout_s: float) -> bool:
        with self._news:
            return bool(self._news.wait_for(condition, timeout_s))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        with self._news:
            self._statuses.update({status.name: status for status in message.status})
            self._news.notify_all()

    def _on_clock(self, message: Clock) -> None:
        with self._news:
            self._clock_s = message.clock.sec + message.clock.nanosec * 1e-9
            self._news.notify_all()


def _with_budget(request: Any, budget_s: float) -> Any:
    if not budget_s:  # there may be one among the fields
        return request
    request.latency_budget.sec = int(budget_s // 1)
    request.latency_budget.nanosec = round(budget_s % 1 * 1e9)
    return request
