# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Questions: one right answer each, balanced, with evidence; and how answers are scored."""

from collections import Counter

import pytest

from livevlm_ros.world import CHOICES, COLORS, KINDS, PLACES, Event, Thing, World, score
from livevlm_ros.world.questions import History, Subject, truth_of
from livevlm_ros.world.wording import NEVER, WORDINGS, vocabulary

RED_CAR, BLUE_CAR = Thing('car', 'red', 'left'), Thing('car', 'blue', 'right')
DOG, LIGHT = Thing('dog', '', 'middle'), Thing('light', 'green', 'right')
EVENTS = (
    Event(0, 2, (RED_CAR,)),
    Event(3, 4, (DOG,)),
    Event(4, 6, (BLUE_CAR, Thing('cone', '', 'left'))),
    Event(8, 9, (LIGHT,)),
)
HISTORY = History(EVENTS, EVENTS[-1])


@pytest.fixture(scope='module')
def asked():
    return [
        (world, question)
        for world in (World(seed, 200) for seed in range(40))
        for question in world.questions(count=36)
    ]


@pytest.mark.parametrize(
    ('share', 'low', 'high'), [(0.0, 0.0, 0.0), (0.5, 0.4, 0.6), (1.0, 1.0, 1.0)]
)
def test_a_share_of_what_was_never_there_can_be_asked_for(share, low, high):
    never = [
        NEVER in question.answer
        for seed in range(5)
        for question in World(seed, 200).questions(
            count=40, kinds=('color_at',), never_share=share
        )
    ]
    assert low <= sum(never) / len(never) <= high


@pytest.mark.parametrize(
    ('kind', 'subject', 'answer'),
    [
        ('color_of', Subject('car'), None),
        ('color_of', Subject('bus'), NEVER),
        ('color_at', Subject('car', place='left'), 'red'),
        ('color_at', Subject('car', place='middle'), NEVER),
        ('where_is', Subject('dog'), 'middle'),
        ('where_is', Subject('car'), None),
        ('where_two', Subject('car', color='blue'), 'right'),
        ('where_two', Subject('car', place='right'), 'blue'),
        ('where_two', Subject('car', color='black'), NEVER),
        ('exists', Subject('car', color='red'), 'yes'),
        ('exists', Subject('car', color='green'), 'no'),
        ('now', Subject(place='right'), 'light'),
        ('now', Subject(place='left'), 'nothing'),
        ('count_now', Subject(), 'one'),
        ('light', Subject('light'), 'green'),
        ('last_object', Subject(), 'light'),
        ('before', Subject('dog'), 'car'),
        ('after', Subject('dog'), None),
        ('before', Subject('car'), None),
        ('after', Subject('cone'), 'light'),
        ('count_class', Subject('car'), 'two'),
        ('count_class', Subject('bus'), 'zero'),
        ('after_light', Subject('light', color='red'), NEVER),
        ('after_light', Subject('light', color='green'), None),
    ],
)
def test_the_truth_of_a_question(kind, subject, answer):
    truth = truth_of(kind, subject, HISTORY)
    assert (truth.answer[0] if truth else None) == answer


RED, YELLOW = (Event(0, 1, (Thing('light', color, 'left'),)) for color in ('red', 'yellow'))
BLUE_BUS = Event(1, 2, (Thing('bus', 'blue', 'right'),))
DOG_ALONE = Event(1, 2, (DOG,))
TWO = Event(1, 2, (Thing('bus', 'blue', 'right'), RED_CAR))


@pytest.mark.parametrize(
    ('events', 'answer'),
    [
        ((RED, BLUE_BUS), 'blue'),
        ((RED, DOG_ALONE, RED, BLUE_BUS), 'blue'),
        ((RED, BLUE_BUS, YELLOW), 'blue'),
        ((YELLOW, BLUE_BUS), NEVER),
        ((RED, BLUE_BUS, RED), None),
        ((RED, DOG_ALONE), None),
        ((RED, TWO), None),
        ((RED, YELLOW), None),
    ],
)
def test_what_came_after_a_light_is_the_one_thing_of_the_event_after_the_last_such(events, answer):
    truth = truth_of('after_light', Subject('light', color='red'), History(events, None))
    assert (truth.answer[0] if truth else None) == answer
    if answer == 'blue':
        ((index, thing),) = truth.sightings
        assert events[index].things == (thing,)
        assert truth.reference == (index - 1, RED.things[0])


def test_the_evidence_of_what_came_after_a_light_shows_both(asked):
    checked = 0
    for world, question in asked:
        if question.type == 'after_light' and question.evidence is not None:
            start, end = question.evidence
            first, second = (e for e in world.events if start <= e.start <= end)
            assert any(question.subject.fits(thing) for thing in first.things)
            assert [thing.color for thing in second.things] == list(question.answer)
            checked += 1
    assert checked > 30


def test_every_kind_is_asked_in_three_wordings_or_more(asked):
    for kind in KINDS:
        openings = {tuple(q.question.split()[:4]) for _, q in asked if q.type == kind}
        assert len(WORDINGS[kind]) >= 3
        assert len(openings) >= 3


def test_kinds_take_turns(asked):
    counts = Counter(question.type for _, question in asked)
    assert min(counts[kind] for kind in KINDS) > 0.5 * max(counts.values())


def test_answers_are_true_among_the_choices_and_in_the_vocabulary(asked):
    words = set(vocabulary())
    for world, question in asked:
        assert world.answers(question, question.at) == question.answer
        assert question.answer[0] in question.choices
        assert set(question.choices) <= set(CHOICES[question.type])
        assert {*question.question.split(), question.answer[0]} <= words


def test_the_choices_are_those_that_the_words_ask_for(asked):
    for _, question in asked:
        if question.type == 'where_two':
            color = 'color' in question.question
            assert question.choices == (*(COLORS if color else PLACES), NEVER)
            assert set(question.answer) <= set(question.choices)


def test_evidence_lies_before_the_question_and_shows_the_thing(asked):
    with_evidence = [(world, q) for world, q in asked if q.evidence is not None]
    assert len(with_evidence) > 0.5 * len(asked)
    for world, question in with_evidence:
        start, end = question.evidence
        assert 0 <= start <= end <= question.at
        shown = [
            t for e in world.events if start <= e.start < max(end, start + 1e-9) for t in e.things
        ]
        if question.type in ('color_of', 'color_at', 'where_is', 'where_two', 'exists'):
            assert any(question.subject.fits(thing) for thing in shown)


def test_existence_is_balanced_and_half_of_the_noes_are_hard(asked):
    variants = Counter(q.id.split('-')[1] for _, q in asked if q.type == 'exists')
    noes = variants['hard_no'] + variants['easy_no']
    assert 0.4 < variants['yes'] / (variants['yes'] + noes) < 0.6
    assert 0.35 < variants['hard_no'] / noes < 0.7


def test_about_one_color_or_place_question_in_ten_asks_for_what_was_never_seen():
    kinds = ('color_of', 'color_at', 'where_is', 'where_two')
    asked = [q for seed in range(200) for q in World(seed, 24).questions(count=8, kinds=kinds)]
    never = sum(q.answer == (NEVER,) for q in asked) / len(asked)
    assert 0.05 < never < 0.18


def test_a_question_is_never_asked_twice_at_one_time(asked):
    for seed in range(10):
        asked = World(seed, 8).questions(count=30)
        assert len({(q.at, q.type, q.subject) for q in asked}) == len(asked)


def test_an_answer_without_a_word_is_never_right():
    assert not any(score(given, ('A', 'the', '', '+')) for given in ('', ' ', '-', '???'))
    assert score('a.', ('A',)) and not score('The', ('A',)) and not score('B', ('A',))


@pytest.mark.parametrize(
    ('given', 'right'),
    [
        ('red', True),
        ('Red.', True),
        ('the red', True),
        ('a  RED ', True),
        ('dark red', False),
        ('', False),
    ],
)
def test_an_answer_is_compared_word_by_word(given, right):
    assert score(given, ('red', 'crimson')) is right
