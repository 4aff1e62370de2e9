# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The server of the page: three files, and a WebSocket that everything else goes over."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from livevlm_ros.node.page_client import PageClient
from livevlm_ros.tools.listening import is_local, listen
from livevlm_ros.tools.view.feed import Feed
from livevlm_ros.tools.view.page_guard import PageGuard
from livevlm_ros.tools.view.viewers import Viewers
from livevlm_ros.tools.view.visit import Visit

STATIC = Path(__file__).parent / 'static'
FILES = {'/': 'page.html', **{f'/{name}': name for name in ('page.css', 'page.js', 'timeline.js')}}
MOST_BYTES = 64 * 1024  # of a message from the page
FAREWELL_S = 1


def serve(*, host: str, port: int, namespace: str, say: Callable[[str], None] = print) -> None:
    """
    Serve the page until SIGINT or SIGTERM.

    :param host: name or address to listen on; other machines reach it if it is not this one's own
    :param port: 0: any that is free
    :param say: takes the page's address
    :raises BadInput: when it cannot be served there
    """
    listener = listen(host, port)
    address, port = listener.getsockname()[:2]
    token = '' if is_local(address) else secrets.token_urlsafe(16)
    with PageClient(namespace=namespace) as client:
        app = PageGuard(page(client), host=host, port=port, token=token)
        config = uvicorn.Config(
            app,
            log_level='warning',
            ws_max_size=MOST_BYTES,
            ws_per_message_deflate=False,  # jpegs do not get smaller
            timeout_graceful_shutdown=FAREWELL_S,
        )
        running = uvicorn.Server(config)
        _end_by_signal(running)
        say(f'livevlm view: {url(host, address, port, token)}')
        running.run(sockets=[listener])


def page(client: PageClient) -> ASGIApp:
    """Return the application, without its guard."""
    viewers = Viewers()
    feed = Feed(client, viewers)

    @asynccontextmanager
    async def fed(app: Starlette) -> AsyncIterator[None]:
        feeding = asyncio.create_task(feed.run())
        yield
        feeding.cancel()
        with suppress(asyncio.CancelledError):
            await feeding

    async def file(request: Request) -> FileResponse:
        return FileResponse(STATIC / FILES[request.url.path])

    async def live(websocket: WebSocket) -> None:
        await websocket.accept()
        with suppress(WebSocketDisconnect):
            await Visit(websocket, client, viewers, feed).last()

    routes = [*(Route(path, file) for path in FILES), WebSocketRoute('/live', live)]
    return Starlette(routes=routes, lifespan=fed)


def url(host: str, address: str, port: int, token: str) -> str:
    """Return what to open in a browser."""
    everywhere = ipaddress.ip_address(address).is_unspecified
    shown = socket.gethostname() if everywhere else host
    shown = f'[{shown}]' if ':' in shown else shown
    return f'http://{shown}:{port}/' + (f'?token={token}' if token else '')


def _end_by_signal(running: uvicorn.Server) -> None:
    """End quietly by SIGINT and SIGTERM, which uvicorn hears late and raises anew at its end."""

    def end(number: int, frame: object) -> None:
        running.should_exit = True

    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, end)
