# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A question that a viewer asks: from what the page sends to the answer that grows there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from livevlm_ros.engine.messages import Phase, Scope, Status
from livevlm_ros.node.ask_client import Wish
from livevlm_ros.node.page_client import PageClient
from livevlm_ros.node.plain_messages import answer

HEAR_EVERY_S = 0.05
MOST_CHARACTERS = 2000
MOST_S = 366 * 86400.0


class BadRequest(ValueError):
    """What a viewer sent cannot be used: names the field, what was given and expected."""


def to_wish(request: Mapping[str, Any]) -> Wish:
    """
    Return what is asked.

    :param request: question; budget and lookback in seconds, cameras, now
    :raises BadRequest: for a field that cannot be used
    """
    cameras = request.get('cameras', [])
    if not isinstance(cameras, list) or not all(isinstance(name, str) for name in cameras):
        raise BadRequest(f'cameras: got {cameras!r}, expected a list of names')
    fields = {
        'latency_budget': seconds(request, 'budget'),
        'lookback': seconds(request, 'lookback'),
        'cameras': cameras,
        'memory_scope': int(Scope.NOW if request.get('now') else Scope.AUTO),
        'allow_partial': True,
    }
    return Wish(text(request, 'question'), fields, evidence=Path())


async def ask(
    client: PageClient, wish: Wish, tell: Callable[[dict[str, Any]], None], stop: asyncio.Event
) -> None:
    """
    Ask, and tell of the answer as it grows, to its end.

    :param tell: takes the answer so far, again and again; the last time with `status`
    :param stop: ends the answer with what has been said
    """
    phase, said = Phase.QUEUED, ''

    def hear(feedback: Any) -> None:
        nonlocal phase, said
        phase, said = Phase(feedback.phase), said + feedback.delta

    until_s = time.monotonic() + wish.patience_s
    stream = client.stream(wish.question, hear, **wish.request)
    told = None
    while (result := stream.wait(0.0)) is None:
        if time.monotonic() > until_s or not client.is_alive():
            stream.cancel()
            return tell(failed(said, 'the node has not replied: did it end?'))
        if told != (phase, said):
            told = phase, said
            tell({'phase': phase.name.lower(), 'answer': said})
        if await _is_set(stop, HEAR_EVERY_S):
            stop.clear()
            stream.cancel()
    tell(answer(result))


def failed(said: str, why: str) -> dict[str, Any]:
    """Return an answer that has come to nothing."""
    return {'status': Status.ERROR.name, 'message': why, 'answer': said, 'evidence': []}


def text(request: Mapping[str, Any], field: str) -> str:
    """
    Return a text that must be there.

    :raises BadRequest: if it is not, or is too long
    """
    given = request.get(field)
    if not isinstance(given, str) or not given.strip():
        raise BadRequest(f'{field}: got none, expected some words')
    if len(given) > MOST_CHARACTERS:
        raise BadRequest(
            f'{field}: got {len(given)} characters, expected at most {MOST_CHARACTERS}'
        )
    if any('\ud800' <= character <= '\udfff' for character in given):
        raise BadRequest(f'{field}: got half a character, expected Unicode text')
    return given.strip()


def seconds(request: Mapping[str, Any], field: str) -> float:
    """
    Return a length of time; 0 where none is given.

    :raises BadRequest: for what is none
    """
    given = request.get(field) or 0
    if not isinstance(given, int | float) or not 0 <= given <= MOST_S:
        raise BadRequest(f'{field}: got {given!r}, expected seconds, 0 or more')
    return float(given)


async def _is_set(event: asyncio.Event, timeout_s: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), timeout_s)
    except TimeoutError:
        return False
    return True
