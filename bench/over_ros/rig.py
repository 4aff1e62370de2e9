# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node under trial in a process of its own, with what it is shown, asked and told."""

from __future__ import annotations

import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from transformers.utils import logging

from livevlm_bench.over_ros.asker import Asker
from livevlm_bench.over_ros.breakable import ORDERS
from livevlm_bench.over_ros.fault import Untold
from livevlm_bench.over_ros.sensors import JPEG, RAW, STEADY, STRICT, Sensors
from livevlm_interfaces.msg import AnswerRecord, MemoryEvent
from livevlm_ros.engine.events import EventKind
from livevlm_ros.node.children import Children
from livevlm_ros.node.diagnostics import OK
from livevlm_ros.node.memory_client import MemoryClient
from livevlm_ros.training.checkpoint import build_model, save_checkpoint

START_S = 180.0
TOLD_S = 20.0
"""Until what takes well under a second on an idle machine must be told."""

SETTLED_FRAMES = 40
ARCHIVE_BYTES = 4_000_000
SNAPSHOTS = 'snapshots'  # of the folder of a trial: where the node saves its memory


class Rig:
    """
    A node of random weights, whose stages may be broken, with cameras and a client that asks.

    :param folder: for its checkpoint, snapshots and orders
    """

    def __init__(self, folder: Path, *, seed: int) -> None:
        self.snapshots, self.orders = folder / SNAPSHOTS, folder / 'orders'
        self._checkpoint, self._seed = folder / 'checkpoint', seed
        self._events: Counter[tuple[int, str]] = Counter()
        self.answered: set[str] = set()
        """First words of the names of questions that have ended, before a slash."""
        self._open = ExitStack()
        self.node: subprocess.Popen[bytes]
        self.children: Children
        self.client: MemoryClient
        self.sensors: Sensors
        self.asker: Asker

    def __enter__(self) -> Rig:
        with self._open as unless_ready:
            self._begin(unless_ready)
            self._open = unless_ready.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._open.close()

    def _begin(self, stack: ExitStack) -> None:
        for folder in (self.snapshots, self.orders):
            folder.mkdir()
        logging.disable_progress_bar()
        save_checkpoint(build_model(self._seed), self._checkpoint)
        os.environ[ORDERS] = str(self.orders)
        self.children = stack.enter_context(Children())
        self.node = self.children.start('livevlm_bench.over_ros.breakable', self._parameters())
        self.client = stack.enter_context(MemoryClient())
        self.client.hear(MemoryEvent, 'events', self._on_event)
        self.client.hear(AnswerRecord, 'answers', self._on_answer)
        self.sensors = stack.enter_context(Sensors())
        self.until(lambda: self.level(f'camera/{STEADY}') == OK, 'the node is ready', START_S)
        self.asker = stack.enter_context(Asker(self.client, seed=self._seed))
        self.until(
            lambda: self.number('memory', 'frames') >= SETTLED_FRAMES,
            'the memory has filled',
            START_S,
        )

    def _parameters(self) -> Mapping[str, Any]:
        strict = f'qos_overrides./{STRICT}/image_raw.subscription.reliability'
        return {
            'camera_names': f'[{STEADY}, {RAW}, {JPEG}, {STRICT}]',
            f'cameras.{RAW}.transport': 'raw',
            f'cameras.{JPEG}.transport': 'compressed',
            f'cameras.{STRICT}.transport': 'raw',
            strict: 'reliable',
            'model.path': self._checkpoint,
            'ingest.target_fps': 20.0,
            'memory.path': self.snapshots,
            'memory.snapshot': True,
            'memory.autosave_s': 0.5,
            'memory.archive_host_bytes': ARCHIVE_BYTES,
            'ask.min_confidence': 0.0,
            'diagnostics.period': 0.1,
        }

    # What the node says.

    def level(self, task: str) -> bytes | None:
        """Return the level of a task in the newest diagnostics."""
        return getattr(self.client.status(task), 'level', None)

    def message(self, task: str) -> str:
        """Return what the newest diagnostics say of a task."""
        return getattr(self.client.status(task), 'message', '')

    def number(self, task: str, key: str) -> float:
        """Return a value of the newest diagnostics, 0 where there is none."""
        values = getattr(self.client.status(task), 'values', ())
        return next((float(each.value) for each in values if each.key == key), 0.0)

    def heard(self, kind: EventKind, camera: str = '') -> int:
        """Return how many events of a kind have come."""
        return self._events[int(kind), camera]

    def until(self, condition: Callable[[], bool], what: str, patience_s: float = TOLD_S) -> None:
        """
        Wait until something is so.

        :raises Untold: if it is not in time
        :raises ChildDied: if the node has ended
        """
        ends_s = time.monotonic() + patience_s
        while not condition():
            self.check()
            if time.monotonic() > ends_s:
                raise Untold(f'not within {patience_s:g} s: {what}')
            time.sleep(0.01)

    @contextmanager
    def grows(self, task: str, key: str) -> Iterator[None]:
        """
        Wait after a block until a count in the diagnostics is above what it was before.

        :raises Untold: if it is not in time
        """
        before = self.number(task, key)
        yield
        self.until(lambda: self.number(task, key) > before, f'{task}: {key} grows')

    def check(self) -> None:
        """Raise `ChildDied` if the node has ended."""
        if self.node.poll() is not None:
            self.children.check()

    def _on_event(self, event: Any) -> None:
        self._events[event.type, event.camera] += 1

    def _on_answer(self, record: Any) -> None:
        self.answered.add(record.request_id.partition('/')[0])
