# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who is let through, asked over the ASGI interface."""

import asyncio
import socket
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from livevlm_ros.tools.view.guard import Guard

HERE = 'localhost:8095'


def asked(
    *, token: str = '', kind: str = 'http', query: str = '', **headers: str
) -> tuple[int, dict[str, str]]:
    """Ask for the page; return the status, of a WebSocket 403 where it is closed, and headers."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope['type'] == 'websocket':
            return await send({'type': 'websocket.accept'})
        await PlainTextResponse('here it is')(scope, receive, send)

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
    guard = Guard(app, host='robot', port=8095, token=token)
    asyncio.run(guard(scope, receive, send))
    if kind == 'websocket':
        return (101 if sent[0]['type'] == 'websocket.accept' else 403), {}
    found = {name.decode(): text.decode() for name, text in sent[0]['headers']}
    return sent[0]['status'], found


each_kind = pytest.mark.parametrize('kind', ['http', 'websocket'])


@each_kind
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
def test_addresses_and_names_of_this_machine_are_let_through(kind: str, host: str) -> None:
    assert asked(kind=kind, host=host)[0] in (200, 101)


@each_kind
@pytest.mark.parametrize('host', ['evil.example', 'localhost.evil.example:8095', '', 'a:b:c', ':'])
def test_a_foreign_name_that_points_here_is_refused(kind: str, host: str) -> None:
    assert asked(kind=kind, host=host)[0] == 403


@each_kind
@pytest.mark.parametrize(
    'origin', ['http://evil.example', 'http://localhost:9999', 'null', 'http://localhost']
)
def test_a_foreign_origin_is_refused(kind: str, origin: str) -> None:
    assert asked(kind=kind, host=HERE, origin=origin)[0] == 403


@each_kind
def test_the_page_itself_is_let_through(kind: str) -> None:
    assert asked(kind=kind, host=HERE, origin=f'http://{HERE}')[0] in (200, 101)


@each_kind
@pytest.mark.parametrize(
    ('query', 'cookie', 'admitted'),
    [
        ('', '', False),
        ('token=', '', False),
        ('token=wrong', '', False),
        ('token=%F0%9F%98%80', '', False),
        ('', 'livevlm_8095=wrong', False),
        ('', 'livevlm_9000=secret', False),
        ('token=secret', '', True),
        ('', 'livevlm_8095=secret', True),
    ],
)
def test_the_token_is_shown_in_the_address_or_as_a_cookie(
    kind: str, query: str, cookie: str, admitted: bool
) -> None:
    status, _ = asked(kind=kind, token='secret', query=query, host=HERE, cookie=cookie)
    assert (status != 403) is admitted


def test_the_right_token_is_kept_out_of_reach_of_scripts_and_other_sites() -> None:
    _, headers = asked(token='secret', query='token=secret', host=HERE)
    assert headers['set-cookie'] == 'livevlm_8095=secret; HttpOnly; SameSite=Strict; Path=/'
    for query, token in (('token=wrong', 'secret'), ('', 'secret'), ('token=secret', '')):
        assert 'set-cookie' not in asked(token=token, query=query, host=HERE)[1]


def test_nothing_from_elsewhere_is_run_or_fetched_on_the_page() -> None:
    for host in (HERE, 'evil.example'):
        _, headers = asked(host=host)
        assert headers['content-security-policy'].startswith(
            "default-src 'none'; script-src 'self'"
        )
        assert headers['referrer-policy'] == 'no-referrer'
