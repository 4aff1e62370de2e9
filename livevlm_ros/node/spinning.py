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
    """Give an event that SIGINT and SIGTERM set."""
    stop = threading.Event()

    def heard(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {kind: signal.signal(kind, heard) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
