# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node as `livevlm view` sees it: what it tells, what it is asked, its cameras."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from livevlm_interfaces.msg import AnswerRecord, MemoryEvent, MemoryState, WatchEvent
from livevlm_ros.engine.watch import Watch
from livevlm_ros.node import plain_messages
from livevlm_ros.node.live_pictures import LivePicture, LivePictures
from livevlm_ros.node.memory_client import CommandFailed, MemoryClient
from livevlm_ros.node.remote_memory import RemoteMemory, RemoteWatches

EVENTS = 50  # that are kept for the page
LATEST_S = 5.0  # for a reply that people wait for
SILENT_S = 5.0  # without diagnostics after which the node is gone, or thrice their last pause
TIMELINE_FRAMES = 300


class PageClient(MemoryClient):
    """
    Keeps the newest of what a node tells, as JSON has it.

    Messages are only stored as they come; `news` makes them plain for whoever asks.
    """

    def __init__(self, *, namespace: str = '') -> None:
        self._lock = threading.Lock()
        self._healths: list[Any] = []
        self._told_s = self._pause_s = -math.inf  # when diagnostics came, and their last pause
        super().__init__(namespace=namespace)
        self._state: MemoryState | None = None
        self._answered: AnswerRecord | None = None
        self._events: deque[MemoryEvent] = deque(maxlen=EVENTS)
        self._watch_events: deque[WatchEvent] = deque(maxlen=EVENTS)
        self._memory, self._watches = RemoteMemory(self), RemoteWatches(self)
        self.pictures = LivePictures(self._node)
        self._streams()
        self.hear(MemoryState, 'memory_state', self._on_state)
        self.hear(AnswerRecord, 'answers', self._on_answered)
        self.hear(MemoryEvent, 'events', self._on_event)
        self.hear(WatchEvent, 'watch_events', self._on_watch_event)

    def is_alive(self) -> bool:
        """Whether the node is there: its action is served, and its diagnostics come."""
        patience_s = max(SILENT_S, 3 * self._pause_s)
        silent = time.monotonic() - self._told_s > patience_s
        return not silent and bool(self._streams().server_is_ready())

    def news(self) -> dict[str, Any]:
        """Return the newest of everything that the node has told, by subject."""
        with self._lock:
            events, watch_events = list(self._events), list(self._watch_events)
            state, answered, healths = self._state, self._answered, self._healths
        found: dict[str, Any] = {
            'health': [plain_messages.health(status) for status in healths],
            'events': [plain_messages.event(message) for message in events],
            'watch_events': [plain_messages.watch_event(message) for message in watch_events],
        }
        if state is not None:
            found['state'] = plain_messages.state(state)
        if answered is not None:
            found['answered'] = plain_messages.answered(answered)
        return found

    def look(self, looked_at: bool) -> Iterator[LivePicture]:
        """
        Yield new pictures of the cameras.

        :param looked_at: whether anybody looks; where nobody does, no topic is listened to
        """
        state = self._state
        cameras = state.cameras if state is not None and looked_at else ()
        topics = {camera.name: camera.topic.partition(' ')[0] for camera in cameras}
        self.pictures.follow({name: topic for name, topic in topics.items() if topic})
        return self.pictures.take()

    def info(self) -> dict[str, Any]:
        """
        Return what the node says that it is.

        :raises CommandFailed: as all that follows
        """
        told = self._memory.info()
        return {
            'model': told.model_id,
            'device': told.device,
            'preset': told.preset,
            'cameras': list(told.cameras),
            'horizon': told.horizon,
            'usual_budget': round(told.usual_budget, 2),
        }

    def timeline(self) -> dict[str, Any]:
        """Return frames that the memory holds, spread evenly, and how many there are."""
        frames, total = self._memory.timeline(
            (), time_start_ns=0, time_end_ns=0, max_frames=TIMELINE_FRAMES
        )
        return {'frames': [plain_messages.frame(frame) for frame in frames], 'total': total}

    def frame(self, key: str) -> dict[str, Any]:
        """Return a frame that the memory holds, with its picture."""
        return plain_messages.frame(self._memory.frame(key))

    def watches(self) -> list[dict[str, Any]]:
        """Return the standing questions."""
        return [plain_messages.watch(state) for state in self._watches.list()]

    def add_watch(self, question: str, period_s: float) -> None:
        """Ask a question again and again."""
        self._watches.add(Watch(question, period_s=period_s))

    def remove_watch(self, watch_id: str) -> None:
        """End a standing question."""
        if not watch_id:  # which would end all
            raise CommandFailed('watch_id: got none, expected the name of a watch')
        self._watches.remove(watch_id)

    def call(self, kind: Any, name: str, request: Any, timeout_s: float = LATEST_S) -> Any:
        """Call a private service of a node that is there, as people wait for it."""
        if not self.is_alive():
            raise self._not_found(name)
        return super().call(kind, name, request, min(timeout_s, LATEST_S))

    def _on_diagnostics(self, message: Any) -> None:
        super()._on_diagnostics(message)
        mine = f'{self._prefix[1:]}livevlm: '
        if healths := [status for status in message.status if status.name.startswith(mine)]:
            now_s = time.monotonic()
            self._pause_s, self._told_s = now_s - self._told_s, now_s
            self._healths = healths

    def _on_state(self, message: MemoryState) -> None:
        self._state = message

    def _on_answered(self, message: AnswerRecord) -> None:
        self._answered = message

    def _on_event(self, message: MemoryEvent) -> None:
        with self._lock:
            self._events.append(message)

    def _on_watch_event(self, message: WatchEvent) -> None:
        with self._lock:
            self._watch_events.append(message)
