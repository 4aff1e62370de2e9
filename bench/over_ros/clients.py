# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Faults of clients: killed and stopped in the midst of an answer, goals canceled in any phase."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from livevlm_bench.over_ros.asker import LOST_S, QUESTION
from livevlm_bench.over_ros.caller import ANSWERED, HEARD, SPOKEN
from livevlm_bench.over_ros.fault import ANSWERS, REPLY, FaultClass, Untold
from livevlm_bench.over_ros.process import stopped
from livevlm_bench.over_ros.rig import Rig
from livevlm_ros.engine.messages import Phase

CANCELED_S = 1.0
"""Until a canceled goal has its result, on a busy machine; 0.2 s are promised on an idle one."""


def client_faults() -> list[FaultClass]:
    """Return the classes of clients that end or stand still."""
    return [
        FaultClass('goal-canceled', 80, _cancel),
        FaultClass('client-stopped', 10, _stop),
        FaultClass('client-killed', 10, _kill),
    ]


def _cancel(rig: Rig, draw: Random) -> str:
    """Cancel a goal when it has come to a phase; one that is past it has its answer."""
    phase, reached = draw.choice(tuple(Phase)), threading.Event()

    def hear(feedback: Any) -> None:
        if feedback.phase >= phase:
            reached.set()

    before = rig.client.stream(QUESTION, lambda feedback: None, budget_s=1.0, **SPOKEN)
    asked = rig.client.stream(QUESTION, hear, budget_s=5.0, **SPOKEN)
    reached.wait(LOST_S)
    canceled_s = time.monotonic()
    asked.cancel()
    result = asked.wait(LOST_S)
    took_s = time.monotonic() - canceled_s
    before.cancel()
    if result is None or before.wait(LOST_S) is None:
        raise Untold(f'a goal canceled while {phase.name} has no result')
    if took_s > CANCELED_S:
        raise Untold(f'a goal canceled while {phase.name} had its result after {took_s:.2f} s')
    return REPLY


def _stop(rig: Rig, draw: Random) -> str:
    with _caller(draw) as (caller, name):
        with stopped(caller.pid):
            time.sleep(draw.uniform(0.1, 1.0))
        _hear(caller, ANSWERED)
    return _answered(rig, name)


def _kill(rig: Rig, draw: Random) -> str:
    with _caller(draw) as (_, name):
        time.sleep(draw.uniform(0.0, 0.3))
    return _answered(rig, name)


def _answered(rig: Rig, name: str) -> str:
    """Wait until every question of a client that is gone has its end."""
    rig.until(lambda: name in rig.answered, 'the question of a client that is gone ends')
    return ANSWERS


@contextmanager
def _caller(draw: Random) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Give a client that hears an answer, and its name; it is killed at the end of the block."""
    name = f'caller {draw.getrandbits(64):x}'
    command = [sys.executable, '-m', 'livevlm_bench.over_ros.caller', name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as caller:
        try:
            _hear(caller, HEARD)
            yield caller, name
        finally:
            caller.send_signal(signal.SIGKILL)


def _hear(caller: subprocess.Popen[str], word: str) -> None:
    assert caller.stdout is not None
    for line in caller.stdout:
        if line.strip() == word:
            return
    raise Untold(f'a client ended before it said {word!r}')
