# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Replaying recordings through the engine, each question asked at its time.

No clock, no thread and no ROS: every frame is shown to the engine and stepped before the next one
is read, so two runs see and answer the same.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from livevlm_ros.engine.messages import Answer, Frame, Question
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.outcome import Evaluation, MemorySample, Outcome
from livevlm_ros.replay.questions import QuestionEntry, questions_beside, read_questions
from livevlm_ros.replay.source import FrameSource, find_recordings, open_source

if TYPE_CHECKING:  # it brings torch
    from livevlm_ros.engine import EngineStats

SAMPLE_EVERY = 16
"""Frames between two looks at the memory's sizes."""

Progress = Callable[[str, float], None]


class OfflineEngine(Protocol):
    """What a replay needs of `livevlm_ros.engine.Engine`."""

    def see(self, frame: Frame) -> None:
        """Take a frame."""
        ...

    def turn(self) -> bool:
        """Do one piece of waiting work; False when there was none."""
        ...

    def ask_now(self, question: Question) -> Answer:
        """Answer in the caller's thread."""
        ...

    def clear(self) -> int:
        """Forget every frame."""
        ...

    def stats(self) -> EngineStats:
        """Return the engine's statistics."""
        ...


def evaluate(
    path: Path,
    engine: OfflineEngine,
    *,
    questions: Path | None = None,
    topic: str | None = None,
    thumbnails: bool = False,
    progress: Progress = lambda name, share: None,
) -> Evaluation:
    """
    Replay what a path stands for and ask what its questions files say.

    :param path: a bag, a video or a folder of them; the memory is cleared between recordings
    :param engine: loaded, not started
    :param questions: questions file of a single recording; by default the one beside each
    :param topic: image topic, where a bag has several
    :param thumbnails: return a small jpeg with each evidence frame
    :param progress: called with the recording's name and the share of everything done, [0, 1]
    :raises BadInput: when no recording or no question at all can be used
    """
    recordings = find_recordings(path)
    if questions is not None and len(recordings) > 1:
        raise BadInput(
            f'{path}: {len(recordings)} recordings, but one questions file; in a folder each '
            'recording has its own beside it, named <recording>.questions.yaml'
        )
    evaluation = Evaluation()
    for number, recording in enumerate(recordings):
        try:
            source = open_source(recording, topic=topic)
        except BadInput as problem:
            if len(recordings) == 1:
                raise
            evaluation.warnings.append(str(problem))
            continue
        entries = _entries(recording, questions, evaluation)
        engine.clear()
        replay = _Replay(engine, source, evaluation, thumbnails=thumbnails)
        done, share = number / len(recordings), 1 / len(recordings)
        for count, frame in enumerate(source.frames()):
            replay.step(frame, entries)
            progress(recording.name, done + share * min(1.0, count / max(1, source.length)))
        replay.finish(entries)
    progress('', 1.0)
    if not evaluation.recordings:
        raise BadInput(f'{path}: no recording can be used: {"; ".join(evaluation.warnings)}')
    return evaluation


def _entries(
    recording: Path, given: Path | None, evaluation: Evaluation
) -> deque[QuestionEntry]:
    file = given or questions_beside(recording)
    if file is None:
        evaluation.warnings.append(f'{recording}: no questions file; only its frames are replayed')
        return deque()
    entries, refused = read_questions(file)
    if refused and not entries:
        raise BadInput('no question can be used:\n' + '\n'.join(refused))
    evaluation.warnings += refused
    evaluation.refused += len(refused)
    return deque(entries)


class _Replay:
    """One recording on its way through the engine."""

    def __init__(
        self, engine: OfflineEngine, source: FrameSource, to: Evaluation, *, thumbnails: bool
    ) -> None:
        self._engine, self._source, self._to = engine, source, to
        self._thumbnails = thumbnails
        self._name = source.path.name
        self._first_ns: int | None = None
        self._last_ns = 0
        self._frames = 0
        self._used_before = engine.stats().frames_used
        self._used_s: list[float] = []

    def step(self, frame: Frame, entries: deque[QuestionEntry]) -> None:
        """Ask what comes before the frame, then let the engine take it."""
        self._frames += 1
        if self._first_ns is None and frame.stamp_ns > 0:
            self._first_ns = frame.stamp_ns
        while entries and self._seconds(frame.stamp_ns) > entries[0].at:
            self._ask(entries.popleft())
        self._last_ns = max(self._last_ns, frame.stamp_ns)
        started = time.perf_counter()
        self._engine.see(frame)
        stepped = self._engine.turn()
        self._to.ingest_s += time.perf_counter() - started
        if stepped and self._engine.stats().frames_used > self._used_before + len(self._used_s):
            self._used_s.append(self._seconds(frame.stamp_ns))
            if len(self._used_s) % SAMPLE_EVERY == 0:
                self._sample()

    def finish(self, entries: deque[QuestionEntry]) -> None:
        """Ask what comes after the last frame, and account for the recording."""
        seconds = self._seconds(self._last_ns)
        period = seconds / max(1, self._frames - 1)
        while entries and entries[0].at <= seconds + period:
            self._ask(entries.popleft())
        self._to.warnings += [
            f'{self._source.path}: question {entry.id!r} is at {entry.at:g} s, outside the '
            f'recording of {seconds:.3f} s: not asked'
            for entry in entries
        ]
        self._to.outside += len(entries)
        if not self._frames:
            self._to.warnings.append(f'{self._source.path}: no frame could be read')
        self._sample()
        self._to.frames += self._frames
        self._to.seconds += seconds
        self._to.recordings.append(self._name)
        self._to.warnings += self._source.warnings
        self._to.skipped.update(self._source.skipped)

    def _ask(self, entry: QuestionEntry) -> None:
        answer = self._engine.ask_now(
            Question(
                text=entry.question,
                request_id=entry.id,
                budget_s=entry.budget,
                unlimited=entry.budget is None,
                attach_images=self._thumbnails,
            )
        )
        evidence_s = tuple(self._seconds(found.stamp_ns) for found in answer.evidence)
        age = None if entry.evidence is None else self._age(entry.evidence[1])
        self._to.outcomes.append(Outcome(self._name, entry, answer, evidence_s, age))

    def _age(self, last_s: float) -> int:
        return max(1, len(self._used_s) - bisect_right(self._used_s, last_s + 1e-6) + 1)

    def _seconds(self, stamp_ns: int) -> float:
        """Return a stamp as seconds from the recording's first frame."""
        return (stamp_ns - (self._first_ns or stamp_ns)) / 1e9

    def _sample(self) -> None:
        sizes = self._engine.stats().memory
        if sizes is None or not self._used_s:
            return
        newest_s, oldest_s = self._used_s[-1], self._used_s[-max(1, sizes.short_term_frames)]
        self._to.memory.append(MemorySample(self._name, newest_s, newest_s - oldest_s, sizes))
