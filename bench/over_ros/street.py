# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A running node with the embedded model, and two cameras in two streets, each a process."""

from __future__ import annotations

import subprocess
from bisect import bisect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from random import Random
from typing import Any, NamedTuple

from livevlm_ros.node.children import Children
from livevlm_ros.node.diagnostics import OK
from livevlm_ros.node.memory_client import MemoryClient
from livevlm_ros.world import AskedQuestion, World, score

SEEDS = {'left': 90_300_006, 'right': 90_300_007}
"""Seeds of the worlds, by camera."""

WORLD_S = 7200.0
FIRST_S = 10.0  # in the world, of the first question
START_S = 1000.0
CAMERA: dict[str, Any] = {
    'rate': 30.0,
    'width': 320,
    'height': 240,
    'transports': '[raw]',
    'duration': WORLD_S,
    'publish_clock': True,
    'start_stamp': START_S,
    'wait_for_subscriber': True,
}
POOL = 4000
RECENT = 40  # of the questions whose time has come, one of the newest is asked
LOAD_S, SEE_S = 180.0, 60.0
SETTLED = 3  # messages of the diagnostics after the last image


class Street:
    """
    The node's client, and what is true in the streets.

    :param node: process id
    """

    def __init__(self, client: MemoryClient, children: Children, node: int) -> None:
        self.client, self.children, self.node = client, children, node
        self.cameras: list[subprocess.Popen[bytes]] = []
        self._worlds = {name: World(seed, WORLD_S) for name, seed in SEEDS.items()}
        self._pools = {
            name: world.questions(count=POOL, at=(FIRST_S, WORLD_S - 1))
            for name, world in self._worlds.items()
        }
        self._times = {name: [q.at for q in pool] for name, pool in self._pools.items()}
        self._now_s = dict.fromkeys(SEEDS, FIRST_S)

    def draw(self, draw: Random) -> tuple[str, AskedQuestion]:
        """Draw a camera, and a question whose time came lately in its street."""
        camera = draw.choice(sorted(SEEDS))
        due = max(1, bisect(self._times[camera], self._now_s[camera]))
        return camera, draw.choice(self._pools[camera][max(0, due - RECENT) : due])

    def is_right(self, camera: str, question: AskedQuestion, response: Any) -> bool | None:
        """Score a reply at the newest frame it saw; None where nothing alone is true then."""
        seen = response.newest_frame
        at_s = seen.sec + seen.nanosec * 1e-9 - START_S
        if at_s < 0:
            return None
        self._now_s[camera] = at_s
        truth = self._worlds[camera].answers(question, at_s)
        return None if truth is None else score(response.answer, truth)

    def values(self, task: str) -> Mapping[str, str]:
        """Return what the newest diagnostics say of a task."""
        status = self.client.status(task)
        return {} if status is None else {each.key: each.value for each in status.values}

    def end(self) -> dict[str, Account]:
        """End the cameras, and return what became of the images of each."""
        for camera in self.cameras:
            camera.terminate()
        for camera in self.cameras:
            camera.wait()
        for _ in range(SETTLED):  # what had come is in the memory by then
            self.client.wait_for_news(f'camera/{min(SEEDS)}', SEE_S)
        return {name: Account.of(self.values(f'camera/{name}')) for name in SEEDS}


class Account(NamedTuple):
    """
    What became of a camera's images.

    :param callback_p99_ms: that an image held the node's callback
    """

    received: int
    frames_in: int
    frames_used: int
    frames_dropped: int
    frames_waiting: int
    callback_p99_ms: float

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Account:
        """Read it from diagnostics."""
        counts = {name: int(values[name]) for name in cls._fields[:-1]}
        return cls(**counts, callback_p99_ms=float(values['callback_p99_ms']))

    @property
    def is_whole(self) -> bool:
        """Whether each image that came is used, dropped for a reason, or waits."""
        known = self.frames_used + self.frames_dropped + self.frames_waiting
        return self.received == self.frames_in == known


@contextmanager
def street(
    parameters: Mapping[str, Any], *, module: str = 'livevlm_ros.node.main'
) -> Iterator[Street]:
    """
    Give a node that sees both streets.

    :param parameters: of the node, beside its cameras
    :param module: that is the node
    :raises ChildDied: if it ended before that
    """
    with Children() as children, MemoryClient() as client:
        names = f'[{", ".join(SEEDS)}]'
        node = children.start(module, {'camera_names': names, **parameters})
        _wait(client, children, 'ingest', LOAD_S)
        found = Street(client, children, node.pid)
        for name, seed in SEEDS.items():
            filmed = {'topic': f'{name}/image_raw', 'seed': seed}
            camera = children.start('livevlm_ros.node.world_camera', {**CAMERA, **filmed})
            found.cameras.append(camera)
        for name in SEEDS:
            client.wait_for_news(f'camera/{name}', SEE_S)
            while int(found.values(f'camera/{name}').get('frames_used', 0)) < FIRST_S:
                children.check()
                client.wait_for_news(f'camera/{name}', SEE_S)
        yield found


def _wait(client: MemoryClient, children: Children, task: str, patience_s: float) -> None:
    for _ in range(round(2 * patience_s)):
        children.check()
        if client.wait_for_status(task, OK, 0.5):
            return
    raise TimeoutError(f'{task} of the node is not well after {patience_s:g} s')
