# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_ros.seconds import Seconds

STAMPS = (1, 1_000_000_000, 1_764_250_000_123_456_789, 2_147_483_647_999_999_999)


@pytest.mark.parametrize('zero_ns', [0, 1_000_000_000])
@pytest.mark.parametrize('stamp_ns', STAMPS)
def test_a_stamp_lies_within_the_seconds_that_were_told_of_it(stamp_ns: int, zero_ns: int) -> None:
    seconds = Seconds(zero_ns)
    told = seconds.told(stamp_ns)
    assert seconds.begin_ns(told) <= stamp_ns <= seconds.end_ns(told)
    assert seconds.end_ns(told) - stamp_ns < 3000


def test_no_seconds_are_open_and_none_is_before_time_begins() -> None:
    assert Seconds(5).begin_ns(None) == Seconds(5).end_ns(None) == 0
    assert Seconds(0).begin_ns(0.0) == 1
