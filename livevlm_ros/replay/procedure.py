# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How recordings are evaluated, in one object that commands hand on to the replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from livevlm_ros.replay.clip import WHOLE, Stretch
from livevlm_ros.replay.questions import QuestionEntry

Given = Path | Sequence[QuestionEntry] | None
"""Questions: a file of a single recording, entries for each, or None: the file beside each."""


@dataclass(frozen=True, slots=True)
class Procedure:
    """
    How recordings are evaluated, the same for each of them.

    :param questions: what to ask, as `Given` says
    :param topic: image topic, where a bag has several
    :param thumbnails: return a small jpeg with each evidence frame
    :param choose: let the answer be one of the question's choices, where it has some; those of
        public sets always are
    :param stretch: what is used of each recording; questions before it, or about what was before
        it, are not asked
    """

    questions: Given = None
    topic: str | None = None
    thumbnails: bool = False
    choose: bool = False
    stretch: Stretch = WHOLE


PLAIN = Procedure()
"""The questions beside each recording, about all of it."""
