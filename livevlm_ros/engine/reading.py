# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What of the memory a question asks for, and what of it an answer has read."""

from __future__ import annotations

from livevlm_ros.engine.messages import Question, Scope
from livevlm_ros.engine.timeline import Span, Timeline
from livevlm_ros.memory import ReadFilter


def filter_of(question: Question, timeline: Timeline, *, newest_ns: int) -> ReadFilter:
    """
    Return what a question may read, in stream time.

    `time_start` and `time_end` are header stamps: a stamp that came twice, because a clock ran
    back, is read both times. `as_of` is the last time that its stamp came.

    :param newest_ns: stream time of the memory's newest frame: now, where `as_of` is not set
    """
    first_ns, end_ns = question.time_start_ns or None, question.time_end_ns or None
    spans: tuple[Span, ...] = ()
    if timeline.leaps and (first_ns or end_ns):
        spans = timeline.spans(first_ns, end_ns)
        first_ns = end_ns = None
    as_of_ns = timeline.as_of_ns(question.as_of_ns) if question.as_of_ns else None
    if question.lookback_s:
        first_ns = (as_of_ns or newest_ns) - round(question.lookback_s * 1e9)
    last_ns = min((ns for ns in (end_ns, as_of_ns) if ns), default=None)
    return ReadFilter(
        cameras=frozenset(question.cameras) or None,
        first_ns=first_ns,
        last_ns=last_ns,
        spans=spans,
        short_term=question.scope is not Scope.LONG_TERM,
        long_term=question.scope not in (Scope.NOW, Scope.SHORT_TERM),
        newest_only=question.scope is Scope.NOW,
    )


def scope_of(reading: ReadFilter, *, retrieves: bool) -> Scope:
    """
    Return the scope that an answer has read.

    :param retrieves: whether the memory has more than short-term
    """
    if reading.newest_only:
        return Scope.NOW
    if not reading.short_term:
        return Scope.LONG_TERM
    return Scope.ALL if reading.long_term and retrieves else Scope.SHORT_TERM
