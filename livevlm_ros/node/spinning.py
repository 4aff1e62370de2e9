# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Spinning in a thread, stopping by a signal.

The main thread waits for the signal, so it hears it at once, in the middle of a load too; and ROS
stays up until the last reply is sent, which rclpy's own signal handlers do not grant.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType

from rclpy.exceptions import InvalidHandle
from rclpy.executors import Executor
from rclpy.logging import get_logger

LOOK_S = 0.2


class Spinner:
    """Spins an executor until `stop`. An error that comes out of it is logged and outlived."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._spin, name='spin', daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more callbacks; those that run go on."""
        self._stopping.set()
        self._executor.wake()
        self._thread.join(1.0)

    def _spin(self) -> None:
        while not self._stopping.is_set():
            try:
                self._executor.spin_once(timeout_sec=LOOK_S)
            except InvalidHandle:
                continue  # a subscription was destroyed while the executor looked at it
            except Exception as error:
                if not self._stopping.wait(LOOK_S):
                    get_logger('livevlm').error(f'a callback failed: {error!r}')


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """
    Give an event that SIGINT and SIGTERM set.

    A handler that set it could wait for itself: it runs in the main thread, perhaps in the middle
    of `Event.wait`, which holds the event's lock. A queue's `put` may be interrupted by itself.
    """
    stop = threading.Event()
    heard: SimpleQueue[bool] = SimpleQueue()

    def hear(number: int, frame: FrameType | None) -> None:
        heard.put(True)

    def pass_on() -> None:
        if heard.get():
            stop.set()

    before = {kind: signal.signal(kind, hear) for kind in (signal.SIGINT, signal.SIGTERM)}
    threading.Thread(target=pass_on, name='signals', daemon=True).start()
    try:
        yield stop
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
        heard.put(False)
