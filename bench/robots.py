# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Memories that live through a stream second by second, with the archive on disk.

Before each question the kernel forgets what it holds of the archive's file, so that a page that
was not fetched ahead comes from the disk.
"""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import dataclass, field
from typing import NamedTuple

from livevlm_bench.cold_disk import archive_file, cached_bytes, drop_cache
from livevlm_ros.engine import Answer, EngineConfig, Frame, Question, Status
from livevlm_ros.engine.admission import admissible
from livevlm_ros.engine.budget import Deadline
from livevlm_ros.engine.events import Events
from livevlm_ros.engine.ingest import Ingest
from livevlm_ros.engine.loop import Loop
from livevlm_ros.engine.parts import build_parts
from livevlm_ros.engine.questions import PendingQuestion, QuestionQueue
from livevlm_ros.engine.watches import Watches
from livevlm_ros.model import VideoLanguageModel
from livevlm_ros.replay.errors import BadInput

TRIES = 20
MOST_CACHED = 0.1
"""Most of the archive's file that the kernel may still hold when a question comes."""


class Second(NamedTuple):
    """
    What one second with a question took, in milliseconds.

    :param step: the frame's way into the memory
    :param idle: until pages were chosen ahead, after the step and after the last answer
    :param hidden: spent on choosing ahead
    :param exposed: the question's wait until its pages were there to be read
    :param answer: from the question to the whole answer
    """

    step: float
    idle: float
    hidden: float
    exposed: float
    answer: float


@dataclass(slots=True)
class Run:
    """
    What a memory answered, and how long it took, question by question.

    :param ahead: questions that read pages chosen ahead
    :param corrected: those of them that chose anew
    :param disk_bytes: of the archive's file at the end
    :param cached_bytes: of them, the most that the kernel held in RAM when a question came
    """

    answers: list[str] = field(default_factory=list)
    seconds: list[Second] = field(default_factory=list)
    ahead: int = 0
    corrected: int = 0
    disk_bytes: int = 0
    cached_bytes: int = 0


class Robot:
    """
    A memory, the frames it sees and the question it is asked.

    :param config: with an archive on disk, see `archive_on_disk`
    """

    def __init__(self, config: EngineConfig, model: VideoLanguageModel, question: str) -> None:
        self.run = Run()
        parts = build_parts(config, load=lambda given: model, progress=lambda phase, share: None)
        self._parts, self._memory = parts, parts.memory
        self._file = archive_file(self._memory)
        self._ingest = Ingest(config.cameras, target_fps=config.target_fps, on_jump=config.on_jump)
        self._loop = Loop(parts, self._ingest, QuestionQueue(1), Watches(config, Events()), config)
        self._question = admissible(Question(text=question, unlimited=True), config)

    def close(self) -> None:
        """Remove the archive's file."""
        self._parts.close()

    def live(self, frame: Frame, *, asked: bool) -> None:
        """Live through a second: a frame, an idle while, the question if it is asked."""
        before = self._memory.sizes().recall
        began = time.perf_counter()
        self._ingest.put(frame)
        self._loop.turn()
        stepped = time.perf_counter()
        self._memory.settle()
        settled = time.perf_counter()
        if not asked:
            return
        self._forget_file()
        asking = time.perf_counter()
        answer = self._ask()
        answered = time.perf_counter()
        self._memory.settle()
        sizes, run = self._memory.sizes(), self.run
        after = sizes.recall
        run.answers.append(answer.text)
        run.seconds.append(
            Second(
                step=(stepped - began) * 1e3,
                idle=(settled - stepped + time.perf_counter() - answered) * 1e3,
                hidden=(after.hidden_s - before.hidden_s) * 1e3,
                exposed=answer.latency.retrieval_ms,
                answer=(answered - asking) * 1e3,
            )
        )
        run.ahead, run.corrected = after.questions, after.questions_corrected
        run.disk_bytes = sizes.disk_bytes

    def _forget_file(self) -> None:
        allowed = self._file.nbytes * MOST_CACHED
        for _ in range(TRIES):  # a page the kernel is busy with stays for a moment
            drop_cache(self._file)
            if (cached := cached_bytes(self._file)) <= allowed:
                break
            time.sleep(0.01)
        self.run.cached_bytes = max(self.run.cached_bytes, cached)
        if cached > allowed:
            raise BadInput(
                f'{tempfile.gettempdir()}: the kernel keeps {cached} bytes of the archive in RAM; '
                'expected a disk: set TMPDIR to a folder on one'
            )

    def _ask(self) -> Answer:
        pending = PendingQuestion(self._question, Deadline(time.monotonic(), math.inf))
        self._loop.answer(pending, pause=lambda: 0.0)
        answer = pending.wait()
        if answer.status is not Status.OK:
            raise RuntimeError(
                f'{self._question.text!r} got no answer: {answer.status.name} {answer.message}'
            )
        return answer
