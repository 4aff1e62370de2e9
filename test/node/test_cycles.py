# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

from pathlib import Path
from typing import Any

import pytest
from lifecycle_msgs.msg import Transition

CYCLES = 20
SETTLED = 5  # cycles after which nothing may grow any more
GROWTH_MB = 15  # less than the weights alone, 17 MB


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_rounds_of_every_transition_leave_the_memory_flat(
    processes: Any, lifecycle: Any
) -> None:
    node = processes.node({'autostart': False})
    processes.start('world_camera', {'width': 160, 'height': 120})
    resident = []
    for _ in range(CYCLES):
        assert lifecycle.change(Transition.TRANSITION_CONFIGURE)
        assert lifecycle.change(Transition.TRANSITION_ACTIVATE)
        assert lifecycle.change(Transition.TRANSITION_DEACTIVATE)
        assert lifecycle.change(Transition.TRANSITION_ACTIVATE)
        assert lifecycle.state() == 'active'
        assert lifecycle.change(Transition.TRANSITION_DEACTIVATE)
        assert lifecycle.change(Transition.TRANSITION_CLEANUP)
        resident.append(resident_mb(node.popen.pid))
    assert max(resident[SETTLED:]) - resident[SETTLED] < GROWTH_MB, resident
    assert threads(node.popen.pid) < 60
    code, took_s = node.interrupt()
    assert code == 0
    assert took_s < 5
    assert 'Traceback' not in node.said()


def resident_mb(pid: int) -> float:
    """Return the memory of its own that a process has touched; DDS segments are shared."""
    return int(field(pid, 'RssAnon').split()[0]) / 1024


def threads(pid: int) -> int:
    """Return how many threads a process has."""
    return int(field(pid, 'Threads'))


def field(pid: int, name: str) -> str:
    lines = Path(f'/proc/{pid}/status').read_text(encoding='utf-8').splitlines()
    return next(line.split(':', 1)[1].strip() for line in lines if line.startswith(name))
