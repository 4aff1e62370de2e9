# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The guard of the page, and what its replies tell the browser to keep and to leave alone."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from livevlm_ros.tools.guard import NO_TOKEN, Guard

HEADERS = {
    'Content-Security-Policy': "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
}
TOKEN = 'token'
"""Query of the address that holds the token; the browser then keeps it as a cookie."""


class PageGuard:
    """The page for those who may look: on this machine anybody, elsewhere who has the token."""

    def __init__(self, app: ASGIApp, *, host: str, port: int, token: str) -> None:
        """
        Guard the page.

        :param host: name that it is reached by
        :param token: of its address; empty: none is asked for
        """
        self._cookie, self._token = f'livevlm_{port}', token
        self._app = Guard(app, host=host, token=token, shown=self._shown, refuse=_refuse)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""

        async def send_safely(message: Message) -> None:
            if message['type'] == 'http.response.start':
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if self._token and message['status'] < 400 and _given(HTTPConnection(scope)):
                    headers.append('Set-Cookie', self._kept())
            await send(message)

        await self._app(scope, receive, send_safely)

    def _shown(self, request: HTTPConnection) -> bytes:
        return (_given(request) or request.cookies.get(self._cookie, '')).encode()

    def _kept(self) -> str:
        return f'{self._cookie}={self._token}; HttpOnly; SameSite=Strict; Path=/'


def _given(request: HTTPConnection) -> str:
    return request.query_params.get(TOKEN, '')


def _refuse(status: int, why: str) -> Response:
    cure = ': open the address that livevlm view has printed' if status == NO_TOKEN else ''
    return PlainTextResponse(f'{why}{cure}\n', status)
