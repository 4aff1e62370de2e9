# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_ros.engine.by_length import ByLength


def test_short_reads_say_nothing_of_long_ones():
    cost = ByLength()
    cost.add(1.0, 1000)
    for _ in range(50):
        cost.add(0.01, 10)
    assert cost.at(1000) == 1.0
    assert cost.at(10) == pytest.approx(0.01, rel=0.1)
    assert cost.value == cost.at(10)


def test_what_was_never_measured_costs_as_much_as_what_is_longer_or_in_proportion():
    cost = ByLength()
    assert cost.at(100) == 0.0
    cost.add(0.5, 100)
    assert [cost.at(length) for length in (3, 100, 200, 400)] == [0.5, 0.5, 1.0, 2.0]


def test_a_stall_at_a_new_length_hardly_counts():
    cost = ByLength()
    cost.add(0.1, 100)
    cost.add(30.0, 50)
    assert cost.at(50) < 0.15


def test_a_value_that_is_set_is_that_of_any_length():
    cost = ByLength()
    cost.add(0.5, 100)
    cost.value = 0.2
    assert cost.at(3) == cost.at(1000) == cost.value == 0.2


def test_a_short_read_that_stalled_costs_no_more_than_a_long_one():
    cost = ByLength()
    cost.add(0.1, 1000)
    for _ in range(3):
        cost.add(30.0, 10)
    assert cost.at(10) == cost.at(1000) == 0.1
