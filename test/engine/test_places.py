# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import math
import time

import pytest

from livevlm_ros.engine import places
from livevlm_ros.engine.places import LATE_S, MOST, Place, Promises, first_gap_s


@pytest.mark.parametrize(
    ('length_s', 'at_s'),
    [
        (1.0, 10.0),  # before the first place
        (2.0, 14.0),  # between the others
        (3.0, 18.0),  # behind them all
    ],
)
def test_the_first_gap_is_nobodys_and_long_enough(length_s, at_s):
    taken = [Place(16.0, 2.0), Place(11.0, 3.0)]
    assert first_gap_s(taken, from_s=10.0, length_s=length_s) == at_s


def test_who_is_late_is_behind_what_has_begun_and_holds_the_engine_as_long():
    assert first_gap_s([Place(5.0, 2.0)], from_s=10.0, length_s=1.0) == 12.0


def test_a_promise_is_claimed_when_it_is_due_the_earliest_first():
    promises, now_s = Promises(), time.monotonic()
    due = [Place(now_s - 0.05, 1.0), Place(now_s - 0.025, 1.0)]
    for place in (Place(now_s + 60.0, 1.0), *reversed(due)):
        promises.make(place)
    assert promises.due_in_s() == pytest.approx(-0.05, abs=0.05)
    assert [promises.claim('') for _ in range(3)] == [*due, None]
    assert promises.due_in_s() == pytest.approx(60.0, abs=0.5)


def test_a_promise_is_for_who_asks_the_same_and_for_anybody_once_it_is_overdue(monkeypatch):
    monkeypatch.setattr(places, 'OVERDUE_S', 30.0)  # longer than a busy machine stalls
    monkeypatch.setattr(places, 'LATE_S', 90.0)
    promises, now_s = Promises(), time.monotonic()
    promises.make(Place(now_s, 1.0, text='where is the cup ?'))
    assert promises.claim('who is there ?') is None
    assert promises.claim('where is the cup ?') is not None
    promises.make(Place(now_s - 30.0, 1.0, text='where is the cup ?'))
    assert promises.claim('who is there ?') is not None


def test_a_promise_to_one_who_does_not_come_back_lapses():
    promises = Promises()
    promises.make(Place(time.monotonic() - LATE_S - 0.01, 1.0))
    assert promises.claim('') is None
    assert promises.due_in_s() == math.inf


@pytest.mark.parametrize(('budget_s', 'kept'), [(0.5, 2), (1.9, 2), (2.0, 1), (4.0, 0)])
def test_a_promise_is_not_kept_from_who_can_wait_twice_as_long(budget_s, kept):
    promises, at_s = Promises(), time.monotonic() + 60.0
    for budgets_s in (1.0, 2.0):
        promises.make(Place(at_s, 0.1, budgets_s))
    assert len(promises.kept_from(budget_s)) == kept


def test_too_many_promises_are_kept_from_nobody():
    promises, at_s = Promises(), time.monotonic() + 60.0
    for number in range(MOST + 5):
        assert len(promises.kept_from(1.0)) == (number if number < MOST else 0)
        promises.make(Place(at_s + number, 1.0))
    assert len(promises.all()) == MOST
