# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every report begins with: which suite, and where and with what it was measured."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

import torch
import transformers

import livevlm_ros

CHECKOUT = Path(__file__).resolve().parents[1]
"""The repository, unless this package is installed."""


def head(suite: str, *, seed: int, threads: int, device: str = 'cpu') -> dict[str, Any]:
    """
    Say what is measured where.

    :param seed: decides what was seen and asked
    :param threads: that torch was given
    :returns: `suite`, `date`, `seed`, `machine` with its `load`, that of the last 5 minutes, and
        `versions`, with the `commit` where this is a checkout
    """
    return {
        'suite': suite,
        'date': time.strftime('%Y-%m-%d', time.gmtime()),
        'seed': seed,
        'machine': machine(threads, device),
        'versions': versions(device),
    }


def machine(threads: int, device: str) -> dict[str, Any]:
    """Describe the processor and, if it is used, the GPU."""
    found: dict[str, Any] = {
        'cpu': cpu_name(),
        'cores': os.cpu_count(),
        'threads': threads,
        'load': os.getloadavg()[1],
    }
    if device != 'cpu':
        properties = torch.cuda.get_device_properties(device)
        found |= {'device': properties.name, 'device_bytes': properties.total_memory}
    return found


def versions(device: str) -> dict[str, Any]:
    """Return the versions of what ran."""
    found = {
        'livevlm_ros': livevlm_ros.__version__,
        'commit': commit(CHECKOUT),
        'python': platform.python_version(),
        'torch': torch.__version__,
        'transformers': transformers.__version__,
    }
    if device != 'cpu':
        import triton

        found |= {'cuda': torch.version.cuda, 'triton': triton.__version__}
    return found


def cpu_name() -> str:
    """Return the processor's name; the architecture where Linux does not tell it."""
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    except OSError:
        lines = []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.machine()


def commit(folder: Path) -> str | None:
    """Return the commit of a checkout, `-dirty` if files were changed; None: it is none."""
    if not (folder / '.git').exists():
        return None
    describe = ['git', '-C', str(folder), 'describe', '--always', '--dirty', '--exclude=*']
    try:
        done = subprocess.run(describe, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
