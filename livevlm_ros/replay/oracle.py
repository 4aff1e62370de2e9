# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Bounds of what a memory can give: an oracle in place of retrieval, and questions that stand alone.

With an oracle a question reads, of what the memory holds, where its answer lies: what a model
answers then is the most that any retrieval could give it. Short-term is read whole, as ever. A
question that stands alone reads nothing: what a model answers then, the words give away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from livevlm_ros.engine.messages import Answer, Question
from livevlm_ros.replay.evaluate import Ask
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.recording_time import Moments

if TYPE_CHECKING:  # they bring torch
    from livevlm_ros.engine import Engine, ReadFilter
    from livevlm_ros.replay.rows import Row


def bound_of(engine: Engine, row: Row) -> Ask | None:
    """
    Make the `ask` of a replay with a row; None where it is none of these bounds.

    :param engine: loaded, not started
    """
    return oracle_of(engine) if row.oracle else alone_of(engine) if row.alone else None


def oracle_of(engine: Engine) -> Ask:
    """
    Make the `ask` of a replay that reads what an oracle tells.

    :param engine: loaded, not started
    """

    def ask(question: Question, entry: QuestionEntry, moments: Moments) -> Answer:
        return engine.ask_now(question, reading=truth_filter(entry, moments))

    return ask


def alone_of(engine: Engine) -> Ask:
    """
    Make the `ask` of a replay that lets questions read no frame.

    :param engine: loaded, not started
    """

    def ask(question: Question, entry: QuestionEntry, moments: Moments) -> Answer:
        from livevlm_ros.engine import ReadFilter

        return engine.ask_now(question, reading=ReadFilter(short_term=False, long_term=False))

    return ask


def truth_filter(entry: QuestionEntry, moments: Moments) -> ReadFilter:
    """
    Say what of the memory shows the answer.

    :param moments: when in the recording the frames were taken
    :returns: short-term, and of the rest the frames of the stretches in which the answer was
        visible; without one, nothing of the rest
    """
    from livevlm_ros.engine import ReadFilter

    if not entry.shown:
        return ReadFilter(long_term=False)
    return ReadFilter(only_ns=tuple(moments.span_ns(*stretch) for stretch in entry.shown))
