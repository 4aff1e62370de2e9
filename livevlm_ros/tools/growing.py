# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An answer of a camera memory, awaited word by word."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

from livevlm_ros.engine.messages import Answer, Question
from livevlm_ros.tools.camera_memory import CameraMemory, Enough


class Growing:
    """An answer that grows in a thread of its own: `next` is its text so far, at last itself."""

    def __init__(self, memory: CameraMemory, question: Question) -> None:
        self._memory, self._question = memory, question
        self._loop = asyncio.get_running_loop()
        self._heard: asyncio.Queue[str | Answer | Exception] = asyncio.Queue()
        self._stopped = threading.Event()
        threading.Thread(target=self._ask, name='livevlm-answer', daemon=True).start()

    async def next(self) -> str | Answer:
        """Wait for what comes next; no more comes after the answer."""
        heard = await self._heard.get()
        if isinstance(heard, Exception):
            raise heard
        return heard

    def stop(self) -> None:
        """Want no more."""
        self._stopped.set()

    def _ask(self) -> None:
        try:
            self._tell(self._memory.ask(self._question, self._hear))
        except Exception as error:  # told where it is waited for
            self._tell(error)

    def _hear(self, so_far: str) -> None:
        if self._stopped.is_set():
            raise Enough
        if so_far:
            self._tell(so_far)

    def _tell(self, what: str | Answer | Exception) -> None:
        with suppress(RuntimeError):  # the server has ended
            self._loop.call_soon_threadsafe(self._heard.put_nowait, what)
