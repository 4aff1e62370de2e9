# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Who may look at the page.

A page on this machine is open to its users and closed to other web sites: those that point a name
of their own here (DNS rebinding) are known by Host, those that only send requests by Origin.
Elsewhere the token of the address is asked for too, which the browser then keeps as a cookie.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    'Content-Security-Policy': "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
}


class Guard:
    """An application that lets only those through to another who may look."""

    def __init__(self, app: ASGIApp, *, host: str, port: int, token: str) -> None:
        """
        Guard an application.

        :param host: name that it is reached by, beside this machine's own and any address
        :param token: that must be shown; empty: none is asked for
        """
        self._app, self._token, self._cookie = app, token, f'livevlm_{port}'
        self._names = {'localhost', host.lower(), socket.gethostname().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope['type'] not in ('http', 'websocket'):
            return await self._app(scope, receive, send)
        request = HTTPConnection(scope)
        why = self._refusal(request)
        if why and scope['type'] == 'websocket':
            return await send({'type': 'websocket.close', 'code': 1008, 'reason': why})

        async def send_safely(message: Message) -> None:
            if message['type'] == 'http.response.start':
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if not why and self._token and 'token' in request.query_params:
                    headers.append('Set-Cookie', self._kept())
            await send(message)

        app = PlainTextResponse(f'{why}\n', 403) if why else self._app
        await app(scope, receive, send_safely)

    def _refusal(self, request: HTTPConnection) -> str:
        """Say why a request is refused; empty: it is not."""
        host = request.headers.get('host', '')
        origin = request.headers.get('origin')
        if not self._is_here(host):
            return f'{host!r} is no name of this machine'
        if origin is not None and origin.partition('://')[2] != host:
            return f'the request comes from another site, {origin!r}'
        shown = request.query_params.get('token') or request.cookies.get(self._cookie, '')
        if not hmac.compare_digest(shown.encode(), self._token.encode()) and self._token:
            return 'the token is missing or wrong: open the address that livevlm view has printed'
        return ''

    def _is_here(self, host: str) -> bool:
        """Whether a Host header names this machine, be it with a port; addresses always do."""
        name = host.lower()
        if not name.endswith(']'):
            name, _, port = name.rpartition(':') if ':' in name else (name, '', '')
        try:
            ipaddress.ip_address(name.strip('[]'))
        except ValueError:
            return name.removesuffix('.local') in self._names or name in self._names
        return True

    def _kept(self) -> str:
        return f'{self._cookie}={self._token}; HttpOnly; SameSite=Strict; Path=/'
