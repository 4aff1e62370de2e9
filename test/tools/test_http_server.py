# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""MCP over HTTP, and who is let in."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import anyio
import pytest

pytest.importorskip('mcp')

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

TOKEN = 'sesame-öffne-dich'
JSON = {'Content-Type': 'application/json'}


def _get(address: str, **headers: str) -> tuple[int, Any]:
    """Return status and body of the list of models."""
    request = urllib.request.Request(f'{address}/v1/models', headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def _where(address: str, token: str) -> Any:
    headers = {'Authorization': f'Bearer {token}'.encode()} if token else {}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        transport = streamable_http_client(f'{address}/mcp', http_client=http)
        async with Client(transport) as client:
            return await client.call_tool('where', {'thing': 'the box'})


@pytest.mark.parametrize('token', ['', TOKEN])
def test_tools_are_called_over_http(served: Callable[..., str], token: str) -> None:
    result = anyio.run(_where, served(token=token), token)
    assert result.structured_content['frame']['stamp_s'] == 4.0
    assert result.content[-1].type == 'image'


@pytest.mark.parametrize('path', ['/mcp', '/v1/models', '/v1/chat/completions', '/else'])
@pytest.mark.parametrize('given', ['', 'Bearer', 'Bearer sesame', f'Basic {TOKEN}', TOKEN])
def test_nothing_is_told_without_the_token(
    served: Callable[..., str], scripted: Any, path: str, given: str
) -> None:
    address = served(token=TOKEN, host='0.0.0.0')
    headers = {**JSON, 'Authorization': given.encode()}
    reply = httpx2.post(address + path, headers=headers, content=b'{}', timeout=30)
    assert reply.status_code == 401 and reply.headers['WWW-Authenticate'] == 'Bearer'
    assert reply.json()['error']['code'] == 'invalid_api_key'
    assert not scripted.questions


def test_pages_of_the_web_cannot_ask_through_a_browser_here(
    served: Callable[..., str], scripted: Any
) -> None:
    address = served()
    assert _get(address)[0] == 200
    assert _get(address, Origin=address)[0] == 200
    assert _get(address, Host='rebound.example')[0] == 421
    status, said = _get(address, Origin='http://evil.example')
    assert status == 403 and "another site, 'http://evil.example'" in said
    asked = {'messages': [{'role': 'user', 'content': 'what ?'}]}
    for path in ('/mcp', '/v1/chat/completions'):
        simple = httpx2.post(
            address + path,
            headers={'Content-Type': 'text/plain', 'Origin': 'null'},  # sent without being asked
            content=json.dumps(asked),
            timeout=30,
        )
        assert simple.status_code == 403
    assert not scripted.questions


def test_other_machines_may_call_it_by_its_name(served: Callable[..., str]) -> None:
    address = served(token=TOKEN, host='0.0.0.0')
    headers = {'Host': 'robot.lan', 'Authorization': f'Bearer {TOKEN}'.encode()}
    assert httpx2.get(f'{address}/v1/models', headers=headers, timeout=30).status_code == 200
