# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`livevlm ask`: asks a running node one question and prints what it says and on what grounds."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from livevlm_ros.engine.messages import Status
from livevlm_ros.node.client import Client

REPLY_MARGIN_S = 5.0  # for the middleware, beyond the budget
LONGEST_DEFAULT_S = 60.0  # to wait when the node chooses the budget
PIPED_WIDTH = 1000  # columns where no terminal sets a limit


def ask(
    question: str,
    *,
    namespace: str = '',
    budget_s: float | None = None,
    thumbnails: Path | None = None,
    as_json: bool = False,
    timeout_s: float = 5.0,
) -> int:
    """
    Ask a running node.

    :param namespace: of the node, such as robot1
    :param budget_s: seconds to the reply; None: the node's default
    :param thumbnails: folder that gets the evidence frames as jpeg files
    :param as_json: print one JSON object instead of a table
    :param timeout_s: seconds to wait for the node to be found
    :returns: exit code, 0 for an answer
    """
    with Client(namespace=namespace) as client:
        if not client.wait_for_server(timeout_s):
            return _fail(
                f'no node serves {client.service} after {timeout_s:g} s: start one with '
                '`ros2 launch livevlm_ros camera.launch.py` or livevlm_node, and compare '
                'ROS_DOMAIN_ID and the namespace'
            )
        reply = client.send(
            question, budget_s=budget_s or 0.0, attach_evidence_images=thumbnails is not None
        )
        response = reply.wait((budget_s or LONGEST_DEFAULT_S) + REPLY_MARGIN_S)
    if response is None:
        return _fail(f'{client.service} did not reply in time: did the node end?')
    answer = to_dict(response)
    if thumbnails is not None:
        _save_thumbnails(response, answer, thumbnails)
    if as_json:
        print(json.dumps(answer, indent=2, allow_nan=False))
    else:
        _show(answer)
    return 0 if response.status in (Status.OK, Status.PARTIAL) else 1


def to_dict(response: Any) -> dict[str, Any]:
    """Return what matters of an `Ask` response; times in seconds, ages in seconds before asked."""
    asked_at_s = _seconds(response.asked_at)
    return {
        'status': Status(response.status).name,
        'message': response.status_message,
        'answer': response.answer,
        'confidence': round(response.confidence, 4),
        'evidence': [
            {
                'camera': found.camera,
                'stamp': _seconds(found.header.stamp),
                'age': round(asked_at_s - _seconds(found.header.stamp), 3),
                'score': round(found.score, 4),
            }
            for found in response.evidence
        ],
        'truncated': response.truncated,
        'asked_at': asked_at_s,
        'newest_frame': _seconds(response.newest_frame),
        'frames_considered': response.frames_considered,
        'total_ms': round(response.latency.total_ms, 3),
        'budget_ms': round(response.latency.budget_ms, 3),
        'model': response.model_id,
    }


def _seconds(stamp: Any) -> float:
    return float(stamp.sec) + stamp.nanosec * 1e-9


def _save_thumbnails(response: Any, answer: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for place, (found, shown) in enumerate(
        zip(response.evidence, answer['evidence'], strict=True)
    ):
        if found.thumbnail.data:
            file = folder / f'evidence_{place + 1}_{found.camera}.jpg'
            file.write_bytes(bytes(found.thumbnail.data))
            shown['file'] = str(file)


def _show(answer: dict[str, Any]) -> None:
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
    console.print(Text(answer['answer'] or answer['status'], 'bold'))
    if answer['message']:
        console.print(Text(answer['message']))
    if answer['evidence']:
        table = Table()
        for column in ('camera', 'age', 'stamp', 'share', 'file'):
            table.add_column(column, overflow='fold')
        for found in answer['evidence']:
            table.add_row(
                found['camera'],
                f'{found["age"]:.1f} s',
                f'{found["stamp"]:.3f}',
                f'{found["score"]:.0%}',
                Text(found.get('file', '')),
            )
        console.print(table)
    console.print(
        Text(
            f'confidence {answer["confidence"]:.2f}, {answer["frames_considered"]} frames, '
            f'{answer["total_ms"]:.0f} ms of {answer["budget_ms"]:.0f} ms, {answer["model"]}',
            'dim',
        )
    )


def _fail(message: str) -> int:
    print(f'livevlm ask: {message}', file=sys.stderr)
    return 1
