# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One viewer's connection: what the page asks for, and what it is told."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.websockets import WebSocket

from livevlm_ros.node.ask_client import Wish
from livevlm_ros.node.memory_client import CommandFailed
from livevlm_ros.node.page_client import PageClient
from livevlm_ros.tools.view.asking import BadRequest, ask, failed, seconds, text, to_wish
from livevlm_ros.tools.view.feed import Feed
from livevlm_ros.tools.view.viewers import Viewers

LOGGER = logging.getLogger('livevlm')
MOST_ERRANDS = 8  # of one viewer that wait for the node
WATCH_S = 1.0  # between two answers of a watch, where the page names no time


class Visit:
    """From the opening of the page to its end."""

    def __init__(
        self, socket: WebSocket, client: PageClient, viewers: Viewers, feed: Feed
    ) -> None:
        self._socket, self._client, self._feed = socket, client, feed
        self._viewers, self._viewer = viewers, viewers.enter()
        self._stop = asyncio.Event()
        self._asking: asyncio.Task[None] | None = None
        self._errands: set[asyncio.Task[None]] = set()

    async def last(self) -> None:
        """Talk until the viewer leaves, whose question then ends too."""
        sending = asyncio.create_task(self._send())
        try:
            while (message := await self._socket.receive())['type'] != 'websocket.disconnect':
                await self._take(message.get('text'))
        finally:
            for task in (sending, *self._errands):
                task.cancel()
            self._stop.set()
            self._viewers.leave(self._viewer)

    async def _send(self) -> None:
        while True:
            await self._socket.send_text(await self._viewer.next())

    async def _take(self, written: str | None) -> None:
        """Do what the page asks for, or tell why not; what waits for the node holds up nothing."""
        with self._telling_problems():
            request = json.loads(written or '')
            if not isinstance(request, dict):
                raise BadRequest(f'got {type(request).__name__}, expected an object')
            match request.get('do'):
                case 'look':
                    self._viewer.looks = bool(request.get('looks'))
                case 'ask':
                    self._begin(request)
                case 'cancel':
                    self._stop.set()
                case _:
                    self._send_out(self._run_errand(request))

    def _send_out(self, errand: Coroutine[Any, Any, None]) -> None:
        if len(self._errands) >= MOST_ERRANDS:
            errand.close()
            raise BadRequest('too much at once: wait for the node')
        task = asyncio.create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def _run_errand(self, request: dict[str, Any]) -> None:
        """Have the node's services do what the page asks for."""
        with self._telling_problems():
            match request.get('do'):
                case 'frame':
                    found = await asyncio.to_thread(self._client.frame, text(request, 'key'))
                    self._viewer.tell('frame', found)
                case 'watch':
                    question, period_s = text(request, 'question'), seconds(request, 'period')
                    await asyncio.to_thread(self._client.add_watch, question, period_s or WATCH_S)
                    await self._feed.survey()
                case 'unwatch':
                    await asyncio.to_thread(self._client.remove_watch, text(request, 'id'))
                    await self._feed.survey()
                case unknown:
                    raise BadRequest(f'do: got {unknown!r}, expected ask, cancel, frame, watch …')

    @contextmanager
    def _telling_problems(self) -> Iterator[None]:
        try:
            yield
        except (BadRequest, CommandFailed, json.JSONDecodeError) as error:
            self._viewer.tell('problem', str(error))

    def _begin(self, request: dict[str, Any]) -> None:
        """Ask, unless another question of this viewer is still open."""
        if self._asking is not None and not self._asking.done():
            raise BadRequest('one question at a time: cancel the other one')
        try:
            wish = to_wish(request)
        except BadRequest as error:
            return self._tell_answer(failed('', str(error)))
        if not self._client.is_alive():
            return self._tell_answer(failed('', 'no node is there to ask'))
        self._stop.clear()
        self._asking = asyncio.create_task(self._ask(wish))

    async def _ask(self, wish: Wish) -> None:
        try:
            await ask(self._client, wish, self._tell_answer, self._stop)
        except Exception as error:
            LOGGER.error('a question failed: %r', error)
            self._tell_answer(failed('', f'{type(error).__name__}: {error}'))

    def _tell_answer(self, answer: dict[str, Any]) -> None:
        self._viewer.tell('answer', answer)
