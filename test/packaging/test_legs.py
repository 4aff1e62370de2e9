# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`make test-ros` runs where it can, and says where it cannot."""

import os
import re
import subprocess
from pathlib import Path

import pytest


def run_legs(root: Path, *legs: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(root / '.ci/test_ros'), *legs],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_leg_without_its_python_is_passed_over(root: Path) -> None:
    done = run_legs(root, 'jazzy-2.0', 'kilted-2.0')
    assert done.returncode == 0
    for leg in ('jazzy-2.0', 'kilted-2.0'):
        assert f'leg {leg} passed over: no Python 2.0 with venv and headers is here' in done.stdout


def test_a_leg_that_fails_fails_all(root: Path, tmp_path: Path) -> None:
    python = tmp_path / 'python2.0'
    python.write_text('#!/bin/sh\ncase "$1" in -c) exit 0;; *) exit 3;; esac\n', encoding='utf-8')
    python.chmod(0o755)
    path = f'{tmp_path}:{os.environ["PATH"]}'
    assert run_legs(root, 'jazzy-2.0', 'kilted-1.0', PATH=path).returncode == 1


def test_the_default_legs_have_their_packages(root: Path) -> None:
    legs = re.search(r'^LEGS \?= (.*)$', (root / 'Makefile').read_text(encoding='utf-8'), re.M)
    assert legs
    for leg in legs.group(1).split():
        assert (root / '.ci/legs' / f'{leg.partition("-")[0]}.txt').is_file()


@pytest.mark.parametrize('name', ['jazzy', 'kilted'])
def test_a_leg_brings_no_torch(root: Path, name: str) -> None:
    folder = root / '.ci/legs'
    listed = (folder / f'{name}.txt').read_text(encoding='utf-8')
    assert '-r tests.txt' in listed
    assert 'torch' not in re.sub('#.*', '', (folder / 'tests.txt').read_text(encoding='utf-8'))
