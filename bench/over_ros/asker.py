# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A client that asks without pause, and notes how long it waited."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from random import Random
from typing import NamedTuple

from livevlm_ros.node.client import Client

QUESTION = 'what color was the car ?'
LEAST_S, MOST_S = 0.1, 2.0
PAUSE_S = 0.05
LOST_S = 20.0
"""After which a reply is held to be lost."""


class Waits(NamedTuple):
    """
    What a client waited for its replies.

    :param asked: questions
    :param lost: those without a reply
    :param over_s: the longest wait beyond a budget; below 0: none was
    :param over_at_node_s: the same by the node's clock, without the way there and back
    """

    asked: int
    lost: int
    over_s: float
    over_at_node_s: float


class Asker:
    """
    Asks questions with random budgets, one after another, in a thread of its own.

    The time in which the node is kept from working from outside is on nobody's budget; see
    `excused`.
    """

    def __init__(self, client: Client, *, seed: int) -> None:
        self._client = client
        self._draw = Random(seed)
        self._excused: list[tuple[float, float]] = []
        self._over_s: list[tuple[float, float]] = []
        self._asked = self._lost = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name='asker', daemon=True)

    def __enter__(self) -> Asker:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._ended.set()
        self._thread.join()

    @contextmanager
    def excused(self) -> Iterator[None]:
        """Count no wait for as long as a block."""
        began_s = time.monotonic()
        try:
            yield
        finally:
            self._excused.append((began_s, time.monotonic()))

    def take(self) -> Waits:
        """Return what was waited since the last call."""
        with self._lock:
            over_s = zip(*self._over_s, strict=True) if self._over_s else ((-inf,), (-inf,))
            found = Waits(self._asked, self._lost, *map(max, over_s))
            self._asked = self._lost = 0
            self._over_s.clear()
        return found

    def _run(self) -> None:
        while not self._ended.wait(PAUSE_S):
            self._ask(LEAST_S * (MOST_S / LEAST_S) ** self._draw.random())

    def _ask(self, budget_s: float) -> None:
        sent_s = time.monotonic()
        reply = self._client.send(QUESTION, budget_s=budget_s, max_tokens=8)
        response = reply.wait(LOST_S)
        excused_s = self._excused_between(sent_s, time.monotonic())
        with self._lock:
            self._asked += 1
            if response is None:
                self._lost += not self._ended.is_set()
            else:
                at_node_s = response.latency.total_ms / 1e3
                over_s = [took_s - excused_s - budget_s for took_s in (reply.took_s, at_node_s)]
                self._over_s.append((over_s[0], over_s[1]))

    def _excused_between(self, first_s: float, last_s: float) -> float:
        spans = (min(last_s, end) - max(first_s, begin) for begin, end in list(self._excused))
        return sum(max(0.0, span) for span in spans)
