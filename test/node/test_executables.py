# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C ends an executable from its first moment on."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

EXECUTABLES = ('livevlm_node', 'world_camera', 'bag_player', 'replay_evaluator')
# Imports wait for a word, which the test never says.
SCRIPT = """\
import sys
from importlib.abc import MetaPathFinder

class Slow(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == 'rclpy':
            print('importing', flush=True)
            sys.stdin.readline()

sys.meta_path.insert(0, Slow())
from livevlm_ros.node.executables import {name}
sys.exit({name}())
"""


@pytest.fixture
def run() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Give a starter of scripts that may wait for input."""
    running: list[subprocess.Popen[str]] = []

    def run(script: str) -> subprocess.Popen[str]:
        pipes = dict.fromkeys(('stdin', 'stdout', 'stderr'), subprocess.PIPE)
        process = subprocess.Popen([sys.executable, '-c', script], text=True, **pipes)
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.parametrize('kind', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('name', EXECUTABLES)
def test_a_signal_ends_it_in_the_middle_of_its_first_import(
    run: Any, name: str, kind: signal.Signals
) -> None:
    process = run(SCRIPT.format(name=name))
    assert process.stdout.readline() == 'importing\n'
    process.send_signal(kind)
    assert process.wait(60) == 0
    assert process.stderr.read() == ''


def test_every_console_script_of_a_node_is_such_an_executable() -> None:
    setup = (Path(__file__).resolve().parents[2] / 'setup.py').read_text(encoding='utf-8')
    for name in EXECUTABLES:
        assert f"'{name} = livevlm_ros.node.executables:{name}'" in setup
