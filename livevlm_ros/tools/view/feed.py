# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What all viewers are told: the node is asked and listened to once, however many they are."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from livevlm_ros.node.client import not_found
from livevlm_ros.node.memory_client import FIND_S, CommandFailed
from livevlm_ros.node.page_client import PageClient
from livevlm_ros.node.plain_messages import picture_url
from livevlm_ros.tools.view.viewers import PICTURE, Viewers

LOGGER = logging.getLogger('livevlm')

TELL_EVERY_S = 0.2
"""Five pictures a second at most, of each camera."""

SURVEY_EVERY_S = 2.0
GONE = 'The node is gone. This page goes on by itself when it is back.'


class Feed:
    """Tells viewers of a node."""

    def __init__(self, client: PageClient, viewers: Viewers) -> None:
        self._client, self._viewers = client, viewers
        self._met = False  # whether the node was ever there
        self._began_s = time.monotonic()

    async def run(self) -> None:
        """Tell, until it is canceled."""
        await asyncio.gather(
            _again(self.tell, TELL_EVERY_S),
            _again(self.show, TELL_EVERY_S),
            _again(self.survey, SURVEY_EVERY_S),
        )

    async def tell(self) -> None:
        """Tell what the node has told."""
        alive = self._client.is_alive()
        self._met |= alive
        self._viewers.tell('node', {'alive': alive, 'said': self._absence() if not alive else ''})
        if self._viewers:
            for about, content in self._client.news().items():
                self._viewers.tell(about, content)
        counted = {'viewers': len(self._viewers), 'passed_over': self._viewers.passed_over}
        self._viewers.tell('viewers', counted)

    async def show(self) -> None:
        """Tell what the node's cameras see, if anybody looks."""
        for camera, picture in (await asyncio.to_thread(self._seen)).items():
            self._viewers.tell(PICTURE + camera, {'camera': camera, 'picture': picture})

    async def survey(self) -> None:
        """Ask the node what it is, what its memory holds and what it watches, if anybody looks."""
        if not self._viewers.look or not self._client.is_alive():
            return
        said, client = '', self._client
        for about, look in (
            ('info', client.info),
            ('watches', client.watches),
            ('timeline', client.timeline),
        ):
            try:
                self._viewers.tell(about, await asyncio.to_thread(look))
            except CommandFailed as problem:  # no memory yet, for one
                said = str(problem)
        self._viewers.tell('survey', said)

    def _seen(self) -> dict[str, str]:
        pictures = self._client.look(self._viewers.look)
        return {picture.camera: picture_url(picture.jpeg) for picture in pictures}

    def _absence(self) -> str:
        if self._met:
            return GONE
        if time.monotonic() - self._began_s < FIND_S:
            return 'Looking for the node.'
        return not_found(self._client.service, FIND_S)


async def _again(work: Callable[[], Awaitable[None]], every_s: float) -> None:
    """Do work again and again; what fails as before is told once."""
    told = ''
    while True:
        try:
            await work()
        except Exception as error:
            if repr(error) != told:
                LOGGER.error('the page misses something: %r', error)
            told = repr(error)
        await asyncio.sleep(every_s)
