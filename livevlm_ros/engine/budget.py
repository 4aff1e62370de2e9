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
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum

from livevlm_ros.engine.average import Average
from livevlm_ros.engine.by_length import ByLength
from livevlm_ros.memory import ReadFilter

RESERVE_S = 0.03
"""
Seconds of every budget kept for waking the thread that waits and for serialising the reply.

Measured with an engine that steps without pause on two cores that five other busy processes
share: a timed wait in another thread wakes 5 to 8 ms late at the median, 24 to 29 ms at p99.
"""


FEWER_PAGES = 0.5
"""Share of what retrieval would read that a question in a hurry reads."""

NEWEST = ReadFilter(long_term=False)
"""What even the cheapest answer reads: short-term."""

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


class Costs:
    """
    What each kind of work costs now; written by the engine thread, read by any.

    `step`: a batch of frames, seconds; `prompt`: question tokens; `prefill`: seconds per question
    token up to the first answer token, by the tokens of the memory that are read; `token`: seconds
    per further answer token, likewise; `option`: per token of a choice after its first, likewise;
    `finish`: seconds for evidence and thumbnails; `probe`: seconds until there is something to
    choose pages by; `retrieval`: seconds to fetch all that
    retrieval reads; `rank`: seconds per page that is ranked; `answer`: seconds for a whole answer
    as questions go; `turn`: the same with the steps before it, where questions follow each other.
    `length_of` says how many tokens of the memory a reading reads at most now.
    """

    def __init__(self) -> None:
        self.step = Average()
        self.prompt = Average()
        self.prefill = ByLength()
        self.token = ByLength()
        self.option = ByLength()
        self.finish = Average()
        self.probe = Average()
        self.retrieval = Average()
        self.rank = Average()
        self.answer = Average()
        self.turn = Average()
        self.length_of: Callable[[ReadFilter], int] = lambda reading: 0

    @property
    def turn_s(self) -> float:
        """Seconds that one question of many holds the engine."""
        return self.turn.value or self._answer_s(USUAL_TOKENS)

    def _answer_s(self, tokens: int) -> float:
        """Return the seconds for an answer so long from all that the memory holds."""
        finding_s = self.probe.value + self.retrieval.value
        longer_s = self._longer_read_s(ReadFilter(), self.prompt.value)
        token_s = self.token.at(self.length_of(ReadFilter()))
        return self.cheapest_answer_s() + finding_s + longer_s + tokens * token_s

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
        return tokens * self.prefill.at(self.length_of(NEWEST)) + self.finish.value

    def _longer_read_s(self, reading: ReadFilter, prompt_tokens: float) -> float:
        """Return the seconds that reading a question takes longer than over short-term alone."""
        shortest, length = self.length_of(NEWEST), self.length_of(reading)
        longer_s = prompt_tokens * (self.prefill.at(length) - self.prefill.at(shortest))
        return max(0.0, longer_s)

    def options_s(self, tokens: int) -> float:
        """
        Return the seconds for weighing the options of a choice, whatever of the memory is read.

        :param tokens: of all options, beyond the first of each
        """
        length = self.length_of(ReadFilter())
        return tokens * (self.option.at(length) or self.token.at(length))

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
            spare_s -= self._longer_read_s(reading, prompt_tokens)
        if spare_s < 0:
            return 0
        length = self.length_of(NEWEST if reading is None else reading)
        return 1 + spare_s / max(self.token.at(length), 1e-6)

    def affordable(
        self, reading: ReadFilter, left_s: float, prompt_tokens: int, *, pages: int
    ) -> tuple[ReadFilter, Rung]:
        """
        Return what of all that is asked for can be read in the time left, and how far down it is.

        :param pages: that will be ranked
        """
        spare_s = left_s - self.cheapest_answer_s(prompt_tokens)

        def fits(part: ReadFilter) -> bool:
            more_s = self.retrieval_s(part, pages) + self._longer_read_s(part, prompt_tokens)
            return spare_s >= more_s

        if fits(reading):
            return reading, Rung.ALL
        fewer = replace(reading, share=FEWER_PAGES)
        if fits(fewer) or not reading.short_term:
            return fewer, Rung.FEWER_PAGES
        return replace(reading, long_term=False), Rung.SHORT_TERM

    def add_reading(
        self,
        *,
        tokens: int,
        read_s: float,
        length: int = 0,
        probe_s: float = 0.0,
        retrieval_s: float = 0.0,
        rank_s: float = 0.0,
        pages: int = 0,
        share: float = 1.0,
    ) -> None:
        """
        Take in what a question of so many tokens took.

        :param read_s: for its last read, up to the first token of the answer
        :param length: of what was read then, in tokens of the memory
        :param probe_s: for the probe before that
        :param retrieval_s: for fetching a `share` of the pages
        :param rank_s: for ranking so many `pages`
        """
        self.prompt.add(tokens)
        self.prefill.add(read_s / tokens, length)
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
