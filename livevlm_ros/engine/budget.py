# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Deadlines on the steady clock, what the work costs, and the ladder of what is given up.

The cost averages start from the warm-up at load and are kept true by every step and answer.
Admission compares what is queued plus the cheapest answer with the budget; each answer then takes
as many tokens as still fit.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from enum import IntEnum

from livevlm_ros.memory import ReadFilter

RESERVE_S = 0.03
"""
Seconds of every budget kept for waking the thread that waits and for serialising the reply.

Measured with an engine that steps without pause on two cores that five other busy processes
share: a timed wait in another thread wakes 5 to 8 ms late at the median, 24 to 29 ms at p99.
"""


FEWER_PAGES = 0.5
"""Share of what retrieval would read that a question in a hurry reads."""

USUAL_TOKENS = 16
"""Length of an answer before one has been given."""

USUAL_BUDGET_S = 2.0
"""Least budget of a question when neither it nor a setting names one."""


class Rung(IntEnum):
    """How far down the ladder an answer had to go (`degradation_level` of the reply)."""

    ALL = 0  # everything asked for fitted the budget
    FEWER_PAGES = 1  # retrieval read a part of what it would have
    SHORT_TERM = 2  # nothing was retrieved
    FEWER_TOKENS = 3  # not all max_tokens fitted, but the answer ended before that mattered
    PARTIAL = 4  # cut by the budget
    REFUSED = 5  # nothing was decoded


@dataclass(frozen=True, slots=True)
class Deadline:
    """
    When a reply is due, on `time.monotonic`.

    :param received_s: when the question came in
    :param budget_s: seconds from then to the reply; infinite: no deadline
    """

    received_s: float
    budget_s: float

    def left_s(self) -> float:
        """Return the seconds left to work and to wait: to the budget's end less the reserve."""
        return self.received_s + self.budget_s - RESERVE_S - time.monotonic()


class Average:
    """
    A running average of a cost in seconds.

    One stalled measurement among honest ones moves it by 40 % at most, because a sample counts no
    more than three times the average; a lasting change is followed within some ten samples either
    way.
    """

    WEIGHT = 0.2
    LIMIT = 3.0

    def __init__(self, value: float = 0.0) -> None:
        self.value = value

    def add(self, sample: float) -> None:
        """Take in one measurement, 0 or more: below, the limit would let it run away."""
        if self.value == 0.0:
            self.value = sample
        else:
            self.value += self.WEIGHT * (min(sample, self.LIMIT * self.value) - self.value)


class Costs:
    """
    What each kind of work costs now; written by the engine thread, read by any.

    `step`: a batch of frames, seconds; `prompt`: question tokens; `prefill`: seconds per question
    token up to the first answer token; `token`: seconds per further answer token; `finish`:
    seconds for evidence and thumbnails; `probe`: seconds until there is something to choose pages
    by; `retrieval`: seconds to fetch all that retrieval reads; `rank`: seconds per page that is
    ranked; `answer`: seconds for a whole answer as questions go; `turn`: the same with the steps
    before it, where questions follow each other.
    """

    def __init__(self) -> None:
        self.step = Average()
        self.prompt = Average()
        self.prefill = Average()
        self.token = Average()
        self.finish = Average()
        self.probe = Average()
        self.retrieval = Average()
        self.rank = Average()
        self.answer = Average()
        self.turn = Average()

    @property
    def turn_s(self) -> float:
        """Seconds that one question of many holds the engine."""
        return self.turn.value or self._answer_s(USUAL_TOKENS)

    def _answer_s(self, tokens: int) -> float:
        """Return the seconds for an answer so long from all that the memory holds."""
        finding_s = self.probe.value + self.retrieval.value
        return self.cheapest_answer_s() + finding_s + tokens * self.token.value

    def least_budget_s(self) -> float:
        """Return the shortest budget that holds an answer, the step that has begun before it."""
        needed_s = self.step.value + self.cheapest_answer_s() + RESERVE_S
        return math.ceil(needed_s * 100) / 100

    def usual_budget_s(self, max_tokens: int) -> float:
        """
        Return a budget that holds a whole answer, a step and another's answer before it.

        :param max_tokens: of an answer
        """
        return max(USUAL_BUDGET_S, self.step.value + 2 * self._answer_s(max_tokens) + RESERVE_S)

    def cheapest_answer_s(self, prompt_tokens: float | None = None) -> float:
        """Return the seconds for an answer of one token from short-term."""
        tokens = self.prompt.value if prompt_tokens is None else prompt_tokens
        return tokens * self.prefill.value + self.finish.value

    def retrieval_s(self, reading: ReadFilter, pages: int) -> float:
        """
        Return the seconds for finding and fetching what a question reads beside short-term.

        :param pages: that will be ranked
        """
        if not reading.long_term or not pages:
            return 0.0
        fetch_s = self.retrieval.value * reading.share
        return self.probe.value + self.rank.value * pages + fetch_s

    def tokens_that_fit(
        self,
        left_s: float,
        prompt_tokens: int,
        reading: ReadFilter | None = None,
        *,
        pages: int = 0,
    ) -> float:
        """
        Return how many answer tokens fit the time left; the first comes with the prefill.

        :param reading: what is read; None: short-term alone
        :param pages: that will be ranked for it
        """
        spare_s = left_s - self.cheapest_answer_s(prompt_tokens)
        if reading is not None:
            spare_s -= self.retrieval_s(reading, pages)
        if spare_s < 0:
            return 0
        return 1 + spare_s / max(self.token.value, 1e-6)

    def affordable(
        self, reading: ReadFilter, left_s: float, prompt_tokens: int, *, pages: int
    ) -> tuple[ReadFilter, Rung]:
        """
        Return what of all that is asked for can be read in the time left, and how far down it is.

        :param pages: that will be ranked
        """
        spare_s = left_s - self.cheapest_answer_s(prompt_tokens)
        if spare_s >= self.retrieval_s(reading, pages):
            return reading, Rung.ALL
        fewer = replace(reading, share=FEWER_PAGES)
        if spare_s >= self.retrieval_s(fewer, pages) or not reading.short_term:
            return fewer, Rung.FEWER_PAGES
        return replace(reading, long_term=False), Rung.SHORT_TERM

    def add_reading(
        self,
        *,
        tokens: int,
        read_s: float,
        probe_s: float = 0.0,
        retrieval_s: float = 0.0,
        rank_s: float = 0.0,
        pages: int = 0,
        share: float = 1.0,
    ) -> None:
        """
        Take in what a question of so many tokens took.

        :param read_s: for its last read, up to the first token of the answer
        :param probe_s: for the probe before that
        :param retrieval_s: for fetching a `share` of the pages
        :param rank_s: for ranking so many `pages`
        """
        self.prompt.add(tokens)
        self.prefill.add(read_s / tokens)
        if pages:
            self.probe.add(probe_s)
            self.retrieval.add(retrieval_s / share)
            self.rank.add(rank_s / pages)

    def in_ms(self) -> dict[str, float]:
        """Return the costs in milliseconds, for reports."""
        return {
            'step_ms': self.step.value * 1e3,
            'prefill_ms_per_token': self.prefill.value * 1e3,
            'decode_ms_per_token': self.token.value * 1e3,
            'probe_ms': self.probe.value * 1e3,
            'retrieval_ms': self.retrieval.value * 1e3,
            'rank_us_per_page': self.rank.value * 1e6,
            'answer_ms': self.answer.value * 1e3,
        }
