# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`livevlm ask`: asks a running node one question and prints what it says and on what grounds."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from livevlm_ros.engine.messages import ANSWERED, Phase, Status
from livevlm_ros.node.client import Client, not_found
from livevlm_ros.node.conversions import pose_of, to_duration, to_time
from livevlm_ros.plain import plain

REPLY_MARGIN_S = 5.0  # for the middleware, beyond the budget
LONGEST_DEFAULT_S = 60.0  # to wait when the node chooses the budget
CANCEL_S = 2.0  # to wait for what has been said, after Ctrl-C
PIPED_WIDTH = 1000  # columns where no terminal sets a limit

UNANSWERED_CODE, INTERRUPTED_CODE = 1, 130


@dataclass(frozen=True)
class Wish:
    """
    What to ask, and how to show the reply.

    :param fields: of the `Ask` request beside the question; seconds where it has a duration,
        nanoseconds where it has a time
    :param namespace: of the node, such as robot1
    :param evidence: folder that gets the evidence frames as jpeg files
    :param as_json: print one JSON object instead of a table
    :param stream: print the answer as it grows
    :param timeout_s: seconds to wait for the node to be found
    """

    question: str
    fields: dict[str, Any] = field(default_factory=dict)
    namespace: str = ''
    evidence: Path | None = None
    as_json: bool = False
    stream: bool = False
    timeout_s: float = 5.0

    @property
    def request(self) -> dict[str, Any]:
        """The fields of the request as ROS has them."""
        given = {name: _message(name, value) for name, value in self.fields.items()}
        return {**given, 'attach_evidence_images': self.evidence is not None}

    @property
    def patience_s(self) -> float:
        """Longest time to wait for the reply."""
        return (self.fields.get('latency_budget') or LONGEST_DEFAULT_S) + REPLY_MARGIN_S


def ask(wish: Wish) -> int:
    """
    Ask a running node and print its reply.

    :returns: exit code: 0 for an answer, 1 for none, 130 after Ctrl-C
    """
    with Client(namespace=wish.namespace) as client:
        found = client.wait_for_stream_server if wish.stream else client.wait_for_server
        if not found(wish.timeout_s):
            return _fail(not_found(client.service, wish.timeout_s))
        try:
            response = _streamed(client, wish) if wish.stream else _asked(client, wish)
        except KeyboardInterrupt:
            return INTERRUPTED_CODE
    if response is None:
        return _fail(f'{client.service} did not reply in time: did the node end?')
    return _show(response, wish)


def _asked(client: Client, wish: Wish) -> Any | None:
    return client.send(wish.question, **wish.request).wait(wish.patience_s)


def _streamed(client: Client, wish: Wish) -> Any | None:
    """Print the answer as it grows; after Ctrl-C the result is what has been said."""
    heard = Hearing(as_json=wish.as_json)
    stream = client.stream(wish.question, heard.on_feedback, **wish.request)
    try:
        result = stream.wait(wish.patience_s)
    except KeyboardInterrupt:
        stream.cancel()
        result = stream.wait(CANCEL_S)
    if result is not None:
        heard.end(result)
    return result


class Hearing:
    """Prints the pieces of an answer: as they are, or as JSON, one object a line."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._text = ''

    def on_feedback(self, feedback: Any) -> None:
        """Print what is new."""
        if self._as_json:
            told = {'phase': Phase(feedback.phase).name, 'delta': feedback.delta}
            print(json.dumps(told), flush=True)
        else:
            print(plain(feedback.delta), end='', flush=True)
        self._text += feedback.delta

    def end(self, result: Any) -> None:
        """Print what the feedback did not bring, and end the line."""
        if self._as_json:
            return
        rest = result.answer.removeprefix(self._text)
        if self._text or rest:
            print(plain(rest), flush=True)


def to_dict(response: Any) -> dict[str, Any]:
    """Return what matters of an `Ask` response; times in seconds, ages in seconds before asked."""
    asked_at_s = _seconds(response.asked_at)
    return {
        'status': Status(response.status).name,
        'message': response.status_message,
        'request_id': response.request_id,
        'answer': response.answer,
        'choice_index': response.choice_index,
        'confidence': round(response.confidence, 4),
        'evidence': [
            {
                'camera': found.camera,
                'stamp': _seconds(found.header.stamp),
                'age': round(asked_at_s - _seconds(found.header.stamp), 3),
                'score': round(found.score, 4),
                'pose': pose_of(found),
            }
            for found in response.evidence
        ],
        'truncated': response.truncated,
        'asked_at': asked_at_s,
        'newest_frame': _seconds(response.newest_frame),
        'frames_considered': response.frames_considered,
        'total_ms': round(response.latency.total_ms, 3),
        'budget_ms': round(response.latency.budget_ms, 3),
        'retry_after': _seconds(response.retry_after),
        'model': response.model_id,
    }


def _show(response: Any, wish: Wish) -> int:
    """Print a reply and return the exit code that goes with it."""
    answer, status = to_dict(response), Status(response.status)
    if wish.evidence is not None:
        _save_evidence(response, answer, wish.evidence)
    if wish.as_json:
        print(json.dumps(answer, indent=None if wish.stream else 2, allow_nan=False))
    elif status in ANSWERED or answer['answer']:
        _print_answer(answer, heard=wish.stream)
    else:
        _fail(f'{status.name}: {plain(answer["message"])}')
    if status is Status.CANCELED:
        return INTERRUPTED_CODE
    return 0 if status in ANSWERED else UNANSWERED_CODE


def _print_answer(answer: dict[str, Any], *, heard: bool) -> None:
    """
    Print an answer with its evidence.

    :param heard: the answer itself was printed as it grew
    """
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
    if not heard:
        console.print(Text(plain(answer['answer']), 'bold'))
    if answer['message']:
        console.print(Text(plain(answer['message'])))
    if answer['evidence']:
        table = Table()
        for column in ('camera', 'age', 'stamp', 'share', 'place', 'file'):
            table.add_column(column, overflow='fold')
        for found in answer['evidence']:
            table.add_row(
                Text(plain(found['camera'])),
                f'{found["age"]:.1f} s',
                f'{found["stamp"]:.3f}',
                f'{found["score"]:.0%}',
                found['pose'].place() if found['pose'] else '',
                Text(found.get('file', '')),
            )
        console.print(table)
    console.print(
        Text(
            f'confidence {answer["confidence"]:.2f}, {answer["frames_considered"]} frames, '
            f'{answer["total_ms"]:.0f} ms of {answer["budget_ms"]:.0f} ms, '
            f'{plain(answer["model"])}',
            'dim',
        )
    )


def _save_evidence(response: Any, answer: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shown = zip(response.evidence, answer['evidence'], strict=True)
    for place, (found, entry) in enumerate(shown, 1):
        if found.thumbnail.data:
            camera = re.sub(r'[^\w.-]', '_', found.camera)
            file = folder / f'evidence_{place}_{camera}.jpg'
            file.write_bytes(bytes(found.thumbnail.data))
            entry['file'] = str(file)


def _message(name: str, value: Any) -> Any:
    """Return a field's value as ROS has it."""
    if name in ('latency_budget', 'lookback'):
        return to_duration(value)
    if name in ('time_start', 'time_end', 'as_of'):
        return to_time(value)
    return value


def _seconds(time: Any) -> float:
    return float(time.sec) + time.nanosec * 1e-9


def _fail(message: str) -> int:
    print(f'livevlm ask: {message}', file=sys.stderr)
    return UNANSWERED_CODE
