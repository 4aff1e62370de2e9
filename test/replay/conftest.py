# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings of the world, a random checkpoint, and an engine that answers by a script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from livevlm_ros.engine import EngineConfig
from livevlm_ros.engine.messages import Answer, Evidence, Finish, Frame, Latency, Question, Status
from livevlm_ros.engine.slot import CameraStats, Dropped
from livevlm_ros.engine.stats import TokenCounts
from livevlm_ros.memory import RecallCounts
from livevlm_ros.replay.compare import Run
from livevlm_ros.replay.image_bag import image_bag
from livevlm_ros.replay.outcome import Evaluation, MemorySample, Outcome
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.recording_time import Moments
from livevlm_ros.replay.report import build_report
from livevlm_ros.replay.write_world import Filming, write_world

START_NS = 1_000_000_000
CAPACITY = 4  # frames the scripted engine holds


class ScriptedEngine:
    """Holds the stamps of the last frames and answers every question with what it is told to."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.evidence_s: dict[str, list[float]] = {}
        self.status = Status.OK
        self.total_ms = 10.0
        self.held_ns: list[int] = []
        self.seen_at: dict[str, list[float]] = {}  # by question, the frames it could see
        self.questions: list[Question] = []
        self.used = self.cleared = self.newest_ns = 0
        self._waiting: Frame | None = None

    def see(self, frame: Frame) -> None:
        self._waiting = frame
        self.newest_ns = frame.stamp_ns

    def turn(self) -> bool:
        assert self._waiting is not None
        self.held_ns = [*self.held_ns, self._waiting.stamp_ns][-CAPACITY:]
        self.used += 1
        return True

    def ask_now(self, question: Question) -> Answer:
        self.questions.append(question)
        self.seen_at[question.text] = [(ns - START_NS) / 1e9 for ns in self.held_ns]
        return Answer(
            status=self.status,
            text=self.answers.get(question.text, ''),
            finish=Finish.STOP,
            completion_tokens=1,
            frames_considered=len(self.held_ns),
            evidence=tuple(
                Evidence('camera', START_NS + round(second * 1e9), 'camera', 'key', 0.5)
                for second in self.evidence_s.get(question.text, [])
            ),
            latency=Latency(first_token_ms=self.total_ms / 2, total_ms=self.total_ms),
        )

    def clear(self) -> int:
        self.cleared += 1
        self.held_ns = []
        return 0

    def stats(self) -> SimpleNamespace:
        sizes = SimpleNamespace(
            short_term_tokens=9 * len(self.held_ns),
            long_term_tokens=0,
            archive_tokens=0,
            device_bytes=1000,
            read_bytes=500,
            host_bytes=0,
            disk_bytes=0,
            full_cache_bytes=100 * self.used,
            short_term_frames=len(self.held_ns),
            frames=len(self.held_ns),
            recall=RecallCounts(),
            archive_lost=0,
            disk_lost=False,
            evictions=0,
            context_truncated=False,
        )
        newest_ns = self.newest_ns
        cameras = {'camera': CameraStats(newest_stamp_ns=newest_ns, newest_stream_ns=newest_ns)}
        return SimpleNamespace(
            frames_used=self.used,
            tokens=TokenCounts(),
            memory=sizes,
            cameras=cameras,
            unknown_cameras=CameraStats(),
            strangers=0,
        )


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def make_bag(tmp_path: Path) -> Callable[..., Path]:
    """Write a bag of grey frames at one a second, with a questions file beside it."""

    def make(name: str = 'bag', *, frames: int = 8, questions: str = '') -> Path:
        with image_bag(tmp_path / name) as write:
            for second in range(frames):
                write(START_NS + second * 1_000_000_000, np.full((24, 32, 3), second, np.uint8))
        if questions:
            (tmp_path / f'{name}.questions.yaml').write_text(questions)
        return tmp_path / name

    return make


@pytest.fixture
def moments() -> Moments:
    """Return the times of a memory over a recording whose clock never leapt."""
    moments = Moments()
    moments.note(START_NS, 0)
    return moments


@pytest.fixture(scope='session')
def world_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Film two short streams of the world with their questions."""
    folder = tmp_path_factory.mktemp('film') / 'world'
    write_world(folder, Filming(seed=5, streams=2, frames=(6, 10), size=(128, 96), questions=12))
    return folder


@pytest.fixture(scope='session')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save the embedded model's architecture with random weights."""
    from livevlm_ros.training.checkpoint import build_model, save_checkpoint

    folder = tmp_path_factory.mktemp('random') / 'checkpoint'
    save_checkpoint(build_model(0), folder)
    return folder


@pytest.fixture
def make_outcome() -> Callable[..., Outcome]:
    """Make a right or wrong answer to a question about `age` frames ago, two frames a second."""

    def make(
        right: bool = True,
        *,
        recording: str = 'a',
        id: str = '1',
        type: str = 'now',
        age: int | None = 1,
        said: str = '',
        first_token_ms: float = 10.0,
        thumbnail: bytes = b'',
    ) -> Outcome:
        entry = QuestionEntry(
            at=2000.0,
            question='what is it ?',
            id=id,
            answer=('red',),
            type=type,
            choices=('red', 'blue'),
            evidence=None if age is None else (0.0, 2000.0 - age / 2),
        )
        answer = Answer(
            status=Status.OK,
            text=said or ('red' if right else 'blue'),
            completion_tokens=1,
            evidence=(
                Evidence('camera', START_NS, 'camera', 'key', 0.5, thumbnail_jpeg=thumbnail),
            ),
            latency=Latency(first_token_ms=first_token_ms, total_ms=2 * first_token_ms),
        )
        return Outcome(recording, entry, answer, (7.0,), age, 0.25)

    return make


@pytest.fixture
def make_run() -> Callable[..., Run]:
    """Make a run of outcomes, over a stream of which the short-term ring holds two frames."""

    def make(name: str, *outcomes: Outcome, archive_tokens: int = 0, **bound: bool) -> Run:
        def sizes(frames: int) -> SimpleNamespace:
            return SimpleNamespace(
                short_term_tokens=9 * min(2, frames),
                long_term_tokens=0,
                archive_tokens=archive_tokens if frames > 2 else 0,
                device_bytes=1000,
                read_bytes=500,
                host_bytes=0,
                disk_bytes=0,
                full_cache_bytes=1100 * frames,
                context_truncated=False,
            )

        evaluation = Evaluation(
            frames=4,
            recordings=['a'],
            outcomes=list(outcomes),
            memory=[MemorySample('a', float(n), 0.0, sizes(n)) for n in (1, 2, 3, 4)],
        )
        stats = SimpleNamespace(
            model=None,
            memory=None,
            frames_in=4,
            frames_used=4,
            tokens=TokenCounts(),
            dropped=Dropped(),
            strangers=0,
            cameras={},
            unknown_cameras=CameraStats(),
        )
        report = build_report(
            evaluation, stats, EngineConfig(), path='w', seconds=1.0, name=name, **bound
        )
        return Run(report, evaluation)

    return make
