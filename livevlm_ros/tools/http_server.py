# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""MCP at `/mcp` and chat completions at `/v1`, over HTTP: for this machine, or with a token."""

from __future__ import annotations

import socket

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from livevlm_ros.tools.agent_server import agent_server
from livevlm_ros.tools.camera_memory import CameraMemory
from livevlm_ros.tools.chat_completions import ChatCompletions
from livevlm_ros.tools.guard import NO_TOKEN, Guard

BEARER = b'Bearer '
END_S = 2.0  # for open requests, after Ctrl-C
GUARDED = TransportSecuritySettings(enable_dns_rebinding_protection=False)
"""What the library is told: the guard has looked at host and origin."""


def http_app(memory: CameraMemory, *, host: str = '127.0.0.1', token: str = '') -> Guard:
    """
    Make the application with both protocols.

    :param host: that it is served at
    :param token: that must be shown; empty: none is asked for
    """
    server = agent_server(memory)
    for path, method, endpoint in ChatCompletions(memory).routes:
        server.custom_route(path, [method])(endpoint)
    app = server.streamable_http_app(transport_security=GUARDED)
    return guarded(app, host=host, token=token)


def guarded(app: ASGIApp, *, host: str, token: str) -> Guard:
    """Let in who names this machine, or has the token: the API key of `/v1`, a bearer's."""
    return Guard(app, host=host, token=token, shown=_shown, refuse=_refuse)


def serve(app: ASGIApp, listening: socket.socket) -> None:
    """Serve until Ctrl-C."""
    config = uvicorn.Config(
        app, log_level='warning', timeout_graceful_shutdown=round(END_S), ws='none'
    )
    uvicorn.Server(config).run([listening])


def _shown(request: HTTPConnection) -> bytes:
    """Return the token of a bearer."""
    given = dict(request.scope['headers']).get(b'authorization', b'')
    return given.removeprefix(BEARER) if given.startswith(BEARER) else b''


def _refuse(status: int, why: str) -> Response:
    """Make an error as the protocol of `/v1` has it."""
    error = {'message': why, 'type': 'invalid_request_error', 'code': None}
    if status != NO_TOKEN:
        return JSONResponse({'error': error}, status)
    error |= {
        'message': f'{why}: send it as Authorization: Bearer TOKEN',
        'type': 'authentication_error',
        'code': 'invalid_api_key',
    }
    return JSONResponse({'error': error}, status, {'WWW-Authenticate': 'Bearer'})
