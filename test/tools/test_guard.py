# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who is let in, to the page and to what agents use, asked over the ASGI interface."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse

from livevlm_ros.tools.guard import ANOTHER_NAME, ANOTHER_SITE, NO_TOKEN, Guard

HERE = 'localhost:8095'
SWITCHED, CLOSED = 101, 403


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope['type'] == 'websocket':
        return await send({'type': 'websocket.accept'})
    await PlainTextResponse('here it is')(scope, receive, send)


def page_guard(token: str) -> Any:
    from livevlm_ros.tools.view.page_guard import PageGuard

    return PageGuard(app, host='robot', port=8095, token=token)


def agent_guard(token: str) -> Any:
    http_server = pytest.importorskip('livevlm_ros.tools.http_server')
    return http_server.guarded(app, host='robot', token=token)


guards = pytest.mark.parametrize('guard', [page_guard, agent_guard])


def asked(
    guard: Callable[[str], Any],
    *,
    token: str = '',
    kind: str = 'http',
    query: str = '',
    **headers: str,
) -> tuple[int, dict[str, str]]:
    """Ask an application; return status and headers, of a WebSocket 101 or 403."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {'type': f'{kind}.request'}

    scope = {
        'type': kind,
        'method': 'GET',
        'path': '/',
        'query_string': query.encode(),
        'headers': [(name.encode(), text.encode()) for name, text in headers.items()],
    }
    asyncio.run(guard(token)(scope, receive, send))
    if kind == 'websocket':
        return (SWITCHED if sent[0]['type'] == 'websocket.accept' else CLOSED), {}
    found = {name.decode(): text.decode() for name, text in sent[0]['headers']}
    return sent[0]['status'], found


@guards
@pytest.mark.parametrize('kind', ['http', 'websocket'])
@pytest.mark.parametrize(
    'host',
    [
        'localhost',
        HERE,
        '127.0.0.1:8095',
        '192.168.1.7:8095',
        '[::1]:8095',
        '[fe80::1]',
        'robot:8095',
        'ROBOT.local:8095',
        f'{socket.gethostname()}:8095',
    ],
)
def test_addresses_and_names_of_this_machine_are_let_in(guard: Any, kind: str, host: str) -> None:
    assert asked(guard, kind=kind, host=host)[0] in (200, SWITCHED)


@guards
@pytest.mark.parametrize('host', ['evil.example', 'localhost.evil.example:8095', '', 'a:b:c', ':'])
def test_a_foreign_name_that_points_here_is_refused(guard: Any, host: str) -> None:
    assert asked(guard, host=host)[0] == ANOTHER_NAME
    assert asked(guard, kind='websocket', host=host)[0] == CLOSED


@guards
@pytest.mark.parametrize(
    'origin', ['http://evil.example', 'http://localhost:9999', 'null', 'http://localhost']
)
def test_a_foreign_origin_is_refused(guard: Any, origin: str) -> None:
    assert asked(guard, host=HERE, origin=origin)[0] == ANOTHER_SITE
    assert asked(guard, kind='websocket', host=HERE, origin=origin)[0] == CLOSED


@guards
@pytest.mark.parametrize('scheme', ['http', 'https'])
def test_what_comes_from_here_is_let_in(guard: Any, scheme: str) -> None:
    assert asked(guard, host=HERE, origin=f'{scheme}://{HERE}')[0] == 200
    assert asked(guard, kind='websocket', host=HERE, origin=f'{scheme}://{HERE}')[0] == SWITCHED


@guards
@pytest.mark.parametrize('host', [HERE, 'robot.lan:8095'])
def test_where_a_token_is_asked_for_the_name_is_free_and_the_origin_is_not(
    guard: Any, host: str
) -> None:
    shown = {'query': 'token=secret', 'authorization': 'Bearer secret'}
    assert asked(guard, token='secret', host=host)[0] == NO_TOKEN
    assert asked(guard, token='secret', host=host, **shown)[0] == 200
    foreign = {'origin': 'http://evil.example', **shown}
    assert asked(guard, token='secret', host=host, **foreign)[0] == ANOTHER_SITE


def test_what_begins_and_ends_with_the_server_passes() -> None:
    passed: list[str] = []

    async def lifespan(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope['type'])

    def shown(request: HTTPConnection) -> bytes:
        return b''

    guard = Guard(lifespan, host='', token='secret', shown=shown, refuse=lambda *_: None)  # type: ignore[arg-type, return-value]
    asyncio.run(guard({'type': 'lifespan'}, None, None))  # type: ignore[arg-type]
    assert passed == ['lifespan']
