# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A watch: a question that is asked again and again, and told of when its answer changes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from livevlm_ros.engine.messages import Answer, Evidence, Frame


class Reason(IntEnum):
    """Why a watch is told of (the constants of `WatchEvent.msg`)."""

    FIRST = 0
    CHANGED = 1
    ROSE = 2
    FELL = 3


@dataclass(frozen=True, slots=True)
class Watch:
    """
    A standing question.

    Its times are those of the stream, as header stamps tell them; `budget_s` is on the steady
    clock.

    :param watch_id: its name; empty: one is made
    :param cameras: read these only; empty: all
    :param period_s: from one round to the next; 0: `every_frames` counts
    :param every_frames: a round at each k-th frame of its cameras that enters the memory; 0:
        `period_s` counts
    :param min_confidence: an answer below it is told only when it falls there, [0, 1]
    :param cooldown_s: least time between two events
    :param budget_s: of each answer; None: the configured default, 0: what one is measured to take
    """

    text: str
    watch_id: str = ''
    cameras: tuple[str, ...] = ()
    period_s: float = 0.0
    every_frames: int = 0
    min_confidence: float = 0.0
    cooldown_s: float = 0.0
    budget_s: float | None = None


class WatchEvent(NamedTuple):
    """
    The answer to a watch changed, or its confidence crossed the threshold.

    :param answer_before: what was told last; empty with `Reason.FIRST`
    :param stamp_ns: header stamp of the newest frame that the answer could see
    :param evidence: best first
    """

    watch_id: str
    text: str
    reason: Reason
    answer: str
    answer_before: str
    confidence: float
    stamp_ns: int
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class WatchState:
    """
    A watch and what became of it.

    :param answer: the last one; empty: none yet
    :param answered_ns: header stamp of the newest frame it could see; 0: none yet
    :param events: told so far
    :param rounds: that ended with a reply
    :param skipped: rounds that passed while the engine had no time for them
    :param took_s: seconds of the last round
    :param problem: why the last round had no answer; empty: it had one
    """

    watch: Watch
    answer: str = ''
    confidence: float = 0.0
    answered_ns: int = 0
    events: int = 0
    rounds: int = 0
    skipped: int = 0
    took_s: float = 0.0
    problem: str = ''


class Standing:
    """
    One watch at work: when its rounds are, and what was told last.

    An answer is compared with what was told, not with the one before: a change that comes during
    the cooldown and lasts is told after it.
    """

    def __init__(self, watch: Watch, newest_ns: Mapping[str, int], spent_s: float) -> None:
        """
        Begin with a round that is due, or will be with the first frame.

        :param newest_ns: stream time of the newest frame of each camera
        :param spent_s: engine time that it counts as having had
        """
        self.watch, self.spent_s = watch, spent_s
        self.answer, self.confidence, self.answered_ns = '', 0.0, 0
        self.events = self.rounds = self.skipped = 0
        self.took_s, self.problem = 0.0, ''
        seen_ns = [newest_ns[name] for name in watch.cameras or newest_ns if name in newest_ns]
        self._newest_ns = max(seen_ns, default=0)
        self._round_ns = self._newest_ns if seen_ns else None  # the last frame that made one due
        self._due = int(bool(seen_ns))  # rounds
        self._frames = 0  # since the last round was due
        self._told_ns: int | None = None
        self._told, self._sure = '', False

    @property
    def due(self) -> bool:
        """Whether it is time for a round."""
        return self._due > 0

    def saw(self, frames: Iterable[Frame]) -> None:
        """Count frames that entered the memory."""
        stamps = [
            frame.stream_ns
            for frame in frames
            if not self.watch.cameras or frame.camera in self.watch.cameras
        ]
        if not stamps:
            return
        self._newest_ns, self._frames = max(stamps), self._frames + len(stamps)
        if self._is_over():
            self._due, self._frames, self._round_ns = self._due + 1, 0, self._newest_ns

    def state(self) -> WatchState:
        """Return it as it is listed."""
        return WatchState(
            watch=self.watch,
            answer=self.answer,
            confidence=self.confidence,
            answered_ns=self.answered_ns,
            events=self.events,
            rounds=self.rounds,
            skipped=self.skipped + max(0, self._due - 1),
            took_s=self.took_s,
            problem=self.problem,
        )

    def end_round(self) -> None:
        """Count the round that had its reply, and those that passed before it as skipped."""
        self.skipped, self._due = self.skipped + max(0, self._due - 1), 0
        self.rounds += 1

    def hear(self, answer: Answer) -> WatchEvent | None:
        """Take an answer; return what is to be told of it."""
        self.answer, self.confidence = answer.text, answer.confidence
        self.answered_ns = answer.newest_stamp_ns
        reason = self._reason(answer)
        if reason is None or self._cools():
            return None
        before, self._told, self._told_ns = self._told, answer.text, self._newest_ns
        self._sure, self.events = reason is not Reason.FELL, self.events + 1
        return WatchEvent(
            self.watch.watch_id,
            self.watch.text,
            reason,
            answer.text,
            before,
            answer.confidence,
            answer.newest_stamp_ns,
            answer.evidence,
        )

    def _is_over(self) -> bool:
        """Return whether the next round is due; time that began anew makes it so."""
        if self._round_ns is None:
            return True
        if self.watch.every_frames:
            return self._frames >= self.watch.every_frames
        since_s = (self._newest_ns - self._round_ns) / 1e9
        return not 0.0 <= since_s < self.watch.period_s

    def _reason(self, answer: Answer) -> Reason | None:
        if answer.confidence < self.watch.min_confidence:
            return Reason.FELL if self._sure else None
        if self._told_ns is None:
            return Reason.FIRST
        if _folded(answer.text) != _folded(self._told):
            return Reason.CHANGED
        return None if self._sure else Reason.ROSE

    def _cools(self) -> bool:
        """Return whether the last event is too near; time that began anew ends the wait."""
        since_s = math.inf if self._told_ns is None else (self._newest_ns - self._told_ns) / 1e9
        return 0.0 <= since_s < self.watch.cooldown_s


def _folded(text: str) -> str:
    """Return what of an answer counts when it is compared."""
    return ' '.join(text.casefold().split()).rstrip('.')
