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

if TYPE_CHECKING:  # they bring torch
    from livevlm_ros.engine import Engine, ReadFilter
    from livevlm_ros.replay.rows import Row

_TOLERANCE_NS = 1000  # seconds of a file, as floats, are no nearer to the stamps they mean


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

    def ask(question: Question, entry: QuestionEntry, first_ns: int) -> Answer:
        return engine.ask_now(question, reading=truth_filter(entry, first_ns))

    return ask


def alone_of(engine: Engine) -> Ask:
    """
    Make the `ask` of a replay that lets questions read no frame.

    :param engine: loaded, not started
    """

    def ask(question: Question, entry: QuestionEntry, first_ns: int) -> Answer:
        from livevlm_ros.engine import ReadFilter

        return engine.ask_now(question, reading=ReadFilter(short_term=False, long_term=False))

    return ask


def truth_filter(entry: QuestionEntry, first_ns: int) -> ReadFilter:
    """
    Say what of the memory shows the answer.

    :param first_ns: stamp of the recording's first frame
    :returns: short-term, and of the rest the frames of the stretches in which the answer was
        visible; without one, nothing of the rest
    """
    from livevlm_ros.engine import ReadFilter

    if not entry.shown:
        return ReadFilter(long_term=False)
    stretches = [[first_ns + round(second * 1e9) for second in each] for each in entry.shown]
    return ReadFilter(
        only_ns=tuple((first - _TOLERANCE_NS, last + _TOLERANCE_NS) for first, last in stretches)
    )
