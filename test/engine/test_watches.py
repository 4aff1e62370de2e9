# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Watches: what is refused, when their rounds are, and who goes first."""

import math
import threading
import time

import pytest

from livevlm_ros.engine import Question, Status
from livevlm_ros.engine.events import EventKind
from livevlm_ros.engine.watch import Reason, Watch
from livevlm_ros.engine.watches import MOST_EVENTS, MOST_WATCHES, SHARE

ASKED = 'is the gate open ?'


@pytest.fixture
def engine(make_engine):
    """Give an engine that is loaded and turned by hand."""
    engine = make_engine(cameras=('camera', 'rear'), target_fps=1000.0)
    engine.load()
    return engine


@pytest.fixture
def live(engine, frame):
    """Let the engine see a frame and do what follows from it, the watches' rest left out."""

    def live(second: float, **fields) -> list[tuple[str, Reason]]:
        engine.see(frame(second, **fields))
        while engine.turn():
            engine.watches._rest_until_s = 0.0
        return [(event.watch_id, event.reason) for event in engine.watches.take_events()[0]]

    return live


@pytest.mark.parametrize(
    ('fields', 'said'),
    [
        ({'text': ' '}, 'question: got an empty text'),
        ({'cameras': ('side',)}, "cameras: got 'side'"),
        ({'period_s': 0.0}, 'period, every_frames: both are 0'),
        ({'every_frames': 3}, 'period, every_frames: both are set'),
        ({'period_s': -1.0}, 'period: got -1 s'),
        ({'period_s': math.nan}, 'period: got nan s'),
        ({'cooldown_s': -0.5}, 'cooldown: got -0.5 s'),
        ({'budget_s': -2.0}, 'latency_budget: got -2'),
        ({'min_confidence': 1.5}, 'min_confidence: got 1.5'),
        ({'min_confidence': math.nan}, 'min_confidence: got nan'),
        ({'watch_id': 'gate'}, "watch_id: got 'gate', which exists"),
        ({'watch_id': 'x' * 257}, 'watch_id: got 257 characters'),
    ],
)
def test_what_cannot_be_watched_is_refused_by_its_field(engine, fields, said):
    engine.watches.add(Watch(ASKED, watch_id='gate', period_s=1.0))
    with pytest.raises(ValueError) as error:
        engine.watches.add(Watch(**{'text': ASKED, 'period_s': 1.0} | fields))
    assert str(error.value).startswith(said)
    assert len(engine.watches.list()) == 1


def test_there_are_so_many_watches_and_no_more(engine):
    names = [engine.watches.add(Watch(ASKED, every_frames=1)) for _ in range(MOST_WATCHES)]
    assert len(set(names)) == MOST_WATCHES
    with pytest.raises(ValueError, match='no more are allowed'):
        engine.watches.add(Watch(ASKED, every_frames=1))
    assert engine.watches.remove(names[0]) == 1 and engine.watches.remove(names[0]) == 0
    assert engine.watches.remove() == MOST_WATCHES - 1 and not engine.watches.list()


def test_an_event_when_the_answer_changes_and_none_while_it_does_not(engine, live, model):
    watch_id = engine.watches.add(Watch(ASKED, every_frames=1))
    model.words = 3
    assert live(1) == [(watch_id, Reason.FIRST)]
    assert live(2) == live(3) == []
    model.words = 4
    assert live(4) == [(watch_id, Reason.CHANGED)]
    (state,) = engine.watches.list()
    assert (state.answer, state.events, state.rounds) == ('a red truck drove', 2, 4)
    assert state.answered_ns == 4 * 10**9 and state.confidence == pytest.approx(0.9)


def test_an_event_says_what_was_before_and_on_what_grounds(engine, live, model, frame):
    engine.watches.add(Watch(ASKED, watch_id='gate', every_frames=1))
    model.words = 2
    live(1)
    model.words = 3
    engine.see(frame(2))
    assert engine.turn() and not engine.watches.take_events()[0]  # a step, and the watches rest
    engine.watches._rest_until_s = 0.0
    assert engine.turn()
    ((event,), lost) = engine.watches.take_events()
    assert (event.watch_id, event.text, event.reason, lost) == ('gate', ASKED, Reason.CHANGED, 0)
    assert (event.answer_before, event.answer) == ('a red', 'a red truck')
    assert event.stamp_ns == 2 * 10**9
    assert {found.stamp_ns for found in event.evidence} == {10**9, 2 * 10**9}


def test_confidence_rises_and_falls_over_the_threshold(engine, live, model):
    engine.watches.add(Watch(ASKED, watch_id='gate', every_frames=1, min_confidence=0.5))
    heard = []
    for second, (share, words) in enumerate(
        [(0.4, 3), (0.6, 3), (0.4, 3), (0.3, 4), (0.7, 3), (0.4, 3), (0.7, 5), (0.8, 5)], 1
    ):
        model.share, model.words = share, words
        heard.append([reason.name for _, reason in live(second)])
    assert heard == [[], ['FIRST'], ['FELL'], [], ['ROSE'], ['FELL'], ['CHANGED'], []]


def test_a_change_during_the_cooldown_is_told_after_it_if_it_lasts(engine, live, model):
    engine.watches.add(Watch(ASKED, every_frames=1, cooldown_s=3.0))
    heard = {}
    for second, words in enumerate([2, 3, 2, 3, 3, 4, 2, 3], 1):
        model.words = words
        heard[second] = [reason.name for _, reason in live(second)]
    told = {second: reasons for second, reasons in heard.items() if reasons}
    assert told == {1: ['FIRST'], 4: ['CHANGED'], 7: ['CHANGED']}


def test_rounds_come_at_their_period_by_stamps_and_at_every_kth_frame(engine, live):
    engine.watches.add(Watch(ASKED, watch_id='timed', period_s=2.0))
    engine.watches.add(Watch(ASKED, watch_id='counted', every_frames=3))
    engine.watches.add(Watch(ASKED, watch_id='rear', every_frames=1, cameras=('rear',)))
    for tenth in range(0, 100, 5):
        live(1 + tenth / 10)
    rounds = {state.watch.watch_id: state.rounds for state in engine.watches.list()}
    assert rounds == {'timed': 1 + 4, 'counted': 1 + 6, 'rear': 0}  # the first one is at once
    assert live(11, camera='rear') == [('rear', Reason.FIRST)]


def test_time_that_begins_anew_does_not_end_a_watch(engine, live):
    engine.watches.add(Watch(ASKED, period_s=60.0))
    for second in (1000, 1001):
        live(second)
    engine.clear()
    live(1)
    live(2)
    (state,) = engine.watches.list()
    assert (state.rounds, state.answered_ns) == (2, 10**9)


def test_watches_take_a_third_of_the_engines_time_and_skipped_rounds_are_counted(
    engine, frame, model
):
    model.token_s = 0.01
    for _ in range(2):
        engine.watches.add(Watch(ASKED, every_frames=1))
    began_s, number = time.monotonic(), 0
    while time.monotonic() < began_s + 3.0:
        number += 1
        engine.see(frame(number * 0.1))
        engine.turn()
    states = engine.watches.list()
    spent_s = sum(standing.spent_s for standing in engine.watches._standing.values())
    assert 0.1 < spent_s / (time.monotonic() - began_s) < SHARE + 0.15
    assert all(state.rounds and state.skipped for state in states)
    assert engine.stats().watches == engine.watches.list()


def test_of_those_that_are_due_the_slow_one_waits_longer(engine, live, model):
    engine.watches.add(Watch('zip ' * 40, watch_id='slow', every_frames=1))
    engine.watches.add(Watch(ASKED, watch_id='fast', every_frames=1))
    live(1)
    slow, fast = engine.watches._standing.values()
    slow.spent_s, fast.spent_s = 10.0, 1.0
    model.questions.clear()
    live(2)
    assert model.questions[0] == ASKED and len(model.questions) == 2


def test_a_budget_that_is_too_small_is_told(engine, live, model):
    engine.watches.add(Watch(ASKED, watch_id='hasty', every_frames=1, budget_s=0.031))
    engine.take_events()
    model.prefill_s = 0.05
    assert live(1) == live(2) == []
    (state,) = engine.watches.list()
    assert state.rounds == 2 and state.answer == ''
    assert state.skipped == 0
    assert state.problem.startswith('a latency_budget of 0.031 s is too short: ')
    (told,) = engine.take_events()[0]  # once, not at each round
    assert told.kind is EventKind.DEADLINE_MISS and told.detail.startswith('watch hasty: ')


def test_words_that_the_model_does_not_know_are_told(engine, live):
    engine.watches.add(Watch('is there a zebra ?', every_frames=1))
    live(1)
    assert 'zebra' in engine.watches.list()[0].problem


def test_of_more_events_than_are_kept_the_newest_stay(engine, live, frame):
    engine.watches.add(Watch(ASKED, every_frames=1))
    live(1)
    for number in range(MOST_EVENTS + 3):
        engine.watches._standing['w1']._told = str(number)
        engine.see(frame(2 + number * 0.1))
        while engine.turn():
            engine.watches._rest_until_s = 0.0
    told, lost = engine.watches.take_events()
    assert (len(told), lost) == (MOST_EVENTS, 3)
    assert told[-1].stamp_ns == round((2 + (MOST_EVENTS + 2) * 0.1) * 1e9)


def test_watches_outlive_a_stop(running, until, show):
    running.watches.add(Watch(ASKED, every_frames=1))
    until(lambda: running.watches.list()[0].rounds)
    running.stop()
    assert running.watches.list()[0].watch.text == ASKED
    running.start()
    rounds = running.watches.list()[0].rounds
    show(running)
    until(lambda: running.watches.list()[0].rounds > rounds)


def test_a_question_does_not_wait_for_a_watch(running, model, until):
    model.token_s = 0.2
    at_it = threading.Event()
    model.on_token = lambda index: at_it.set()
    running.watches.add(Watch(ASKED, every_frames=1))
    assert at_it.wait(10)
    answer = running.ask(Question('now ?', budget_s=30.0, max_tokens=1))
    assert answer.status is Status.PARTIAL and answer.text == 'a'
    assert answer.latency.queue_ms < 1500  # the watch's answer takes three seconds
    assert running.watches.list()[0].rounds == 0
    model.token_s = 0.0
    until(lambda: running.watches.list()[0].rounds == 1)  # it stayed due


def test_a_tight_budget_is_taken_while_a_watch_is_answered(running, model):
    model.token_s = 0.2
    at_it = threading.Event()
    model.on_token = lambda index: at_it.set()
    running.watches.add(Watch(ASKED, every_frames=1))
    assert at_it.wait(10)
    answer = running.ask(Question('now ?', budget_s=2.0, max_tokens=1))
    assert answer.status is Status.PARTIAL
