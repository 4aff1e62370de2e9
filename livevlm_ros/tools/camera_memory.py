# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera memory as programs use it, be it a node's or that of an engine in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from livevlm_ros.engine.held import HeldFrame
from livevlm_ros.engine.messages import Answer, Question
from livevlm_ros.engine.watch import Watch, WatchState


class Enough(Exception):
    """Raised by who hears an answer: no more of it is wanted."""


@dataclass(frozen=True, slots=True)
class MemoryStatus:
    """
    What a memory is and holds.

    :param kept: how long everything is kept, in words
    :param usual_budget_s: seconds that a whole answer is measured to take; 0: not known
    :param newest_ns: stamp of the newest frame of each camera; 0: none came yet
    :param oldest_ns: stamp of the oldest frame that is held; 0: none is
    """

    model: str
    device: str
    preset: str
    memory_id: str
    kept: str
    usual_budget_s: float
    paused: bool
    newest_ns: Mapping[str, int]
    oldest_ns: int
    device_bytes: int
    host_bytes: int
    disk_bytes: int


class Freed(Protocol):
    """What was forgotten."""

    @property
    def frames(self) -> int: ...  # noqa: D102

    @property
    def tokens(self) -> int: ...  # noqa: D102

    @property
    def disk_bytes(self) -> int: ...  # noqa: D102


class Desk(Protocol):
    """Where frames are looked at and forgotten: `Engine.memory`, or the like of it."""

    def timeline(
        self,
        cameras: Sequence[str],
        *,
        time_start_ns: int,
        time_end_ns: int,
        max_frames: int,
    ) -> tuple[tuple[HeldFrame, ...], int]:
        """Return frames, oldest first, and how many were chosen; 0: open."""
        ...

    def frame(self, key: str) -> HeldFrame:
        """Return a frame with its picture."""
        ...

    def forget(self, cameras: Sequence[str], *, time_start_ns: int, time_end_ns: int) -> Freed:
        """Forget frames for good; without a choice all."""
        ...


class Watching(Protocol):
    """Where standing questions are asked: `Engine.watches`, or the like of it."""

    def add(self, watch: Watch) -> str:
        """Ask a standing question; returns its name."""
        ...

    def remove(self, watch_id: str = '') -> int:
        """End a watch; without a name, all of them."""
        ...

    def list(self) -> tuple[WatchState, ...]:
        """Return the watches, oldest first."""
        ...


class CameraMemory(Protocol):
    """
    A memory; any thread.

    What cannot be done is `NotDone` or a `ValueError`, and says why; the refusal of a question is
    an answer's `status` and `message`.
    """

    @property
    def zero_ns(self) -> int:
        """The stamp that is told as second 0."""
        ...

    @property
    def memory(self) -> Desk:
        """What it holds."""
        ...

    @property
    def watches(self) -> Watching:
        """Its standing questions."""
        ...

    def ask(self, question: Question, hear: Callable[[str], None]) -> Answer:
        """
        Answer.

        :param hear: called with the answer so far, again and again; may raise `Enough`
        """
        ...

    def recall(self, question: Question) -> Answer:
        """Return the frames that an answer would rest on, `HeldFrame`s, and no words."""
        ...

    def status(self) -> MemoryStatus:
        """Say what it is and holds."""
        ...
