# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recall: an answer without words, the frames that a question wants."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from livevlm_ros.engine.answer import Answering
from livevlm_ros.engine.held import HeldFrame, held_frames
from livevlm_ros.engine.messages import Finish
from livevlm_ros.memory import QuestionView
from livevlm_ros.model import AnswerToken


class Recalling(Answering):
    """
    One question whose frames are wanted: it is read as for an answer, and nothing is decoded.

    So its frames are those that an answer to it would rest on. The budget, the ladder and the
    refusals are an answer's, too.
    """

    def _decode(self, tokens: Iterator[AnswerToken], token: AnswerToken | None) -> Finish:
        return Finish.STOP

    def _seen(self, view: QuestionView) -> tuple[HeldFrame, ...]:
        """Return the frames the first answer token looks at, best first, the best with 1."""
        wanted = view.evidence()[: self._question.max_evidence]
        best = max([share for _, share in wanted], default=0.0) or sys.float_info.min
        scores = [(ref, share / best) for ref, share in wanted]
        return held_frames(self._parts, scores, attach_images=self._question.attach_images)
