# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Is the evidence used? Each question is asked again without the frames it looked at.

What is taken away are the frames that hold most of the attention on frames; a control takes as
many others of those that were read. Evidence that names what an answer hangs on changes the
answer when it is gone, the control does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from livevlm_ros.engine.messages import Answer, Evidence, Question, Status
from livevlm_ros.replay.outcome import EVIDENCE_FRAMES
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.recording_time import Moments

if TYPE_CHECKING:  # it brings torch
    from livevlm_ros.engine import Engine

MASKED_SHARE = 0.9
"""Share of the attention on frames that the frames taken away hold together."""

EVERY_FRAME = 255
"""Evidence frames asked for: all that were read, as far as an answer can name them."""


class Masking:
    """
    The `ask` of a replay that also asks without what was looked at.

    `asked` counts the questions, `changed` those whose answer changed without their evidence,
    `control` those whose answer changed without other frames.

    :param engine: loaded, not started
    :param seed: of the choice of other frames
    """

    def __init__(self, engine: Engine, *, seed: int = 0) -> None:
        self._engine, self._rng = engine, np.random.default_rng(seed)
        self.asked = self.changed = self.control = 0

    def ask(self, question: Question, entry: QuestionEntry, moments: Moments) -> Answer:
        """Ask a question, and count what becomes of its answer; see `evaluate.Ask`."""
        answer = self._engine.ask_now(replace(question, max_evidence=EVERY_FRAME))
        used = most_looked_at(answer.evidence)
        others = answer.evidence[len(used) :]
        if answer.status is Status.OK and 0 < len(used) <= len(others):
            chosen = self._rng.permutation(len(others))[: len(used)]
            self.asked += 1
            control = [others[n] for n in chosen]
            self.changed += self._without(used, question, moments) != answer.text
            self.control += self._without(control, question, moments) != answer.text
        return replace(answer, evidence=answer.evidence[:EVIDENCE_FRAMES])

    def _without(self, frames: Sequence[Evidence], question: Question, moments: Moments) -> str:
        """Return the answer without some frames."""
        from livevlm_ros.engine import FrameRef, ReadFilter

        gone = frozenset(
            FrameRef(frame.camera, frame.stream_ns, frame.frame_id, frame.frame_key)
            for frame in frames
        )
        plain = replace(question, attach_images=False)
        lookback_ns = round(question.lookback_s * 1e9)
        reading = ReadFilter(
            first_ns=moments.newest_ns - lookback_ns if lookback_ns else None, without=gone
        )
        return self._engine.ask_now(plain, reading=reading).text

    def report(self) -> dict[str, Any]:
        """Return the counts and rates; `times` is how much more often evidence changes answers."""
        rates = [count / self.asked if self.asked else None for count in self._counts()]
        times = self.changed / self.control if self.control else None
        return {
            'n': self.asked,
            'changed': self.changed,
            'rate': rates[0],
            'control_changed': self.control,
            'control_rate': rates[1],
            'times': times,
        }

    def _counts(self) -> tuple[int, int]:
        return self.changed, self.control


def most_looked_at(evidence: Sequence[Evidence]) -> Sequence[Evidence]:
    """Return the fewest frames that hold `MASKED_SHARE` of the attention, best first."""
    held = np.cumsum([frame.score for frame in evidence])
    return evidence[: int(np.searchsorted(held, MASKED_SHARE - 1e-9)) + 1]


def in_words(masked: dict[str, Any]) -> str:
    """Say in one line what the counts come to."""
    if not masked['n']:
        return 'masked: no question had evidence to take away, and as many other frames'
    times = 'never without others' if masked['times'] is None else f'{masked["times"]:.1f} times'
    return (
        f'masked: without the frames it looked at {100 * masked["rate"]:.1f} % of {masked["n"]} '
        f'answers change, without as many others {100 * masked["control_rate"]:.1f} % ({times})'
    )
