# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera memory of one's own: an engine that a source streams into."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING

from livevlm_ros.engine.messages import Answer, BadFrame, Frame, Question
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.opening import open_engine
from livevlm_ros.replay.recording import CAMERA, FrameSource
from livevlm_ros.tools.camera_memory import Enough, MemoryStatus

if TYPE_CHECKING:  # they bring torch
    from livevlm_ros.engine import EngineConfig
    from livevlm_ros.engine.memory_desk import MemoryDesk
    from livevlm_ros.engine.watches import Watches

HEAR_EVERY_S = 0.05
FIRST_FRAMES = 30  # of a live source, in which one must be good
END_S = 5.0

Progress = Callable[[str, float], None]


class Recorded:
    """
    Answers about one source, with an engine in this process. A context manager.

    A recording is read in whole, every frame the engine wants; a live source goes on beside the
    questions.

    :raises BadInput: for weights that cannot be used
    """

    def __init__(self, config: EngineConfig, source: FrameSource, progress: Progress) -> None:
        self._engine, self._source = open_engine(config, progress), source
        self._preset = config.memory.preset
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self.zero_ns = 0

    def __enter__(self) -> Recorded:
        return self

    def __exit__(self, *raised: object) -> None:
        self._end.set()
        if self._thread is not None:
            self._thread.join(END_S)
        self._engine.stop()
        self._engine.cleanup()

    def read_in(self, progress: Progress) -> bool:
        """
        Read the whole source, as fast as the engine takes it; Ctrl-C ends it early.

        :returns: whether it was read to its end
        :raises BadInput: when no frame of it can be used
        """
        with _ctrl_c() as pressed:
            for number, frame in enumerate(self._source.frames(), 1):
                self._take(frame)
                progress(self._source.path.name, number / max(number, self._source.length))
                if pressed.is_set():
                    break
        self._begin()
        return not pressed.is_set()

    def go_along(self, *, paced: bool) -> None:
        """
        Take the first frame, and the others as they come in a thread of their own.

        :param paced: a recording, which is to go by its stamps
        :raises BadInput: when none of the first frames can be used
        """
        frames = self._source.frames()
        for _, frame in zip(range(FIRST_FRAMES), frames, strict=False):
            self._take(frame)
            if self._engine.stats().frames_used:
                break
        self._begin()
        self._thread = threading.Thread(
            target=self._follow, args=(frames, paced), name='livevlm-source', daemon=True
        )
        self._thread.start()

    @property
    def memory(self) -> MemoryDesk:
        """What the engine holds."""
        return self._engine.memory

    @property
    def watches(self) -> Watches:
        """Its standing questions."""
        return self._engine.watches

    @property
    def seen(self) -> str:
        """What the memory has taken in so far, in words."""
        stats = self._engine.stats()
        newest_s = (stats.cameras[CAMERA].newest_stamp_ns - self.zero_ns) / 1e9
        return f'{stats.frames_used} of {stats.frames_in} frames used, {newest_s:.1f} s'

    def ask(self, question: Question, hear: Callable[[str], None]) -> Answer:
        """
        Answer, without a deadline where the question has no budget.

        Ctrl-C ends the answer with what has been said.
        """
        inquiry = self._engine.begin(_patient(question))
        try:
            for progress in inquiry.follow(every_s=HEAR_EVERY_S):
                hear(progress.text)
        except (KeyboardInterrupt, Enough):
            inquiry.cancel()
        return inquiry.reply()

    def recall(self, question: Question) -> Answer:
        """Return the frames that a question wants."""
        return self._engine.ask(replace(_patient(question), recalls=True))

    def status(self) -> MemoryStatus:
        """Say what the engine is, and what it holds."""
        stats = self._engine.stats()
        model, sizes, horizon = stats.model, stats.memory, stats.horizon
        assert model is not None and sizes is not None  # it is loaded
        return MemoryStatus(
            model=model.model_id,
            device=model.device,
            preset=self._preset,
            memory_id=stats.memory_id,
            kept=horizon.text if horizon is not None else '',
            usual_budget_s=stats.usual_budget_s,
            paused=stats.paused,
            newest_ns={name: seen.newest_stamp_ns for name, seen in stats.cameras.items()},
            oldest_ns=sizes.oldest_stamp_ns,
            device_bytes=sizes.device_bytes,
            host_bytes=sizes.host_bytes,
            disk_bytes=sizes.disk_bytes,
        )

    def _take(self, frame: Frame) -> None:
        self._engine.see(frame)
        self._engine.turn()
        self.zero_ns = self.zero_ns or self._engine.stats().cameras[CAMERA].newest_stamp_ns

    def _begin(self) -> None:
        """Start the engine's thread over what it has seen."""
        stats = self._engine.stats()
        if not stats.frames_used:
            why = stats.cameras[CAMERA].last_error or 'it has none'
            raise BadInput(f'{self._source.path}: no frame can be used: {why}')
        self._engine.start()

    def _follow(self, frames: Iterator[Frame], paced: bool) -> None:
        started_s = time.monotonic()
        for frame in frames:
            due_s = (frame.stamp_ns - self.zero_ns) / 1e9 + started_s if paced else 0.0
            if self._end.wait(max(0.0, due_s - time.monotonic())):
                return
            try:  # decoded now: a source gives a frame's pixels only before the next one
                pixels = frame.pixels() if callable(frame.pixels) else frame.pixels
            except BadFrame as error:
                self._engine.turn_away(CAMERA, str(error))
            else:
                self._engine.see(replace(frame, pixels=pixels))


def _patient(question: Question) -> Question:
    """Return a question that has a deadline only if it has a budget."""
    return replace(question, unlimited=question.budget_s is None)


@contextmanager
def _ctrl_c() -> Iterator[threading.Event]:
    """Note Ctrl-C in place of raising it, so that no step ends in its middle."""
    pressed = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        pressed.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
