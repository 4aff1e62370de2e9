# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera memory that follows a script, and servers of it."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from livevlm_ros.engine.held import HeldFrame
from livevlm_ros.engine.messages import (
    Answer,
    Evidence,
    Finish,
    Latency,
    NotDone,
    Question,
    Status,
)
from livevlm_ros.engine.watch import Watch, WatchState
from livevlm_ros.pose import Pose
from livevlm_ros.tools.camera_memory import Enough, MemoryStatus

SECOND = 10**9
WAIT_S = 30.0
POSE = Pose(1.5, -2.0, 0.5, 0.0, 0.0, 0.6, 0.8)
JPEG = b'\xff\xd8jpeg'


def held(second: float, *, camera: str = 'front', score: float = 1.0) -> HeldFrame:
    """Return a frame that the memory holds."""
    stamp_ns = round(second * SECOND)
    return HeldFrame(camera, stamp_ns, 'map', f'{camera}/{stamp_ns}', score, pose=POSE)


class ScriptedMemory:
    """Says 'on the left' word by word, and holds a frame of each of ten seconds."""

    zero_ns = 0

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self.forgotten: list[dict[str, Any]] = []
        self.listed: list[Watch] = []
        self.memory = self.watches = self
        self.pieces: Sequence[str] = ('on', 'on the', 'on the left')
        self.said = threading.Event()  # set when an answer has been heard to its end
        self.go_on = threading.Event()  # held by a test: an answer waits after its first piece
        self.go_on.set()
        self.cut = threading.Event()
        self.answer = Answer(
            Status.OK,
            text='on the left',
            confidence=0.75,
            finish=Finish.STOP,
            newest_stamp_ns=10 * SECOND,
            prompt_tokens=7,
            completion_tokens=3,
            frames_considered=10,
            model_id='scripted',
            evidence=(self._seen(4.0, 0.6), self._seen(2.0, 0.3)),
            latency=Latency(total_ms=20.0),
        )

    def _seen(self, second: float, score: float) -> Evidence:
        frame = held(second)
        key = frame.frame_key
        return Evidence('front', frame.stamp_ns, 'map', key, score, thumbnail_jpeg=JPEG, pose=POSE)

    def ask(self, question: Question, hear: Callable[[str], None]) -> Answer:
        self.questions.append(question)
        if self.answer.text:
            try:
                for piece in self.pieces:
                    hear(piece)
                    assert self.go_on.wait(WAIT_S)
            except Enough:
                self.cut.set()
        self.said.set()
        return self.answer

    def recall(self, question: Question) -> Answer:
        self.questions.append(question)
        return self.answer

    def status(self) -> MemoryStatus:
        return MemoryStatus(
            model='scripted',
            device='cpu',
            preset='balanced',
            memory_id='m1',
            kept='3 h',
            usual_budget_s=2.0,
            paused=False,
            newest_ns={'front': 10 * SECOND, 'rear': 0},
            oldest_ns=SECOND,
            device_bytes=1,
            host_bytes=2,
            disk_bytes=3,
        )

    def timeline(
        self,
        cameras: Sequence[str],
        *,
        time_start_ns: int,
        time_end_ns: int,
        max_frames: int,
    ) -> tuple[tuple[HeldFrame, ...], int]:
        if 'side' in cameras:
            raise ValueError("cameras: got 'side', expected some of front, rear")
        end_ns = time_end_ns or 10 * SECOND
        frames = [held(second) for second in range(1, 11)]
        chosen = [frame for frame in frames if time_start_ns <= frame.stamp_ns <= end_ns]
        return tuple(chosen[:max_frames]), len(chosen)

    def frame(self, key: str) -> Any:
        if not key.startswith('front/'):
            raise NotDone(f'frame_key: got {key!r}, which is no frame of the memory')
        return SimpleNamespace(thumbnail_jpeg=JPEG + key.encode())

    def forget(self, cameras: Sequence[str], *, time_start_ns: int, time_end_ns: int) -> Any:
        self.forgotten.append({'cameras': cameras, 'start': time_start_ns, 'end': time_end_ns})
        return SimpleNamespace(frames=2, tokens=18, disk_bytes=0)

    def add(self, watch: Watch) -> str:
        self.listed.append(watch)
        return watch.watch_id or 'w1'

    def remove(self, watch_id: str = '') -> int:
        before = len(self.listed)
        self.listed = [watch for watch in self.listed if watch.watch_id != watch_id]
        return before - len(self.listed)

    def list(self) -> tuple[WatchState, ...]:
        return tuple(WatchState(watch, answer='red', events=2) for watch in self.listed)


@pytest.fixture
def scripted() -> ScriptedMemory:
    """Give a memory that follows a script."""
    return ScriptedMemory()


@pytest.fixture
def using(scripted: ScriptedMemory) -> Callable[[Callable[[Any], Awaitable[Any]]], Any]:
    """Give what runs the steps of an MCP client against the scripted memory's server."""
    import anyio
    from mcp import Client

    from livevlm_ros.tools.agent_server import agent_server

    def use(steps: Callable[[Any], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            async with Client(agent_server(scripted)) as client:
                return await steps(client)

        return anyio.run(main)

    return use


@pytest.fixture
def served(scripted: ScriptedMemory, serve_http: Callable[[Any], str]) -> Callable[..., str]:
    """Give what serves the scripted memory over HTTP, and returns its address."""
    from livevlm_ros.tools.http_server import http_app

    return lambda **options: serve_http(http_app(scripted, **options))
