# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from livevlm_ros.node.children import ChildDied, Children

CHILD = """
import pathlib, signal, threading
for kind in {ignored}:
    signal.signal(kind, signal.SIG_IGN)
pathlib.Path({name!r}).touch()
threading.Event().wait(600)
"""
IGNORED = {'idle': (), 'deaf': (int(signal.SIGINT), int(signal.SIGTERM))}
PARENT = """
import signal, sys, threading
from livevlm_ros.node.children import Children, terminate_as_interrupt
with terminate_as_interrupt(), Children() as children:
    for module in {modules}:
        children.start(module, {{}})
    threading.Event().wait(600)
"""


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a starter of a process with children; the modules lie in its folder."""
    started = []
    monkeypatch.setenv('PYTHONPATH', str(tmp_path), prepend=os.pathsep)

    def start(*modules: str) -> 'subprocess.Popen[bytes]':
        for name in modules:
            source = CHILD.format(name=name, ignored=IGNORED[name])
            (tmp_path / f'{name}.py').write_text(source, encoding='utf-8')
        process = subprocess.Popen(
            [sys.executable, '-c', PARENT.format(modules=modules)],
            cwd=tmp_path,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize('kind', [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_child_ends_with_its_parent(
    parent: Any,
    kind: signal.Signals,
    tmp_path: Path,
    eventually: Callable[..., Any],
    children_of: Callable[[int], list[int]],
    is_gone: Callable[[int], bool],
) -> None:
    process = parent('idle')
    eventually((tmp_path / 'idle').exists)
    (child,) = children_of(process.pid)
    process.send_signal(kind)
    process.wait(60)
    eventually(lambda: is_gone(child), 10)


def test_a_second_interrupt_kills_every_child_that_does_not_listen(
    parent: Any,
    tmp_path: Path,
    eventually: Callable[..., Any],
    children_of: Callable[[int], list[int]],
    is_gone: Callable[[int], bool],
) -> None:
    process = parent('deaf', 'idle')
    eventually((tmp_path / 'deaf').exists)
    eventually((tmp_path / 'idle').exists)
    deaf, idle = children_of(process.pid)
    process.send_signal(signal.SIGINT)
    eventually(lambda: is_gone(idle), 10)
    assert not is_gone(deaf)
    process.send_signal(signal.SIGINT)
    process.wait(60)
    eventually(lambda: is_gone(deaf), 10)


def test_a_child_that_ends_by_itself_is_named_with_its_last_words(
    eventually: Callable[..., Any],
) -> None:
    with Children() as family, pytest.raises(ChildDied, match='no_such_module ended with exit'):
        family.start('no_such_module', {})
        eventually(lambda: family.check())
