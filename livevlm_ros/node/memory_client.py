# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The client of a node's memory: calls the services and actions of a running node."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.action import ActionClient
from rclpy.qos import DurabilityPolicy, QoSProfile

from livevlm_interfaces.msg import MemoryState
from livevlm_ros.engine.messages import NotDone
from livevlm_ros.node.client import Client, Reply, not_found
from livevlm_ros.node.conversions import to_time

FIND_S = 5.0
"""For which a node is looked for."""

REPLY_S = 60.0
"""For a reply that waits for no disk."""


LONGEST_CLEAR_S = 3600.0
"""Until a large disk is overwritten."""


class CommandFailed(NotDone):
    """The node was not found, does not reply or could not do it: says why."""


class MemoryClient(Client):
    """Talks to the memory of the node in a namespace."""

    def __init__(self, *, namespace: str = '', follows_clock: bool = False) -> None:
        super().__init__(namespace=namespace, follows_clock=follows_clock)
        self._services: dict[str, Any] = {}  # clients of services that were called
        self._making = threading.Lock()

    def call(self, kind: Any, name: str, request: Any, timeout_s: float = REPLY_S) -> Any:
        """
        Call a private service of the node.

        :raises CommandFailed: if there is none, or no response came in time
        """
        client = self._service(kind, name)
        if not client.wait_for_service(FIND_S):
            raise self._not_found(name)
        reply = Reply()
        client.call_async(request).add_done_callback(reply.settle)
        return self._replied(reply, name, timeout_s)

    def send_goal(
        self, kind: Any, name: str, goal: Any, told: Callable[[str, float], None]
    ) -> Any:
        """
        Send a goal to a private action of the node, and wait for its result, however long.

        :param told: called with each phase and the share of it that is done
        :raises CommandFailed: if there is no such action
        """
        client: Any = ActionClient(self._node, kind, self._private(name))
        try:
            if not client.wait_for_server(FIND_S):
                raise self._not_found(name)
            accepted, ended = Reply(), Reply()
            self._in_turn(
                lambda: client.send_goal_async(
                    goal, lambda message: told(message.feedback.phase, message.feedback.share)
                ),
                accepted.settle,
            )
            handle = self._replied(accepted, name, REPLY_S)
            self._in_turn(handle.get_result_async, ended.settle)
            while (response := ended.wait(REPLY_S)) is None:
                if not client.server_is_ready():
                    raise CommandFailed(f'{self._private(name)} is gone: did the node end?')
            return response.result
        finally:
            client.destroy()

    def hear(self, kind: Any, name: str, on_message: Callable[[Any], None]) -> None:
        """Listen to a private topic of the node; `on_message` is called in another thread."""
        self._node.create_subscription(kind, self._private(name), on_message, 50)

    def state(self) -> MemoryState:
        """
        Return the newest message on `~/memory_state`.

        :raises CommandFailed: if there is none
        """
        came, found = threading.Event(), []

        def on_state(message: MemoryState) -> None:
            found.append(message)
            came.set()

        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        name = self._private('memory_state')
        listener = self._node.create_subscription(MemoryState, name, on_state, latched)
        heard = came.wait(FIND_S)
        self._node.destroy_subscription(listener)
        if not heard:
            raise CommandFailed(f'nothing on {name} after {FIND_S:g} s: is the node configured?')
        return found[-1]

    def _service(self, kind: Any, name: str) -> Any:
        with self._making:
            if name not in self._services:
                self._services[name] = self._node.create_client(kind, self._private(name))
            return self._services[name]

    def _private(self, name: str) -> str:
        return f'{self._prefix}livevlm/{name}'

    def _not_found(self, name: str) -> CommandFailed:
        return CommandFailed(not_found(self._private(name), FIND_S))

    def _replied(self, reply: Reply, name: str, timeout_s: float) -> Any:
        response = reply.wait(timeout_s)
        if response is None:
            raise CommandFailed(f'{self._private(name)} did not reply in time: did the node end?')
        return response


def chosen(cameras: Sequence[str], begin_ns: int, end_ns: int) -> dict[str, Any]:
    """Return the fields of a request that choose frames; 0: open."""
    return {
        'cameras': list(cameras),
        'time_start': to_time(begin_ns),
        'time_end': to_time(end_ns),
    }


def done(response: Any) -> Any:
    """
    Return a response that tells of success.

    :raises CommandFailed: for another, with what it says
    """
    if not response.success:
        raise CommandFailed(response.message)
    return response
