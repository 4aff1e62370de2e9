# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Set-up on a machine that lacks something says what was found, what is needed and what to do."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

COMMANDS = ('bash', 'env', 'uname')


class Machine:
    """A machine with a few commands; others may be made up."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder
        for name in COMMANDS:
            found = shutil.which(name)
            assert found
            (folder / name).symlink_to(found)
        self.has('uname', 'echo Linux x86_64')

    def has(self, command: str, script: str = '') -> None:
        """Add a command that does what the script says."""
        file = self.bin / command
        file.unlink(missing_ok=True)
        file.write_text(f'#!/bin/sh\n{script}\n', encoding='utf-8')
        file.chmod(0o755)

    def has_python(self, version: str, *, without: str = 'nothing') -> None:
        """Add a Python that cannot do what mentions `without`."""
        answers = f'*"{without}"*) exit 1;; *version_info*) echo {version};;'
        self.has(f'python{version}', f'case "$2" in {answers} esac')

    def find_python(self, root: Path) -> subprocess.CompletedProcess[str]:
        """Run .ci/find_python with these commands only."""
        return subprocess.run(
            [str(self.bin / 'bash'), str(root / '.ci/find_python')],
            env={'PATH': str(self.bin)},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a Linux machine with a compiler and no Python."""
    made = Machine(tmp_path)
    made.has('c++')
    return made


def test_the_tested_python_is_preferred(machine: Machine, root: Path) -> None:
    machine.has_python('3.12')
    machine.has_python('3.11')
    answer = machine.find_python(root)
    assert (answer.returncode, answer.stderr) == (0, '')
    assert answer.stdout == f'{machine.bin}/python3.11\n'


def test_a_newer_python_is_taken_and_said_to_be_untested(machine: Machine, root: Path) -> None:
    machine.has_python('3.12')
    answer = machine.find_python(root)
    assert answer.stdout == f'{machine.bin}/python3.12\n'
    assert 'tested with 3.11' in answer.stderr


def test_an_old_python_is_named_and_refused(machine: Machine, root: Path) -> None:
    machine.has('python3', 'echo 3.9')
    answer = machine.find_python(root)
    assert answer.returncode == 1
    assert answer.stdout == ''
    assert 'python3 is 3.9' in answer.stderr
    assert 'apt-get install python3.11' in answer.stderr


@pytest.mark.parametrize('part', ['venv', 'Python.h'])
def test_an_incomplete_python_is_named(machine: Machine, root: Path, part: str) -> None:
    machine.has_python('3.11', without=part)
    answer = machine.find_python(root)
    assert answer.returncode == 1
    assert part in answer.stderr
    assert 'apt-get install python3.11-venv python3.11-dev' in answer.stderr


def test_a_missing_compiler_is_named(machine: Machine, root: Path) -> None:
    machine.has_python('3.11')
    os.unlink(machine.bin / 'c++')
    answer = machine.find_python(root)
    assert answer.returncode == 1
    assert 'no C++ compiler' in answer.stderr
    assert 'g++' in answer.stderr


def test_another_processor_is_sent_to_colcon(machine: Machine, root: Path) -> None:
    machine.has('uname', 'echo Linux aarch64')
    answer = machine.find_python(root)
    assert answer.returncode == 1
    assert 'colcon build' in answer.stderr
