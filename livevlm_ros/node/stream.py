# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A question over `ask_stream`, as its client sees it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rclpy.action import ActionClient


class Stream:
    """Hears the answer as it grows, and waits for the result; may be canceled at any time."""

    def __init__(
        self,
        client: ActionClient,
        goal: Any,
        on_feedback: Callable[[Any], None],
        *,
        in_turn: Callable[[Callable[[], Any], Callable[[Any], None]], None],
    ) -> None:
        """
        Send a goal as soon as there is a server.

        :param on_feedback: called with each feedback, in the thread that spins
        :param in_turn: calls the first in that thread, and the second with the reply to come
        """
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._handle: Any = None  # of the accepted goal
        self._canceled = False
        self._result: Any = None
        in_turn(
            lambda: client.send_goal_async(goal, lambda message: on_feedback(message.feedback)),
            self._on_reply,
        )

    def cancel(self) -> None:
        """Ask the server to end it; the result then comes with what has been said."""
        with self._lock:
            self._canceled = True
            if self._handle is not None:
                self._handle.cancel_goal_async()

    def wait(self, timeout_s: float) -> Any | None:
        """Return the `AskStream` result, or None when none came in that time."""
        self._done.wait(timeout_s)
        return self._result

    def _on_reply(self, future: Any) -> None:
        handle = future.result()
        if not handle.accepted:  # never by this node
            self._done.set()
            return
        with self._lock:
            self._handle = handle
            if self._canceled:
                handle.cancel_goal_async()
        handle.get_result_async().add_done_callback(self._on_result)

    def _on_result(self, future: Any) -> None:
        self._result = future.result().result
        self._done.set()
