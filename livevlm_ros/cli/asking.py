# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command that asks a running node."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from livevlm_ros.cli.options import AsJson
from livevlm_ros.terminal import duration_s, time_ns


class ScopeName(StrEnum):
    """`Scope` as it is typed."""

    AUTO = 'auto'
    NOW = 'now'
    SHORT_TERM = 'short-term'
    LONG_TERM = 'long-term'
    ALL = 'all'


class PriorityName(StrEnum):
    """`Priority` as it is typed."""

    NORMAL = 'normal'
    HIGH = 'high'


def ask(
    question: Annotated[str, typer.Argument(help='The question, in words.')],
    stream: Annotated[
        bool, typer.Option('--stream', help='Print the answer as it grows; Ctrl-C cancels it.')
    ] = False,
    budget: Annotated[str, typer.Option(help='Time the reply may take, such as 2s.')] = '',
    cameras: Annotated[
        list[str] | None, typer.Option('--camera', help='Only this camera; repeatable.')
    ] = None,
    lookback: Annotated[str, typer.Option(help='Only frames this recent, such as 5m.')] = '',
    begin: Annotated[
        str,
        typer.Option('--from', help='Only frames from this time on.'),
    ] = '',
    end: Annotated[str, typer.Option('--to', help='Only frames up to this time.')] = '',
    as_of: Annotated[str, typer.Option(help='Answer as if asked at this time.')] = '',
    scope: Annotated[
        ScopeName,
        typer.Option(
            metavar='<scope>',
            help='Part of the memory: auto, now, short-term, long-term or all.',
        ),
    ] = ScopeName.AUTO,
    choices: Annotated[str, typer.Option(help='Possible answers, with commas between.')] = '',
    priority: Annotated[
        PriorityName, typer.Option(help='high goes before questions that wait.')
    ] = PriorityName.NORMAL,
    max_tokens: Annotated[
        int, typer.Option(min=0, show_default=False, help='Longest answer, in tokens.')
    ] = 0,
    temperature: Annotated[
        float | None, typer.Option(min=0.0, help='Randomness of the answer.')
    ] = None,
    partial: Annotated[
        bool,
        typer.Option(
            '--partial/--no-partial', help='When the budget ends: what has been said, or nothing.'
        ),
    ] = True,
    max_evidence: Annotated[
        int, typer.Option(min=0, max=255, show_default=False, help='Most evidence frames.')
    ] = 0,
    evidence: Annotated[
        Path | None, typer.Option(help='Folder for the evidence frames as jpegs.')
    ] = None,
    request_id: Annotated[str, typer.Option(help='Echoed in the reply.')] = '',
    namespace: Annotated[str, typer.Option(help='Namespace of the node.')] = '',
    timeout: Annotated[float, typer.Option(help='Seconds to look for the node.')] = 5.0,
    as_json: AsJson = False,
) -> None:
    """
    Ask a running node and print the answer with its evidence.

    What is not given is the node's to choose. Times are header stamps in seconds, or date and time
    of day. Exits with 1 without an answer, 130 after Ctrl-C.
    """
    from livevlm_ros.engine.messages import Priority, Scope

    fields: dict[str, Any] = {
        'latency_budget': budget and duration_s('--budget', budget),
        'cameras': cameras,
        'lookback': lookback and duration_s('--lookback', lookback),
        'time_start': begin and time_ns('--from', begin),
        'time_end': end and time_ns('--to', end),
        'as_of': as_of and time_ns('--as-of', as_of),
        'memory_scope': int(Scope[scope.name]),
        'choices': [choice.strip() for choice in choices.split(',')] if choices else None,
        'priority': int(Priority[priority.name]),
        'max_tokens': max_tokens,
        'temperature': temperature,
        'max_evidence': max_evidence,
        'allow_partial': partial,
        'request_id': request_id,
    }

    from livevlm_ros.node.ask_client import Wish
    from livevlm_ros.node.ask_client import ask as ask_node

    wish = Wish(
        question,
        fields={name: value for name, value in fields.items() if value not in (None, '')},
        namespace=namespace,
        evidence=evidence,
        as_json=as_json,
        stream=stream,
        timeout_s=timeout,
    )
    raise typer.Exit(ask_node(wish))
