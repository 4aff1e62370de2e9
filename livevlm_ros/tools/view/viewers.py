# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who looks at the page: each is told the same, as fast as it can hear."""

from __future__ import annotations

import asyncio
import json
from typing import Any

PICTURE = 'picture/'
"""What a picture is about begins so; the camera's name follows."""


class Viewer:
    """
    What one viewer has yet to hear.

    Of each subject the newest message waits, in the place of the one before: a slow viewer misses
    what is out of date, and costs nobody else anything.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, str] = {}
        self._wake = asyncio.Event()
        self.looks = True
        self.passed_over = 0

    def put(self, about: str, text: str) -> None:
        """Let a message wait; a picture only where somebody looks."""
        if about.startswith(PICTURE):
            if not self.looks:
                return
            self.passed_over += about in self._waiting
        self._waiting[about] = text
        self._wake.set()

    def tell(self, about: str, content: Any) -> None:
        """Tell this viewer alone."""
        self.put(about, written(about, content))

    async def next(self) -> str:
        """Return the message that has waited longest."""
        while not self._waiting:
            self._wake.clear()
            await self._wake.wait()
        return self._waiting.pop(next(iter(self._waiting)))


class Viewers:
    """All of them."""

    def __init__(self) -> None:
        self._present: set[Viewer] = set()
        self._newest: dict[str, str] = {}
        self._passed_over = 0  # by viewers who have left

    def __len__(self) -> int:
        return len(self._present)

    @property
    def look(self) -> bool:
        """Whether anybody looks."""
        return any(viewer.looks for viewer in self._present)

    @property
    def passed_over(self) -> int:
        """Pictures that slow viewers did not get."""
        return self._passed_over + sum(viewer.passed_over for viewer in self._present)

    def tell(self, about: str, content: Any) -> None:
        """Tell everybody what is news about a subject; it is written once for all."""
        text = written(about, content)
        if self._newest.get(about) == text:
            return
        if not about.startswith(PICTURE):  # an old one is not what a camera sees now
            self._newest[about] = text
        for viewer in self._present:
            viewer.put(about, text)

    def enter(self) -> Viewer:
        """Return a new viewer, to whom everything is news."""
        viewer = Viewer()
        for about, text in self._newest.items():
            viewer.put(about, text)
        self._present.add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Let a viewer go."""
        self._present.remove(viewer)
        self._passed_over += viewer.passed_over


def written(about: str, content: Any) -> str:
    """Return a message as it goes to the browser."""
    return json.dumps({'about': about, 'content': content}, allow_nan=False)
