# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The wheel holds all that the package needs where there is no clone."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

FOLDERS = {'livevlm_ros': 'livevlm_ros', 'livevlm_kernels': 'kernels', 'livevlm_bench': 'bench'}
SHARE = 'share/livevlm_ros'
BUILT = ('setup.py', 'setup.cfg', 'pyproject.toml', 'package.xml', 'LICENSE', 'resource')
INSTALLED = ('launch', 'config', 'examples')


def files_below(folder: Path) -> Iterator[str]:
    """Give a folder's files, but for what Python compiled, by their paths in it."""
    for path in folder.rglob('*'):
        if path.is_file() and '__pycache__' not in path.parts:
            yield str(path.relative_to(folder))


@pytest.fixture(scope='module')
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZipFile]:
    """Build the wheel of a copy, where no older build lies."""
    folder = tmp_path_factory.mktemp('wheel')
    source = folder / 'source'
    source.mkdir()
    for name in (*BUILT, *INSTALLED, *FOLDERS.values()):
        copy = shutil.copytree if (root / name).is_dir() else shutil.copy
        copy(root / name, source / name)
    command = [sys.executable, '-m', 'pip', 'wheel', '--no-build-isolation', '--no-deps']
    command += ['--no-index', '--wheel-dir', str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = folder.glob('livevlm_ros-*-py3-none-any.whl')
    with ZipFile(file) as wheel:
        yield wheel


@pytest.fixture(scope='module')
def installed(wheel: ZipFile) -> set[str]:
    """Return the paths of what the wheel installs, from where each is installed."""
    return {re.sub(r'^livevlm_ros-[\d.]+\.data/data/', '', name) for name in wheel.namelist()}


def test_every_file_that_lies_beside_the_code_is_in_it(root: Path, installed: set[str]) -> None:
    for package, folder in FOLDERS.items():
        wanted = {f'{package}/{path}' for path in files_below(root / folder)}
        assert len(wanted) > 3 and wanted - installed == set()


def test_launch_files_parameters_and_examples_are_in_it(root: Path, installed: set[str]) -> None:
    for folder in INSTALLED:
        wanted = {f'{SHARE}/{folder}/{path}' for path in files_below(root / folder)}
        assert wanted and wanted - installed == set()


def test_every_shared_file_that_the_code_names_is_in_it(root: Path, installed: set[str]) -> None:
    code = '\n'.join(path.read_text('utf-8') for path in (root / 'livevlm_ros').rglob('*.py'))
    named = set(re.findall(r"share_file\('([^']+)'", code))
    assert {'config/fastdds.xml', 'package.xml'} <= named
    assert {f'{SHARE}/{path}' for path in named} - installed == set()


def test_it_is_of_every_python_that_is_allowed_and_needs_no_ray(wheel: ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith('dist-info/METADATA'))
    metadata = wheel.read(name).decode()
    assert '\nRequires-Python: >=3.11\n' in metadata
    assert not re.search(r'^Requires-Dist: ray\b', metadata, re.MULTILINE)
    assert (
        'livevlm = livevlm_ros.cli:main'
        in wheel.read(name.replace('METADATA', 'entry_points.txt')).decode()
    )
