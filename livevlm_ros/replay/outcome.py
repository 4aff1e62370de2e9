# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What became of a replay: every question with its answer, every recording with its frames."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from livevlm_ros.engine import Absence
from livevlm_ros.engine.messages import Answer, Status
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.world import score

if TYPE_CHECKING:  # it brings torch
    from livevlm_ros.engine import MemorySizes

EVIDENCE_FRAMES = 3
"""Returned frames that are looked at, best first: one of them must lie in the truth's interval."""

ABSENT = ('never', 'no', 'unable to answer')
"""Answers that say that something was not there."""

_ABSENCE = Absence(dict.fromkeys(ABSENT, 1.0))
_TOLERANCE_S = 1e-6


def accepted(answer: Answer, entry: QuestionEntry) -> bool:
    """
    Tell whether an answer, or a best guess, is an accepted one.

    A choice is not its words: `-90` and `90`, or `C++` and `C`, are two of them. An accepted
    answer that is one of the choices stands for that choice alone.
    """
    if answer.choice_index < 0:
        return score(answer.text, entry.answer)
    chosen = entry.choices[answer.choice_index]
    in_words = [each for each in entry.answer if each not in entry.choices]
    return chosen in entry.answer or score(chosen, in_words)


def says_absent(text: str) -> bool:
    """Tell whether an answer says that something was not there, as the engine tells it."""
    return _ABSENCE.says(text)


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    A question that was asked, and what came back.

    :param recording: name of the recording
    :param entry: the question as it stands in its file
    :param answer: the engine's reply
    :param evidence_s: stamps of the returned frames, seconds from the recording's first frame
    :param age: frames used since the answer was last to be seen, that one included; None when the
        entry has no evidence
    :param evidence_chance: how likely as many frames of the memory, drawn blindly, hit the truth's
        interval; None when the entry has no evidence
    """

    recording: str
    entry: QuestionEntry
    answer: Answer
    evidence_s: tuple[float, ...]
    age: int | None
    evidence_chance: float | None

    @property
    def correct(self) -> bool | None:
        """
        Whether the answer is an accepted one or within its tolerance; None without either.

        `Status.NOT_SEEN` is right where the truth is an absence, whatever the best guess; public
        sets score the guess.
        """
        metric = self.entry.metric
        if metric is not None and metric.tolerance is not None:
            return self.error is not None and self.error <= metric.tolerance
        if not self.entry.answer:
            return None
        if self.answer.status == Status.NOT_SEEN and not self.entry.set:
            return self.absent
        return accepted(self.answer, self.entry)

    @property
    def error(self) -> float | None:
        """How far the answer is from a metric truth; None without one, or nothing to measure."""
        metric = self.entry.metric
        if metric is None:
            return None
        return metric.error(self.answer, self.evidence_s, self.entry.at)

    @property
    def absent(self) -> bool:
        """Whether the truth is that something was not there."""
        return any(answer.lower() in ABSENT for answer in self.entry.answer)

    @property
    def claims_absent(self) -> bool:
        """
        Whether the text claims to have seen what was not there, be it a guess.

        Any text does but an absence; where it was asked whether something was there, only yes.
        """
        text = self.answer.text.strip().lower()
        if not self.absent or not text or says_absent(text) or accepted(self.answer, self.entry):
            return False
        absences = {answer.lower() for answer in self.entry.answer} & set(ABSENT)
        return absences != {'no'} or text == 'yes'

    @property
    def evidence_hit(self) -> bool | None:
        """Whether a returned frame lies in the truth's interval; None when the entry has none."""
        if not self.entry.shown:
            return None
        return any(map(self.visible_at, self.evidence_s[:EVIDENCE_FRAMES]))

    def visible_at(self, second: float) -> bool:
        """Return whether the answer was visible then, in a stretch that the entry has."""
        return any(
            first - _TOLERANCE_S <= second <= last + _TOLERANCE_S
            for first, last in self.entry.shown
        )

    @property
    def variant(self) -> str:
        """The middle of an id like `exists-hard_no-0007`, which names a sort within a kind."""
        kind, _, rest = self.entry.id.partition('-')
        return rest.rpartition('-')[0] if kind == self.entry.type else ''

    @property
    def in_time(self) -> bool | None:
        """Whether the reply kept its budget; None when it had none."""
        if self.entry.budget is None:
            return None
        return self.answer.latency.total_ms <= 1000 * self.entry.budget


@dataclass(frozen=True, slots=True)
class MemorySample:
    """
    The memory's sizes at one point of a recording.

    :param seconds: stamp of the newest frame, from the recording's first
    :param context_s: seconds of the recording that the frames held reach back
    """

    recording: str
    seconds: float
    context_s: float
    sizes: MemorySizes


@dataclass(slots=True)
class Evaluation:
    """
    Everything a report is made of.

    :param recordings: names of those that were used
    :param left_out: names of those that could not be
    """

    frames: int = 0
    seconds: float = 0.0
    recordings: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    memory: list[MemorySample] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    outside: int = 0
    ingest_s: float = 0.0

    def __iadd__(self, later: Evaluation) -> Evaluation:
        """Add what was evaluated after this."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(later, each.name))
        return self
