# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`livevlm doctor`: what this machine has, what is wrong with it, and what to do."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from typing import Literal

from livevlm_ros import __version__
from livevlm_ros.share import PROFILE_VARIABLE, share_file

State = Literal['ok', 'warn', 'fail']
COLORS = {'ok': 'green', 'warn': 'yellow', 'fail': 'red'}

LEAST_SHARED_MEMORY_MB = 256  # a 32 MB segment for each process that publishes or listens
OLDEST_TORCH = (2, 6)
SET_UP = 'run `make install` in the repository, or install ROS 2 and source its setup.bash'


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was looked at; `advice` says what to do unless all is well."""

    name: str
    state: State
    found: str
    advice: str = ''


def doctor(*, as_json: bool) -> int:
    """
    Look at this machine and print what it has.

    :param as_json: print JSON instead of a table
    :returns: exit code, 1 when something fails
    """
    rows = examine()
    if as_json:
        print(
            json.dumps({'version': __version__, 'checks': [asdict(row) for row in rows]}, indent=2)
        )
    else:
        _print_table(rows)
    return int(any(row.state == 'fail' for row in rows))


def examine() -> list[Row]:
    """Look at everything; a check that breaks is a failure of the thing it looks at."""
    checks: dict[str, Callable[[], Row]] = {
        'python': python,
        'ros': ros,
        'interfaces': interfaces,
        'dds profile': dds_profile,
        'shared memory': shared_memory,
        'opencv': opencv,
        'torch': torch,
        'transformers': transformers,
        'model': model,
    }
    rows = []
    for name, check in checks.items():
        try:
            rows.append(check())
        except (
            Exception
        ) as error:  # any broken installation must end up as a row, not as a traceback
            rows.append(Row(name, 'fail', f'{type(error).__name__}: {error}', SET_UP))
    return rows


def python() -> Row:
    """Look at the interpreter."""
    found = f'{platform.python_version()} in {sys.prefix}, {platform.platform()}'
    if not (3, 11) <= sys.version_info < (3, 14):
        return Row('python', 'warn', found, 'tested with Python 3.11 and 3.12')
    return Row('python', 'ok', found)


def ros() -> Row:
    """Look for rclpy, its distribution and its middleware."""
    import rclpy.utilities

    middleware = rclpy.utilities.get_rmw_implementation_identifier()
    domain = os.environ.get('ROS_DOMAIN_ID', '0')
    found = f'{_ros_distribution()}, {middleware}, domain {domain}'
    return Row('ros', 'ok', found)


def _ros_distribution() -> str:
    """Return the distribution that is sourced, or that the wheels are of."""
    if sourced := os.environ.get('ROS_DISTRO'):
        return sourced
    for package in metadata.distributions():
        if match := re.fullmatch(r'ros[-_](\w+)[-_]rclpy', package.metadata['Name'] or ''):
            return f'{match[1]} (wheels, rclpy {package.version})'
    return 'unknown distribution'


def interfaces() -> Row:
    """Look for the generated messages of livevlm_interfaces."""
    try:
        import_module('livevlm_interfaces.srv')
    except ImportError as error:
        advice = (
            'pip install ./livevlm_interfaces, or source install/setup.bash after colcon build'
        )
        return Row('interfaces', 'fail', str(error), advice)
    return Row('interfaces', 'ok', 'livevlm_interfaces.srv.Ask')


def dds_profile() -> Row:
    """Look whether raw images will get through Fast DDS."""
    import rclpy.utilities

    middleware = rclpy.utilities.get_rmw_implementation_identifier()
    if 'fastrtps' not in middleware:
        return Row('dds profile', 'ok', f'not needed by {middleware}')
    ours = share_file('config/fastdds.xml')
    chosen = os.environ.get(PROFILE_VARIABLE)
    if chosen is None:
        return Row(
            'dds profile',
            'warn',
            f'{PROFILE_VARIABLE} is not set: raw best-effort images from other programs are lost',
            f'export {PROFILE_VARIABLE}={ours} where a camera driver starts',
        )
    if not os.path.isfile(chosen):
        return Row('dds profile', 'fail', f'{chosen}: no such file', f'take {ours}')
    return Row('dds profile', 'ok', chosen)


def shared_memory() -> Row:
    """Look whether /dev/shm has room for image transport."""
    disk = os.statvfs('/dev/shm')
    total, free = (blocks * disk.f_frsize // 2**20 for blocks in (disk.f_blocks, disk.f_bavail))
    found = f'/dev/shm: {free} of {total} MB free'
    if free < LEAST_SHARED_MEMORY_MB:
        advice = f'images need {LEAST_SHARED_MEMORY_MB} MB; in Docker: --shm-size=1g or --ipc=host'
        return Row('shared memory', 'warn', found, advice)
    return Row('shared memory', 'ok', found)


def opencv() -> Row:
    """Look for OpenCV."""
    import cv2

    return Row('opencv', 'ok', str(cv2.__version__))


def torch() -> Row:
    """Look for torch and the devices it can use."""
    import torch

    threads = torch.get_num_threads()
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    found = f'{torch.__version__}; cpu with {threads} threads; cuda: {", ".join(gpus) or "none"}'
    if _numbers(torch.__version__) < OLDEST_TORCH:
        least = '.'.join(map(str, OLDEST_TORCH))
        return Row('torch', 'fail', found, f'pip install "torch>={least}"')
    return Row('torch', 'ok', found)


def transformers() -> Row:
    """Look for transformers without the seconds that importing it takes."""
    version = metadata.version('transformers')
    if _numbers(version)[0] != 5:
        return Row('transformers', 'fail', version, 'pip install "transformers>=5,<6"')
    return Row('transformers', 'ok', version)


def model() -> Row:
    """Load the embedded model."""
    from livevlm_ros.engine.horizon import size
    from livevlm_ros.model import CheckpointError, ModelConfig, load_model

    began_s = time.monotonic()
    try:
        loaded = load_model(ModelConfig())
    except CheckpointError as error:
        return Row('model', 'fail', str(error), 'reinstall livevlm_ros, or set model.path')
    seconds = time.monotonic() - began_s
    weights = f'{size(loaded.weight_bytes)} of weights in {loaded.types}'
    found = f'{loaded.model_id} on {loaded.device}, {weights}, loaded in {seconds:.1f} s'
    return Row('model', 'ok', found)


def _numbers(version: str) -> tuple[int, int]:
    """Return major and minor number of a version."""
    major, minor = re.findall(r'\d+', version)[:2]
    return int(major), int(minor)


def _print_table(rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f'livevlm_ros {__version__}')
    for column in ('check', 'state', 'found', 'what to do'):
        table.add_column(column, overflow='fold')
    for row in rows:
        state = f'[{COLORS[row.state]}]{row.state}[/]'
        table.add_row(row.name, state, escape(row.found), escape(row.advice))
    Console().print(table)
