# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the node costs in each state of its lifecycle is what docs/node.md says."""

from __future__ import annotations

import array
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from lifecycle_msgs.msg import Transition
from sensor_msgs.msg import Image

from livevlm_ros.node.client import Client

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PAGE = Path(__file__).parents[2] / 'docs/node.md'
HEIGHT, WIDTH, FPS = 480, 640, 30
IMAGE_MB = HEIGHT * WIDTH * 3 / 1e6
MEASURED_S = 5.0
RAM_OFF, CPU_OFF, CPU_NOISE = 1.3, 3.0, 2.0  # factors of what the page says; percent of a core


class Costs(NamedTuple):
    """RAM in MB, CPU in percent of one core, images in MB a second."""

    ram: float
    cpu: float
    images: float


def test_each_state_costs_what_the_page_says(
    ros: Any, processes: Any, lifecycle: Any, client: Client
) -> None:
    pytest.importorskip('torch')
    node = processes.node({'autostart': False, 'model.path': 'embedded'})
    found = {}
    assert lifecycle.state() == 'unconfigured'
    with _camera(ros):
        found['unconfigured'] = _measured(node.popen.pid, client)
        assert lifecycle.change(Transition.TRANSITION_CONFIGURE)
        found['inactive'] = _measured(node.popen.pid, client)
        assert lifecycle.change(Transition.TRANSITION_ACTIVATE)
        time.sleep(MEASURED_S)  # for the first frames, which take what the memory holds
        found['active'] = _measured(node.popen.pid, client)
        assert lifecycle.change(Transition.TRANSITION_DEACTIVATE)
        assert lifecycle.change(Transition.TRANSITION_CLEANUP)
        found['unconfigured again'] = _measured(node.popen.pid, client)
    told = _told()
    assert found.keys() == told.keys()
    for state, costs in found.items():
        assert told[state].ram / RAM_OFF < costs.ram < told[state].ram * RAM_OFF, found
        assert costs.cpu < told[state].cpu * CPU_OFF + CPU_NOISE, found
        assert (costs.images > 0) == (told[state].images > 0) == (state == 'active')
    assert told['active'].images == pytest.approx(FPS * IMAGE_MB, rel=0.05)


@contextmanager
def _camera(ros: Any) -> Iterator[None]:
    """Publish raw images meanwhile."""
    driver = ros.node('driver')
    publisher = driver.create_publisher(Image, '/camera/image_raw', 1)
    image = Image(height=HEIGHT, width=WIDTH, encoding='rgb8', step=3 * WIDTH)
    image.data = array.array('B', bytes(3 * HEIGHT * WIDTH))

    def publish() -> None:
        image.header.stamp = driver.get_clock().now().to_msg()
        publisher.publish(image)

    timer = driver.create_timer(1 / FPS, publish)
    yield
    driver.destroy_timer(timer)


def _measured(pid: int, client: Client) -> Costs:
    began_s, cpu_s, received = time.monotonic(), _cpu_s(pid), _received(client)
    time.sleep(MEASURED_S)
    took_s = time.monotonic() - began_s
    images = (_received(client) - received) * IMAGE_MB / took_s
    return Costs(_ram_mb(pid), 100 * (_cpu_s(pid) - cpu_s) / took_s, images)


def _received(client: Client) -> int:
    """Return how many images the node has received; diagnostics of no camera tell of none."""
    client.wait_for_news('camera/camera', 3.0)
    values = getattr(client.status('camera/camera'), 'values', ())
    return int({each.key: each.value for each in values}.get('received', 0))


def _cpu_s(pid: int) -> float:
    fields = Path(f'/proc/{pid}/stat').read_text(encoding='utf-8').rpartition(')')[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf('SC_CLK_TCK')  # utime and stime


def _ram_mb(pid: int) -> float:
    status = Path(f'/proc/{pid}/status').read_text(encoding='utf-8')
    return int(re.search(r'^VmRSS:\s+(\d+) kB', status, re.MULTILINE)[1]) / 1e3  # type: ignore


def _told() -> dict[str, Costs]:
    """Return the table of the page."""
    text = PAGE.read_text(encoding='utf-8')
    rows = text.partition('<!-- costs -->\n')[2].partition('<!-- end of costs -->')[0].splitlines()
    cells = [row.replace('`', '').strip('|').split('|') for row in rows[2:]]
    return {
        state.strip(): Costs(*(float(cell.split()[0]) for cell in figures))
        for state, *figures in cells
    }
