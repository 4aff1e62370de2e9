# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What others ask the engine thread to do between two pieces of its own work."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import torch

T = TypeVar('T')


class Orders:
    """Work by other threads, first come, first served."""

    def __init__(self) -> None:
        self._given: deque[tuple[Future[Any], Callable[[], Any]]] = deque()

    def give(self, work: Callable[[], T]) -> Future[T]:
        """Ask for work to be done; any thread. A result that is cancelled in time spares it."""
        done: Future[T] = Future()
        self._given.append((done, work))
        return done

    @torch.inference_mode()
    def carry_out(self) -> None:
        """Do what was asked for, in the thread that owns the memory."""
        while self._given:
            done, work = self._given.popleft()
            if not done.set_running_or_notify_cancel():
                continue
            try:
                done.set_result(work())
            except Exception as error:  # it is that of whoever asked
                done.set_exception(error)
