# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Who is let in over HTTP, be it to the page or to what agents use.

A server on this machine is open to its users and closed to web sites: those that point a name of
their own here (DNS rebinding) are known by Host, those that only send requests by Origin. Where
other machines may come, a token is asked for instead of a name: no web site has it.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Callable

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

ANOTHER_NAME, ANOTHER_SITE, NO_TOKEN = 421, 403, 401
"""HTTP status of a refusal."""


class Guard:
    """An application that lets only those through to another who may come in."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str,
        token: str,
        shown: Callable[[HTTPConnection], bytes],
        refuse: Callable[[int, str], Response],
    ) -> None:
        """
        Guard an application.

        :param host: name that it is reached by, beside this machine's own and any address
        :param token: that must be shown; empty: none is asked for
        :param shown: finds the token in a request
        :param refuse: makes the reply to who is not let in, of a status and why
        """
        self._app, self._token = app, token.encode()
        self._shown, self._refuse = shown, refuse
        self._names = {'localhost', host.lower(), socket.gethostname().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope['type'] not in ('http', 'websocket'):
            return await self._app(scope, receive, send)
        status, why = self._judge(HTTPConnection(scope))
        if not why:
            return await self._app(scope, receive, send)
        if scope['type'] == 'websocket':
            return await send({'type': 'websocket.close', 'code': 1008, 'reason': why})
        await self._refuse(status, why)(scope, receive, send)

    def _judge(self, request: HTTPConnection) -> tuple[int, str]:
        """Say why a request is refused; empty: it is not."""
        host = request.headers.get('host', '')
        origin = request.headers.get('origin')
        if not self._token and not self._is_here(host):
            return ANOTHER_NAME, f'{host!r} is no name of this machine'
        if origin is not None and origin.partition('://')[2] != host:
            return ANOTHER_SITE, f'the request comes from another site, {origin!r}'
        if self._token and not hmac.compare_digest(self._shown(request), self._token):
            return NO_TOKEN, 'the token is missing or wrong'
        return 0, ''

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
