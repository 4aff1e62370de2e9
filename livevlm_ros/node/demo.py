# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
`livevlm demo`: the real node and the world camera in processes of their own, asked over /ask.

The world runs ten times faster than real time, with /clock and a frame per world second. Each
question is asked at its own time and scored against the truth at the newest frame its answer saw.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from livevlm_ros.engine.messages import Status
from livevlm_ros.node.ask_client import to_dict
from livevlm_ros.node.children import (
    ChildDied,
    Children,
    choose_domain,
    terminate_as_interrupt,
)
from livevlm_ros.node.client import Client
from livevlm_ros.node.diagnostics import ERROR, OK
from livevlm_ros.replay.whole_file import write_whole
from livevlm_ros.world import AskedQuestion, World, score

SPEED = 10.0  # world seconds per wall second
START_STAMP_S = 1000.0
WORLD_S = 320.0  # a world of another length is another world
QUESTIONS_S = (12.0, 255.0)  # of the world, first and last
BUDGET_S = 2.0
NEEDED = 0.85  # share of right answers
TRIES = 5  # of a question that is refused as overloaded, each after the wait it was told
PATIENCE_S = {'load': 180.0, 'world': 30.0, 'reply': BUDGET_S + 10.0}


@dataclass(frozen=True, slots=True)
class Result:
    """One question and how it was answered; times of the world in seconds."""

    question: AskedQuestion
    at: float
    answer: str
    truth: tuple[str, ...]
    right: bool
    late: bool
    status: str
    total_ms: float
    evidence_age: float | None

    def row(self) -> str:
        """Return a line of the table, in rich's markup."""
        mark = '[green]right[/]' if self.right else '[red]wrong[/]'
        age = '' if self.evidence_age is None else f'{self.evidence_age:.0f} s'
        late = ' [red]late[/]' if self.late else ''
        words = escape(
            f'{self.at:5.0f} s  {self.question.question:<46.46}  '
            f'{self.answer or self.status:<10.10}  {"/".join(self.truth):<10.10}  '
        )
        return f'{words}{mark}  {age:>8}  {self.total_ms:4.0f} ms{late}'


class DemoFailed(RuntimeError):
    """The demo could not be carried through: says where it stopped."""


def run_demo(
    *, seed: int, questions: int = 44, json_path: Path | None = None, model: str = 'embedded'
) -> int:
    """
    Run the demo and print it.

    :param seed: of the world; models never learn from these worlds
    :param json_path: file that gets every question and the summary
    :param model: weights, as in the parameter `model.path`
    :returns: 0, or 1 below 85 % right, on a late reply, or when it could not run
    """
    console = Console(highlight=False)
    choose_domain(console)
    try:
        with (
            terminate_as_interrupt(),
            Children() as children,
            Client(follows_clock=True) as client,
        ):
            _start_node(console, children, client, model)
            results = _ask_all(console, children, client, World(seed, WORLD_S), questions)
    except (ChildDied, DemoFailed) as error:
        console.print(f'demo: {error}', style='red', markup=False)
        return 1
    except KeyboardInterrupt:
        console.print('demo: interrupted')
        return 1
    summary = summarise(results)
    _print_summary(console, summary)
    if json_path is not None:
        rows = [{**asdict(result), 'question': asdict(result.question)} for result in results]
        write_whole(json_path, json.dumps({'seed': seed, **summary, 'questions': rows}, indent=2))
        console.print(f'wrote {json_path}', markup=False, highlight=False)
    return 0 if summary['rate'] >= NEEDED and not summary['late'] else 1


def _ask_all(
    console: Console, children: Children, client: Client, world: World, count: int
) -> list[Result]:
    """Start the camera and ask each question at its time; prints a line for each answer."""
    children.start(
        'livevlm_ros.node.world_camera',
        {
            'seed': world.seed,
            'duration': WORLD_S,
            'rate': SPEED,
            'speed': SPEED,
            'start_stamp': START_STAMP_S,
            'wait_for_subscriber': True,
        },
    )
    console.print(
        f'{"asked":>7}  {"question":<46}  {"answer":<10}  {"truth":<10}         evidence    reply',
        style='bold',
        soft_wrap=True,
    )
    results = []
    for question in world.questions(count=count + count // 8, at=QUESTIONS_S):
        result = _ask(children, client, world, question)
        if result is not None:
            console.print(result.row(), soft_wrap=True)
            results.append(result)
        if len(results) == count:
            break
    return results


def _start_node(console: Console, children: Children, client: Client, model: str) -> None:
    """Start the node and wait until it is active."""
    children.start(
        'livevlm_ros.node.main',
        {
            'use_sim_time': True,
            'model.path': model,
            'memory.preset': 'balanced',
            'ingest.target_fps': 1.0,
            'ask.default_budget': BUDGET_S,
        },
    )
    with console.status('starting the node') as line:
        for _ in range(round(PATIENCE_S['load'] * 2)):
            children.check()
            if client.wait_for_status('ingest', OK, 0.5):
                return
            status = client.status('model')
            if status is not None:
                line.update(escape(status.message))
            if status is not None and status.level == ERROR:
                raise DemoFailed(status.message)
    raise DemoFailed(f'the node was not ready after {PATIENCE_S["load"]:g} s')


def _ask(
    children: Children, client: Client, world: World, question: AskedQuestion
) -> Result | None:
    """Ask at the question's time; None when it has no single right answer at the newest frame."""
    if not client.wait_for_clock(START_STAMP_S + question.at, PATIENCE_S['world']):
        children.check()
        raise DemoFailed(f'the world stood still before {question.at:.0f} s')
    for _ in range(TRIES):
        response = client.send(question.question).wait(PATIENCE_S['reply'])
        if response is None or response.status != Status.OVERLOADED:
            break
        time.sleep(response.retry_after.sec + response.retry_after.nanosec * 1e-9)
    if response is None:
        children.check()
        return Result(
            question, question.at, '', question.answer, False, True, 'no reply', 0.0, None
        )
    said = to_dict(response)
    at = said['newest_frame'] - START_STAMP_S if said['newest_frame'] else question.at
    truth = world.answers(question, at)
    if truth is None:
        return None
    evidence = said['evidence']
    return Result(
        question=question,
        at=at,
        answer=said['answer'],
        truth=truth,
        right=response.status == Status.OK and score(said['answer'], truth),
        late=said['total_ms'] > said['budget_ms'],
        status=said['status'],
        total_ms=said['total_ms'],
        evidence_age=evidence[0]['age'] if evidence else None,
    )


def summarise(results: list[Result]) -> dict[str, float]:
    """Return the rate with its standard error, and what chance and the commonest answer give."""
    n = len(results)
    right = sum(result.right for result in results)
    rate = right / n if n else 0.0
    by_kind: dict[str, Counter[str]] = {}
    for result in results:
        by_kind.setdefault(result.question.type, Counter()).update(result.truth[:1])
    chance = sum(1 / len(result.question.choices) for result in results)
    majority = sum(counts.most_common(1)[0][1] for counts in by_kind.values())
    return {
        'n': n,
        'right': right,
        'rate': rate,
        'standard_error': (rate * (1 - rate) / n) ** 0.5 if n else 0.0,
        'chance': chance / n if n else 0.0,
        'majority': majority / n if n else 0.0,
        'late': sum(result.late for result in results),
        'slowest_ms': max((result.total_ms for result in results), default=0.0),
    }


def _print_summary(console: Console, summary: dict[str, float]) -> None:
    passed = summary['rate'] >= NEEDED and not summary['late']
    console.print(
        f'{summary["right"]} of {summary["n"]} right, {summary["rate"]:.1%} '
        f'(standard error {summary["standard_error"]:.1%}); {summary["late"]} late, '
        f'slowest reply {summary["slowest_ms"]:.0f} ms',
        style='bold green' if passed else 'bold red',
    )
    console.print(
        f'guessing gives {summary["chance"]:.0%}, '
        f'the commonest answer of each kind {summary["majority"]:.0%}'
    )
