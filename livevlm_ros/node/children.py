# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Nodes started as child processes, that never outlive their parent."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import IO, Any

STOP_S = 5.0  # from SIGINT to SIGKILL


class ChildDied(RuntimeError):
    """A child process ended by itself: says which, how, and its last words."""


class Children:
    """A context manager: what was started in it is stopped at its end, the latest first."""

    def __init__(self) -> None:
        self._running: list[tuple[str, subprocess.Popen[bytes], IO[str]]] = []

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for _, process, _ in reversed(self._running):
            process.send_signal(signal.SIGINT)
        for _, process, _ in reversed(self._running):
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for _, _, said in self._running:
            said.close()

    def start(self, module: str, parameters: Mapping[str, Any]) -> None:
        """
        Start a node of this package.

        :param module: such as 'livevlm_ros.node.main'
        :param parameters: ROS parameters by name
        """
        command = [sys.executable, '-m', module, '--ros-args', '--log-level', 'warn']
        for name, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            command += ['-p', f'{name}:={text}']
        said = tempfile.TemporaryFile('w+', encoding='utf-8', errors='replace')  # noqa: SIM115
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the parent alone, which stops its children
        )
        self._running.append((module, process, said))

    def check(self) -> None:
        """
        Look whether all live.

        :raises ChildDied: naming the one that does not
        """
        for module, process, said in self._running:
            if process.poll() is not None:
                said.seek(0)
                words = said.read().strip()
                raise ChildDied(f'{module} ended with exit code {process.returncode}: {words}')


@contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """Let SIGTERM unwind the stack as Ctrl-C does, so that context managers end their children."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
