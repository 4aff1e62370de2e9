# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Replaying recordings through the engine, each question asked at its time.

No clock, no thread and no ROS: every frame is shown to the engine and stepped before the next one
is read, so two runs see and answer the same. Time is that of the recording, see `RecordingTime`: a
stray stamp asks no question early, and a clock that is set back asks none late.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import comb
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from livevlm_ros.engine.messages import Answer, Frame, Question
from livevlm_ros.replay.clip import Clip
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.outcome import EVIDENCE_FRAMES, Evaluation, MemorySample, Outcome
from livevlm_ros.replay.procedure import PLAIN, Given, Procedure
from livevlm_ros.replay.questions import (
    AT_THE_END,
    QuestionEntry,
    questions_beside,
    questions_file,
    read_questions,
)
from livevlm_ros.replay.recording_time import Moments
from livevlm_ros.replay.source import find_recordings, open_source

if TYPE_CHECKING:  # it brings torch
    from livevlm_ros.engine import EngineStats

SAMPLE_EVERY = 4
"""Frames between two looks at the memory's sizes."""

Progress = Callable[[str, float], None]
Ask = Callable[[Question, QuestionEntry, Moments], Answer]
"""Asks a question, given its entry in the file, and when the memory's frames were taken."""


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
    procedure: Procedure = PLAIN,
    *,
    ask: Ask | None = None,
    progress: Progress = lambda name, share: None,
) -> Evaluation:
    """
    Replay what a path stands for and ask what its questions files say.

    :param path: a bag, a video or a folder of them; the memory is cleared between recordings
    :param engine: loaded, not started
    :param ask: asks the engine in another way than by `ask_now` alone
    :param progress: called with the recording's name and the share of everything done, [0, 1]
    :raises BadInput: when no recording or no question at all can be used
    """
    recordings = _recordings(path, procedure.questions)
    evaluation = Evaluation()
    for number, recording in enumerate(recordings):

        def tell(share: float, name: str = recording.name, done: int = number) -> None:
            progress(name, (done + share) / len(recordings))

        evaluation += evaluate_one(recording, engine, procedure, ask=ask, progress=tell)
    progress('', 1.0)
    check_used(path, evaluation, recordings=len(recordings))
    return evaluation


def evaluate_one(
    recording: Path,
    engine: OfflineEngine,
    procedure: Procedure = PLAIN,
    *,
    ask: Ask | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> Evaluation:
    """
    Replay one recording; parameters as of `evaluate`.

    :param progress: called with the share that is done, [0, 1]
    :returns: without a recording, and with a warning, where it cannot be used
    """
    evaluation = Evaluation()
    try:
        source = Clip(open_source(recording, topic=procedure.topic), procedure.stretch)
        given = _entries(recording, procedure.questions, evaluation)
    except BadInput as problem:
        evaluation.warnings.append(str(problem))
        evaluation.left_out.append(recording.name)
        return evaluation
    engine.clear()
    early = [entry for entry in given if not procedure.stretch.shows(entry)]
    entries = deque(entry for entry in given if procedure.stretch.shows(entry))
    ask = ask or (lambda question, entry, moments: engine.ask_now(question))
    replay = _Replay(engine, source, evaluation, procedure, ask=ask)
    work = source.length + len(entries) + 1
    for done, _ in enumerate(replay.run(entries, early)):
        progress(min(1.0, done / work))
    return evaluation


def check_used(path: Path, evaluation: Evaluation, *, recordings: int) -> None:
    """
    Refuse an evaluation of which no recording could be used.

    :param recordings: how many there were
    :raises BadInput: saying why
    """
    if evaluation.recordings:
        return
    problems = '; '.join(evaluation.warnings)
    raise BadInput(
        problems if recordings == 1 else f'{path}: no recording can be used: {problems}'
    )


def check_source(path: Path, procedure: Procedure = PLAIN) -> None:
    """
    Refuse what `evaluate` would refuse, before an engine is loaded for it.

    :raises BadInput: as `evaluate` does
    """
    recordings, problems = _recordings(path, procedure.questions), Evaluation()
    for recording in recordings:
        try:
            open_source(recording, topic=procedure.topic)
            _entries(recording, procedure.questions, Evaluation())
        except BadInput as problem:
            problems.warnings.append(str(problem))
        else:
            return
    check_used(path, problems, recordings=len(recordings))


def _recordings(path: Path, questions: Given) -> list[Path]:
    recordings = find_recordings(path)
    if isinstance(questions, Path) and len(recordings) > 1:
        raise BadInput(
            f'{path}: {len(recordings)} recordings, but one questions file; in a folder each '
            'recording has its own beside it, named <recording>.questions.yaml'
        )
    return recordings


def _entries(recording: Path, given: Given, evaluation: Evaluation) -> deque[QuestionEntry]:
    if given is not None and not isinstance(given, Path):
        return deque(given)
    file = given or questions_beside(recording)
    if file is None:
        evaluation.warnings.append(
            f'{recording}: no questions file; its frames alone are replayed; expected '
            f'{questions_file(recording).name} beside it'
        )
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
        self,
        engine: OfflineEngine,
        source: Clip,
        to: Evaluation,
        procedure: Procedure,
        *,
        ask: Ask,
    ) -> None:
        self._engine, self._source, self._to = engine, source, to
        self._procedure, self._ask_engine = procedure, ask
        self._name = source.path.name
        self._moments = Moments()
        self._now_ns = 0  # from the recording's first frame
        self._frames = 0
        self._used_before = engine.stats().frames_used
        self._used_s: list[float] = []
        self._begin_s = 0.0

    def run(self, entries: deque[QuestionEntry], early: Sequence[QuestionEntry]) -> Iterator[None]:
        """
        Replay from the first frame to the last; yields after each frame and each answer.

        :param early: questions that are not asked, for the first frame is too late for them
        """
        for elapsed_ns, frame in self._source.timed():
            self._show(frame, elapsed_ns)
            while entries and self._now_s > entries[0].at:
                self._ask(entries.popleft())
                yield
            self._step(frame)
            yield
        seconds = self._now_s
        period = (seconds - self._begin_s) / max(1, self._frames - 1)
        entries = deque(replace(e, at=seconds) if e.at == AT_THE_END else e for e in entries)
        while entries and entries[0].at <= seconds + period:
            self._ask(entries.popleft())
            yield
        self._close(seconds, [*early, *entries])

    def _show(self, frame: Frame, elapsed_ns: int) -> None:
        """Let the engine take the frame, which the memory does not hold yet."""
        self._now_ns = elapsed_ns
        if not self._frames:
            self._begin_s = self._now_s
        self._frames += 1
        started = time.perf_counter()
        self._engine.see(frame)
        self._to.ingest_s += time.perf_counter() - started

    def _step(self, frame: Frame) -> None:
        """Let the engine write the frame into the memory."""
        started = time.perf_counter()
        stepped = self._engine.turn()
        self._to.ingest_s += time.perf_counter() - started
        if not stepped:
            return
        stats = self._engine.stats()
        if stats.frames_used > self._used_before + len(self._used_s):
            self._moments.note(stats.cameras[frame.camera].newest_stream_ns, self._now_ns)
            self._used_s.append(self._now_s)
            if len(self._used_s) % SAMPLE_EVERY == 0:
                self._sample()

    def _close(self, seconds: float, left: Sequence[QuestionEntry]) -> None:
        """Account for the recording and for the questions that were not asked."""
        if not self._frames:
            why = 'no frame is that late' if self._source.begins_late else 'no frame could be read'
            self._to.warnings.append(f'{self._source.path}: {why}')
        self._to.warnings += [
            f'{self._source.path}: question {entry.id!r} is at {entry.at:g} s, outside '
            f'{self._span(seconds)}: not asked'
            for entry in left
        ]
        self._to.outside += len(left)
        self._sample()
        self._to.frames += self._frames
        self._to.seconds += seconds - self._begin_s
        self._to.recordings.append(self._name)
        self._to.warnings += self._source.warnings
        self._to.skipped.update(self._source.skipped)

    def _span(self, seconds: float) -> str:
        if self._begin_s:
            return f'what is used, {self._begin_s:.3f} to {seconds:.3f} s'
        return f'the recording of {seconds:.3f} s'

    def _ask(self, entry: QuestionEntry) -> None:
        question = Question(
            text=entry.question,
            request_id=entry.id,
            budget_s=entry.budget,
            unlimited=entry.budget is None,
            attach_images=self._procedure.thumbnails,
            choices=entry.choices if self._procedure.choose or entry.set else (),
            lookback_s=entry.lookback or 0.0,
        )
        answer = self._ask_engine(question, entry, self._moments)
        evidence_s = tuple(
            self._moments.elapsed_ns(found.stream_ns) / 1e9 for found in answer.evidence
        )
        age = chance = None
        if entry.shown:
            stretches = [self._within(stretch) for stretch in entry.shown]
            age = max(1, len(self._used_s) - max(beyond for _, beyond in stretches) + 1)
            sizes = self._engine.stats().memory
            held = 0 if sizes is None else sizes.frames
            oldest = len(self._used_s) - held
            shown = {n for first, beyond in stretches for n in range(max(first, oldest), beyond)}
            chance = _blind_hit(held, len(shown), min(held, len(evidence_s), EVIDENCE_FRAMES))
        self._to.outcomes.append(Outcome(self._name, entry, answer, evidence_s, age, chance))

    @property
    def _now_s(self) -> float:
        return self._now_ns / 1e9

    def _within(self, seconds: tuple[float, float]) -> tuple[int, int]:
        """Return the used frames between two times, as the first and one beyond the last."""
        first, last = seconds
        return bisect_left(self._used_s, first - 1e-6), bisect_right(self._used_s, last + 1e-6)

    def _sample(self) -> None:
        sizes = self._engine.stats().memory
        if sizes is None or not self._used_s:
            return
        newest_s, oldest_s = self._used_s[-1], self._used_s[-max(1, sizes.frames)]
        self._to.memory.append(MemorySample(self._name, newest_s, newest_s - oldest_s, sizes))


def _blind_hit(held: int, fitting: int, drawn: int) -> float:
    """Return the chance that one of `drawn` of `held` frames is one of the `fitting` ones."""
    return 1 - comb(held - fitting, drawn) / comb(held, drawn)
