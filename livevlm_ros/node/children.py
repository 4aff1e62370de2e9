# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Nodes started as child processes, that never outlive their parent.

On Linux not even one that is killed: the kernel tells them of its end.
"""

from __future__ import annotations

import ctypes
import os
import random
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import IO, Any

from rich.console import Console

STOP_S = 5.0  # from SIGINT to SIGKILL
PR_SET_PDEATHSIG = 1  # linux/prctl.h


class ChildDied(RuntimeError):
    """A child process ended by itself: says which, how, and its last words."""


class Children:
    """A context manager: what was started in it is stopped at its end, the latest first."""

    def __init__(self) -> None:
        self._running: list[tuple[str, subprocess.Popen[bytes], IO[str]]] = []

    def __enter__(self) -> Children:
        return self

    def __exit__(self, *raised: object) -> None:
        processes = [process for _, process, _ in reversed(self._running)]
        deadline = time.monotonic() + STOP_S
        try:
            for process in processes:
                process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                for process in processes:
                    process.wait(max(deadline - time.monotonic(), 0.0))
        finally:  # at another Ctrl-C too
            for process in processes:
                process.kill()
            for process in processes:
                process.wait()
            for _, _, said in self._running:
                said.close()

    def start(
        self, module: str, parameters: Mapping[str, Any], *arguments: str
    ) -> subprocess.Popen[bytes]:
        """
        Start a node of this package; return its process.

        :param module: such as 'livevlm_ros.node.main'
        :param parameters: ROS parameters by name
        :param arguments: what the module is given before those for ROS
        """
        command = [sys.executable, '-m', __name__, str(os.getpid()), module, *arguments]
        command += ['--ros-args', '--log-level', 'warn']
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
        return process

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


def choose_domain(console: Console) -> None:
    """Stay out of the way of a robot on the same network, unless the user chose a domain."""
    if 'ROS_DOMAIN_ID' not in os.environ:
        os.environ['ROS_DOMAIN_ID'] = str(random.SystemRandom().randint(1, 100))
        os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
        console.print(f'watch it with ROS_DOMAIN_ID={os.environ["ROS_DOMAIN_ID"]} ros2 topic list')


@contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """
    Let SIGTERM, and SIGHUP of a closed terminal, unwind the stack as Ctrl-C does by default.

    So context managers end their children. A SIGHUP that is ignored, as under nohup, stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {
        kind: signal.signal(kind, interrupt)
        for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(kind) != signal.SIG_IGN
    }
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def _run_bound(parent: int, module: str) -> None:
    """Become a node that is terminated when the process that started it ends."""
    prctl = getattr(ctypes.CDLL(None), 'prctl', None)
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == parent:  # else it has ended already
        runpy.run_module(module, run_name='__main__', alter_sys=True)


if __name__ == '__main__':
    given_parent, given_module = sys.argv[1:3]
    del sys.argv[1:3]
    _run_bound(int(given_parent), given_module)
