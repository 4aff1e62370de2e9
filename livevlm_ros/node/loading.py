# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Loading an engine in a thread of its own, so that the node can be stopped in its midst."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

LOOK_S = 0.1
TELL_EVERY_S = 10.0

_log = logging.getLogger(__name__)


class Abandoned(RuntimeError):
    """The load was given up: the node is closing."""


class Loading:
    """One load. Torch cannot be interrupted, so the thread is left behind when abandoned."""

    def __init__(self, load: Callable[[Callable[[str], None]], Any]) -> None:
        """
        Prepare a load; `wait` begins it.

        :param load: makes an engine, ready to start; calls what it is given at each stage
        """
        self._began_s = time.monotonic()
        self._stage = 'starting'
        self._abandoned = threading.Event()
        self._engine: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(load,), name='load', daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    @property
    def took_s(self) -> float:
        """Seconds so far."""
        return time.monotonic() - self._began_s

    def describe(self) -> str:
        """Return the stage and how long it all has taken."""
        return f'{self._stage}, {self.took_s:.1f} s'

    def abandon(self) -> None:
        """Give up: `wait` returns at once, the thread ends at its next stage."""
        self._abandoned.set()

    def wait(self) -> Any:
        """
        Load, and wait for the engine; the log tells how far it is every now and then.

        :raises Abandoned: after `abandon`
        :raises Exception: what the load raised
        """
        self._thread.start()
        told_s = self._began_s
        while self._thread.is_alive() and not self._abandoned.is_set():
            self._thread.join(LOOK_S)
            if time.monotonic() - told_s >= TELL_EVERY_S:
                told_s = time.monotonic()
                _log.info('still loading: %s', self.describe())
        if self._abandoned.is_set():
            raise Abandoned('the load was given up')
        if self._error is not None:
            raise self._error
        return self._engine

    def _run(self, load: Callable[[Callable[[str], None]], Any]) -> None:
        try:
            self._engine = load(self._enter)
        except Exception as error:
            self._error = error

    def _enter(self, stage: str) -> None:
        if self._abandoned.is_set():
            raise Abandoned('the load was given up')
        self._stage = stage
