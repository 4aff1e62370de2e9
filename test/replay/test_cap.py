# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_ros.replay.cap import cap_cards


@pytest.fixture
def cards(make_run):
    """Make the cards of runs given as keyword arguments, outcomes by preset."""

    def make(**outcomes):
        runs = [make_run(preset, *of) for preset, of in outcomes.items()]
        return [*cap_cards([(run.report, run.evaluation.outcomes) for run in runs])]

    return make


@pytest.fixture
def asked(make_outcome):
    """Make ten outcomes of an age, of which some are right."""

    def make(age: int, right: int, **options):
        return [make_outcome(n < right, age=age, **options) for n in range(10)]

    return make


def test_context_is_the_oldest_age_in_the_last_bucket_that_holds(cards, asked) -> None:
    (card,) = cards(full=[*asked(3, 10), *asked(40, 9), *asked(50, 9), *asked(100, 8)])
    assert card['context'] == {'frames': 50, 'seconds': 25.0, 'fails': '<=256'}


def test_a_share_of_exactly_nine_tenths_holds(cards, asked, make_outcome) -> None:
    fresh = [make_outcome(n < 7, age=1) for n in range(10)]
    old = [make_outcome(n < 63, age=60) for n in range(100)]
    (card,) = cards(full=[*fresh, *old])
    assert card['context']['frames'] == 60


def test_a_bucket_that_holds_again_after_one_that_fails_is_not_reached(cards, asked) -> None:
    (card,) = cards(full=[*asked(3, 10), *asked(40, 8), *asked(200, 10)])
    assert card['context']['frames'] == 3 and card['context']['fails'] == '<=64'


def test_a_bucket_without_questions_is_passed_over(cards, asked) -> None:
    (card,) = cards(full=[*asked(3, 10), *asked(2000, 10)])
    assert card['context'] == {'frames': 2000, 'seconds': 1000.0, 'fails': None}


@pytest.mark.parametrize('fresh', [0, None])
def test_without_a_right_fresh_answer_context_is_unknown(cards, asked, fresh) -> None:
    (card,) = cards(full=[*([] if fresh is None else asked(3, fresh)), *asked(40, 10)])
    assert card['context']['frames'] is None and card['context']['seconds'] is None


def test_guessing_is_weighted_by_the_questions_of_each_kind(cards, make_outcome) -> None:
    (card,) = cards(full=[*(make_outcome(type=kind) for kind in ('now', 'now', 'light'))])
    accuracy = card['accuracy']
    assert (accuracy['n'], accuracy['rate']) == (3, 1.0)
    assert accuracy['chance'] == pytest.approx(0.5) and accuracy['majority'] == 1.0


def test_each_preset_pays_the_goal_furthest_from_the_best(cards, asked) -> None:
    recent = [*asked(3, 10, first_token_ms=4.0), *asked(60, 0, first_token_ms=4.0)]
    full = [*asked(3, 10, first_token_ms=12.0), *asked(60, 10, first_token_ms=12.0)]
    vague = [*asked(3, 6, first_token_ms=5.0), *asked(60, 6, first_token_ms=5.0)]
    paid = {card['name']: card['pays'] for card in cards(recent=recent, full=full, vague=vague)}
    assert {preset: pays['goal'] for preset, pays in paid.items()} == {
        'recent': 'context',
        'full': 'performance',
        'vague': 'accuracy',
    }
    assert paid['recent']['share'] == pytest.approx(3 / 60)
    assert paid['full']['share'] == pytest.approx(4 / 12)
    assert '3 frames, against 60 frames with full' in paid['recent']['words']
    assert '12.0 ms, against 4.0 ms with recent' in paid['full']['words']
    assert '60.0 % right, against 100.0 % right with full' in paid['vague']['words']


def test_a_preset_near_the_best_in_everything_pays_nothing(cards, asked) -> None:
    ours, theirs = cards(
        full=asked(3, 10, first_token_ms=10.0), balanced=asked(3, 10, first_token_ms=10.2)
    )
    assert ours['pays']['goal'] is None and theirs['pays']['goal'] is None
    assert 'within 5 %' in theirs['pays']['words']


@pytest.mark.parametrize('bound', ['oracle', 'alone'])
def test_no_run_is_measured_against_one_that_reads_what_it_is_told(
    make_run, asked, bound: str
) -> None:
    runs = [
        make_run('here', *asked(3, 6)),
        make_run('there', *asked(3, 6)),
        make_run('told', *asked(3, 10), **{bound: True}),
    ]
    here, there, told = cap_cards([(run.report, run.evaluation.outcomes) for run in runs])
    assert here['pays']['goal'] is None and there['pays']['goal'] is None
    assert told['pays'] is None and told[bound] and not here[bound]


def test_a_card_has_the_name_of_the_row_and_what_its_preset_gives_up(make_run, asked) -> None:
    run = make_run('mine', *asked(3, 6))
    (card,) = cap_cards([(run.report, run.evaluation.outcomes)])
    assert (card['name'], card['preset']) == ('mine', 'recent')
    assert card['gives_up'] == 'context'


def test_a_single_run_pays_nothing_that_could_be_named(cards, asked) -> None:
    assert cards(full=asked(3, 10))[0]['pays'] is None


def test_goals_that_no_run_knows_are_left_out(cards, asked) -> None:
    ours, theirs = cards(full=asked(3, 0), recent=asked(3, 0))
    assert ours['context']['frames'] is None and ours['pays'] is not None
    assert theirs['pays']['goal'] != 'context'
