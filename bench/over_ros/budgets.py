# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Suite `deadline-ros`: what `deadline` measures, over ROS, and then fifty clients at once.

Two cameras publish 30 raw images a second, node, cameras and client are processes of their own,
and a question's time runs by the clock of the client: what the middleware takes is in it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from rich.console import Console

from livevlm_bench.deadline import ANSWERED, Asked, counted
from livevlm_bench.over_ros.street import SEEDS, Street, street
from livevlm_bench.report_head import head
from livevlm_ros.engine import Answer, Latency, Scope, Status
from livevlm_ros.node.children import choose_domain

QUESTIONS, QUICK_QUESTIONS = 10_000, 200
BUDGETS_S = (0.1, 2.0)
CLIENTS, CROWD_S, QUICK_CROWD_S = 50, 60.0, 10.0
CROWD_BUDGETS_S = (0.5, 1.0, 2.0)
LOST_S = 20.0  # beyond its budget, after which a reply is lost

Progress = Callable[[str, float], None]


@dataclass(slots=True)
class Caller:
    """
    A client of the crowd.

    :param answered: replies with an answer
    :param early: replies that it is too early, to a client that came back when it was told to
    :param back: questions of a client that was told when to come back
    """

    budget_s: float
    asked: int = 0
    answered: int = 0
    late: int = 0
    lost: int = 0
    back: int = 0
    early: int = 0


def measure(
    *,
    questions: int = QUESTIONS,
    crowd_s: float = CROWD_S,
    progress: Progress = lambda name, share: None,
) -> dict[str, Any]:
    """
    Ask questions with random budgets one after another, then as a crowd.

    :param questions: one after another
    :param crowd_s: seconds of the crowd
    :param progress: called with what goes on and the share done, [0, 1]
    """
    choose_domain(Console(stderr=True))
    with street({'ask.min_confidence': 0.0}) as place:
        began_s = time.monotonic()
        asked, lost_s = _ask(place, questions, progress)
        took_s = time.monotonic() - began_s
        step_ms = float(place.values('model').get('step_ms', 0.0))
        progress('a crowd', 0.0)
        crowd = _crowd(place, crowd_s)
        place.children.check()
        ran_s, accounts = time.monotonic() - began_s, place.end()
    found = counted(asked, step_ms=step_ms)
    for row in found['rows']:
        low_s, high_s = row['budget_s']
        row['lost'] = sum(low_s <= budget_s <= high_s for budget_s in lost_s)
    return {
        **head('deadline-ros', seed=min(SEEDS.values()), threads=os.cpu_count() or 1),
        'frames': sum(account.received for account in accounts.values()),
        'frames_used': sum(account.frames_used for account in accounts.values()),
        'frames_per_s': sum(account.received for account in accounts.values()) / ran_s,
        'took_s': took_s,
        **found,
        'lost': len(lost_s),
        'crowd': {'seconds': crowd_s, 'clients': [asdict(caller) for caller in crowd]},
    }


def _ask(place: Street, count: int, progress: Progress) -> tuple[list[Asked], list[float]]:
    """Ask one after another; return the replies, and the budgets of those that never came."""
    draw, asked, lost_s = Random(0), [], []
    low_s, high_s = BUDGETS_S
    for number in range(count):
        budget_s = low_s * (high_s / low_s) ** draw.random()
        camera, question = place.draw(draw)
        reply = place.client.send(question.question, budget_s=budget_s, cameras=[camera])
        response = reply.wait(budget_s + LOST_S)
        if response is None:
            lost_s.append(budget_s)
            place.children.check()
        else:
            answer = _answer(response)
            right = None
            if answer.status in ANSWERED:
                right = place.is_right(camera, question, response)
            asked.append(Asked(budget_s, reply.took_s, answer, right))
        progress('asking', (number + 1) / count)
    return asked, lost_s


def _answer(response: Any) -> Answer:
    """Return what is counted of a reply."""
    latency = response.latency
    return Answer(
        Status(response.status),
        text=response.answer,
        scope_used=Scope(response.scope_used),
        degradation=response.degradation_level,
        latency=Latency(
            queue_ms=latency.queue_ms,
            ingest_wait_ms=latency.ingest_wait_ms,
            prefill_ms=latency.prefill_ms,
        ),
    )


def _crowd(place: Street, seconds: float) -> list[Caller]:
    """Let clients ask at once, each coming back when it was told to, with the same question."""
    callers = [Caller(CROWD_BUDGETS_S[number % len(CROWD_BUDGETS_S)]) for number in range(CLIENTS)]
    ends_s, drawing = time.monotonic() + seconds, threading.Lock()
    draw = Random(1)

    def live(caller: Caller) -> None:
        told = False
        while time.monotonic() < ends_s:
            if not told:
                with drawing:
                    camera, question = place.draw(draw)
            reply = place.client.send(
                question.question, budget_s=caller.budget_s, cameras=[camera]
            )
            response = reply.wait(caller.budget_s + LOST_S)
            caller.asked += 1
            caller.back += told
            if response is None:
                caller.lost += 1
                continue
            early = response.status == Status.OVERLOADED
            caller.late += reply.took_s > caller.budget_s
            caller.answered += Status(response.status) in ANSWERED
            caller.early += told and early
            told = early
            if early:
                after = response.retry_after
                time.sleep(after.sec + after.nanosec * 1e-9)

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(live, callers))
    return callers
