# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import math
import time

import pytest

from livevlm_ros.engine.average import Average
from livevlm_ros.engine.budget import (
    RESERVE_S,
    USUAL_BUDGET_S,
    USUAL_TOKENS,
    Costs,
    Deadline,
    Rung,
)
from livevlm_ros.memory import ReadFilter


def test_a_deadline_counts_from_receipt_and_keeps_the_reserve():
    deadline = Deadline(time.monotonic() - 0.5, 2.0)
    assert deadline.left_s() == pytest.approx(1.5 - RESERVE_S, abs=0.1)
    assert Deadline(time.monotonic(), math.inf).left_s() == math.inf


def test_one_stall_hardly_moves_an_average():
    average = Average()
    for _ in range(5):
        average.add(0.01)
    average.add(3.0)
    assert average.value == pytest.approx(0.014)


@pytest.mark.parametrize(('before', 'after'), [(0.01, 0.05), (0.05, 0.01)])
def test_a_lasting_change_is_followed_within_a_dozen_samples(before, after):
    average = Average(before)
    for _ in range(12):
        average.add(after)
    assert average.value == pytest.approx(after, rel=0.5)


def test_the_first_sample_is_the_average():
    average = Average()
    average.add(0.2)
    assert average.value == 0.2


@pytest.mark.parametrize(
    ('left_s', 'fitting'),
    [(0.05, 0), (0.11, 1), (0.12, 2), (0.21, 11), (math.inf, math.inf)],
)
def test_tokens_that_fit_come_after_prefill_and_evidence(left_s, fitting):
    costs = Costs()
    costs.prefill.value, costs.finish.value, costs.token.value = 0.01, 0.01, 0.01
    assert costs.tokens_that_fit(left_s, prompt_tokens=10) == pytest.approx(fitting)


def test_the_cheapest_answer_to_an_unknown_question_takes_a_prompt_of_usual_length():
    costs = Costs()
    costs.prompt.value, costs.prefill.value, costs.finish.value = 8.0, 0.01, 0.002
    assert costs.cheapest_answer_s() == pytest.approx(0.082)
    assert costs.cheapest_answer_s(20) == pytest.approx(0.202)


PAGES = 100


@pytest.fixture
def costs() -> Costs:
    """Let a question of ten tokens take 0.2 s, ranking 0.2 s and fetching all it wants 0.8 s."""
    costs = Costs()
    costs.prefill.value, costs.finish.value, costs.token.value = 0.01, 0.1, 0.01
    costs.retrieval.value, costs.rank.value = 0.8, 0.2 / PAGES
    return costs


def test_a_turn_is_guessed_from_the_parts_of_an_answer_until_one_was_measured(costs):
    assert costs.turn_s == pytest.approx(0.8 + 0.1 + USUAL_TOKENS * 0.01)
    costs.turn.add(3.0)
    assert costs.turn_s == 3.0


def test_the_least_budget_holds_the_step_that_has_begun(costs):
    costs.prompt.value, costs.step.value = 10.0, 0.3
    assert costs.least_budget_s() == pytest.approx(0.2 + 0.3 + RESERVE_S, abs=0.011)


def test_the_usual_budget_holds_a_step_and_two_answers_and_two_seconds_at_least(costs):
    assert costs.usual_budget_s(1) == USUAL_BUDGET_S
    assert costs.usual_budget_s(100) == pytest.approx(2 * (0.1 + 0.8 + 1.0) + RESERVE_S)


@pytest.mark.parametrize(
    ('left_s', 'rung', 'read'),
    [
        (math.inf, Rung.ALL, ReadFilter(first_ns=7)),
        (1.21, Rung.ALL, ReadFilter(first_ns=7)),
        (1.19, Rung.FEWER_PAGES, ReadFilter(first_ns=7, share=0.5)),
        (0.81, Rung.FEWER_PAGES, ReadFilter(first_ns=7, share=0.5)),
        (0.79, Rung.SHORT_TERM, ReadFilter(first_ns=7, long_term=False)),
    ],
)
def test_the_ladder_gives_up_pages_before_it_gives_up_retrieval(costs, left_s, rung, read):
    affordable = costs.affordable(ReadFilter(first_ns=7), left_s, prompt_tokens=10, pages=PAGES)
    assert affordable == (read, rung)


def test_ranking_gets_dearer_with_the_pages_there_are(costs):
    assert costs.retrieval_s(ReadFilter(), PAGES) == pytest.approx(1.0)
    assert costs.retrieval_s(ReadFilter(), 2 * PAGES) == pytest.approx(1.2)
    assert costs.retrieval_s(ReadFilter(share=0.5), PAGES) == pytest.approx(0.6)


@pytest.mark.parametrize(
    ('reading', 'pages'), [(ReadFilter(long_term=False), PAGES), (ReadFilter(), 0)]
)
def test_a_question_with_nothing_to_retrieve_has_no_page_to_give_up(costs, reading, pages):
    assert costs.retrieval_s(reading, pages) == 0.0
    given = costs.affordable(reading, 0.3, prompt_tokens=10, pages=pages)
    assert given == (reading, Rung.ALL)


def test_a_question_for_long_term_alone_is_left_some_pages(costs):
    asked = ReadFilter(short_term=False)
    reading, rung = costs.affordable(asked, 0.3, prompt_tokens=10, pages=PAGES)
    assert (reading, rung) == (ReadFilter(short_term=False, share=0.5), Rung.FEWER_PAGES)


@pytest.mark.parametrize(
    ('reading', 'fitting'),
    [
        (None, 101),
        (ReadFilter(long_term=False), 101),
        (ReadFilter(), 1),
        (ReadFilter(share=0.5), 41),
    ],
)
def test_tokens_that_fit_come_after_what_is_retrieved(costs, reading, fitting):
    assert costs.tokens_that_fit(1.2, 10, reading, pages=PAGES) == pytest.approx(fitting, abs=1e-6)


def test_reading_more_takes_longer_than_short_term_alone(costs):
    costs.length_of = lambda reading: 2000 if reading.long_term else 100
    for _ in range(50):
        costs.add_reading(tokens=10, read_s=0.1, length=100)
        costs.add_reading(tokens=10, read_s=0.5, length=2000)
    assert costs.cheapest_answer_s(10) == pytest.approx(0.1 + 0.1, rel=0.05)
    for left_s, rung in ((1.7, Rung.ALL), (1.5, Rung.FEWER_PAGES)):
        assert costs.affordable(ReadFilter(), left_s, 10, pages=PAGES)[1] is rung
    assert costs.tokens_that_fit(1.7, 10, ReadFilter(), pages=PAGES) < 11
    assert costs.tokens_that_fit(1.7, 10) > 100


def test_no_token_fits_a_retrieval_that_does_not(costs):
    assert costs.tokens_that_fit(1.1, 10, ReadFilter(), pages=PAGES) == 0


def test_reading_a_question_ranking_and_fetching_for_it_are_told_apart():
    costs = Costs()
    costs.add_reading(tokens=10, read_s=0.5, retrieval_s=0.3, rank_s=0.2, pages=PAGES)
    assert (costs.prompt.value, costs.retrieval.value) == (10, 0.3)
    assert costs.prefill.value == pytest.approx(0.05)
    assert costs.rank.value == pytest.approx(0.002)


def test_a_share_of_retrieval_tells_what_all_of_it_would_cost():
    costs = Costs()
    costs.add_reading(tokens=10, read_s=0.5, retrieval_s=0.3, pages=PAGES, share=0.5)
    assert costs.retrieval.value == pytest.approx(0.6)


def test_a_probe_costs_as_much_whatever_is_fetched(costs):
    costs.probe.value = 0.3
    assert costs.retrieval_s(ReadFilter(share=0.5), PAGES) == pytest.approx(0.3 + 0.2 + 0.4)
    for _ in range(50):
        costs.add_reading(
            tokens=10, read_s=0.1, probe_s=0.3, retrieval_s=0.4, rank_s=0.2, pages=PAGES, share=0.5
        )
    assert costs.retrieval_s(ReadFilter(), PAGES) == pytest.approx(0.3 + 0.2 + 0.8)


def test_a_question_that_retrieves_nothing_says_nothing_about_retrieval(costs):
    costs.add_reading(tokens=10, read_s=0.1, retrieval_s=0.1)
    assert (costs.retrieval.value, costs.rank.value) == (0.8, 0.002)
