# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The token of the page, and what its replies tell a browser."""

import asyncio
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from livevlm_ros.tools.view.page_guard import PageGuard

HERE = 'localhost:8095'


def asked(
    *, token: str = '', kind: str = 'http', query: str = '', **headers: str
) -> tuple[bool, dict[str, str]]:
    """Ask for the page; return whether it came, and headers."""
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
    asyncio.run(PageGuard(app, host='robot', port=8095, token=token)(scope, receive, send))
    if kind == 'websocket':
        return sent[0]['type'] == 'websocket.accept', {}
    found = {name.decode(): text.decode() for name, text in sent[0]['headers']}
    return sent[0]['status'] == 200, found


@pytest.mark.parametrize('kind', ['http', 'websocket'])
@pytest.mark.parametrize(
    ('query', 'cookie', 'admitted'),
    [
        ('', '', False),
        ('token=', '', False),
        ('token=wrong', '', False),
        ('token=wrong', 'livevlm_8095=secret', False),
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
    came, _ = asked(kind=kind, token='secret', query=query, host=HERE, cookie=cookie)
    assert came is admitted


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
