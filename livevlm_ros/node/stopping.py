# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Stopping by a signal.

The main thread waits for the signal, so it hears it at once, in the middle of a load too; and ROS
stays up until the last reply is sent, which rclpy's own signal handlers do not grant.
"""

from __future__ import annotations

import signal
import threading
from queue import SimpleQueue
from types import FrameType


def hear_signals() -> threading.Event:
    """
    Return an event that SIGINT and SIGTERM set from now on, to the end of the process.

    A handler that set it could wait for itself: it runs in the main thread, perhaps in the middle
    of `Event.wait`, which holds the event's lock. A queue's `put` may be interrupted by itself.
    """
    stop = threading.Event()
    heard: SimpleQueue[int] = SimpleQueue()

    def hear(number: int, frame: FrameType | None) -> None:
        heard.put(number)

    def pass_on() -> None:
        heard.get()
        stop.set()

    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, hear)
    threading.Thread(target=pass_on, name='signals', daemon=True).start()
    return stop
