# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""MCP at `/mcp` and chat completions at `/v1`, over HTTP: for this machine, or with a token."""

from __future__ import annotations

import hmac
import socket

import uvicorn
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from livevlm_ros.tools.agent_server import agent_server
from livevlm_ros.tools.camera_memory import CameraMemory
from livevlm_ros.tools.chat_completions import ChatCompletions
from livevlm_ros.tools.listening import is_local

LOCAL_NAMES = ('127.0.0.1', 'localhost', '[::1]')
END_S = 2.0  # for open requests, after Ctrl-C


class Guard:
    """
    Lets in who may.

    :param token: wanted as a bearer's, unless it is empty
    :param security: what requests must name as host and origin
    """

    def __init__(self, app: ASGIApp, token: str, security: TransportSecuritySettings) -> None:
        self._app = app
        self._bearer = f'Bearer {token}'.encode() if token else b''
        self._security = TransportSecurityMiddleware(security)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope['type'] != 'http':
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        refused = await self._security.validate_request(request, request.method == 'POST')
        if refused is None and not self._knows(request):
            message = 'the token is missing or wrong: send it as Authorization: Bearer TOKEN'
            error = {'message': message, 'type': 'authentication_error', 'code': 'invalid_api_key'}
            refused = JSONResponse({'error': error}, 401, {'WWW-Authenticate': 'Bearer'})
        await (refused or self._app)(scope, receive, send)

    def _knows(self, request: Request) -> bool:
        given = dict(request.scope['headers']).get(b'authorization', b'')
        return not self._bearer or hmac.compare_digest(given, self._bearer)


def http_app(memory: CameraMemory, *, host: str = '127.0.0.1', token: str = '') -> Guard:
    """
    Make the application with both protocols.

    :param host: that it is served at; one of this machine alone is open to no page of the web
    """
    security = _security(host)
    server = agent_server(memory)
    for path, method, endpoint in ChatCompletions(memory).routes:
        server.custom_route(path, [method])(endpoint)
    return Guard(server.streamable_http_app(transport_security=security), token, security)


def serve(app: ASGIApp, listening: socket.socket) -> None:
    """Serve until Ctrl-C."""
    config = uvicorn.Config(
        app, log_level='warning', timeout_graceful_shutdown=round(END_S), ws='none'
    )
    uvicorn.Server(config).run([listening])


def _security(host: str) -> TransportSecuritySettings:
    """Return the rule that a local server's requests name it so, against DNS rebinding."""
    names = [form for name in (*LOCAL_NAMES, host) for form in (name, f'{name}:*')]
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=is_local(host),
        allowed_hosts=names,
        allowed_origins=[f'http://{name}' for name in names],
    )
