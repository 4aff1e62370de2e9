# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
An executor for a node whose images come often and whose questions wait long.

rclpy's `MultiThreadedExecutor` hands every callback to a pool. Until a thread of the pool has
taken the message, the spinning thread cannot sleep: Fast DDS wakes it at once, for the reader's
condition is shared with the subscription's events and still set, and the task is offered again
(ros2/rclpy issue 1452). It spins with the interpreter in its hand, which is what keeps the pool
from taking the message: at 30 images a second, bursts of 60 to 350 ms in which no other thread of
the node runs. Here messages and events are taken in the spinning thread, and only what may take
long goes to the pool, once.

Nothing private of rclpy is touched: releases differ in how they list the tasks that wait.

rclpy's experimental `EventsExecutor`, with an `ask` that awaits the engine's reply, was tried in
its place: the load of test_three_processes, 200 questions a run, three runs each in turns, on two
cores that other work shared (Kilted, rclpy 9.1.2).

| | here | there |
|---|---|---|
| late replies | 0 of 600 | 7 of 600 |
| whole answers in 0.1 s | 142 of 150 | 89 of 150 |
| median reply | 14 to 24 ms | 39 to 72 ms |
| CPU time of the node | 18 to 19 s | 22 s |

It has one thread, so a transition of the lifecycle, which rclpy cannot await, would hold up all
else.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait

from rclpy.context import Context
from rclpy.exceptions import InvalidHandle
from rclpy.executors import (
    ConditionReachedException,
    Executor,
    ExternalShutdownException,
    ShutdownException,
    TimeoutException,
)
from rclpy.logging import get_logger
from rclpy.service import Service
from rclpy.task import Task
from rclpy.timer import Timer

NOTHING_TO_DO = (
    ConditionReachedException,
    ExternalShutdownException,
    ShutdownException,
    TimeoutException,
)


class NodeExecutor(Executor):
    """
    Services, timers and goals of actions in a pool, messages and events in the thread that spins.

    Callbacks of subscriptions must be short; none may `await`. An error that comes out of a
    callback is logged.
    """

    def __init__(self, threads: int, *, context: Context | None = None) -> None:
        """
        Create the executor.

        :param threads: services, timers and goals that may run at the same time
        """
        super().__init__(context=context)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix='callback')
        self._in_pool: set[Future[None]] = set()

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Wait for one callback that is ready, and run it or hand it to the pool."""
        try:
            task, entity, _ = self.wait_for_ready_callbacks(timeout_sec)
        except NOTHING_TO_DO:
            return
        if entity is None or isinstance(entity, Service | Timer):  # None: a task, as a goal is
            task.executing = lambda: True  # else rclpy offers it until it is begun
            running = self._pool.submit(_run, task)
            self._in_pool.add(running)
            running.add_done_callback(self._in_pool.discard)
        else:
            _run(task)

    def settle(self, timeout_s: float) -> None:
        """Wait, while another thread spins, for callbacks that run and for what these leave to do.

        A goal that ends leaves its result to be sent.
        """
        ends_s = time.monotonic() + timeout_s
        for _ in range(2):
            begun = threading.Event()
            self.create_task(begun.set)  # behind all that is left until now
            begun.wait(ends_s - time.monotonic())
            wait(tuple(self._in_pool), ends_s - time.monotonic())

    def shutdown(self, timeout_sec: float | None = None, *, wait_for_threads: bool = True) -> bool:
        """Take no more callbacks; with `wait_for_threads` wait for those that run."""
        done: bool = super().shutdown(timeout_sec)
        self._pool.shutdown(wait=wait_for_threads)
        return done


def _run(task: Task[None]) -> None:
    task()
    error = task.exception()
    if error is not None and not isinstance(error, InvalidHandle):  # destroyed while it waited
        get_logger('livevlm').error(f'a callback failed: {error!r}')
