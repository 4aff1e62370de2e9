# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_interfaces.msg import Evidence
from livevlm_ros.node.conversions import attach_thumbnail, nanoseconds, to_duration, to_time


@pytest.mark.parametrize('stamp_ns', [0, 1, 999_999_999, 1_000_000_000, 2_147_483_647_000_000_001])
def test_a_time_comes_back_to_the_nanosecond(stamp_ns: int) -> None:
    assert nanoseconds(to_time(stamp_ns)) == stamp_ns


@pytest.mark.parametrize('length_s', [0.0, 1e-9, 0.25, 3600.5, -0.75])
def test_a_duration_comes_back(length_s: float) -> None:
    duration = to_duration(length_s)
    assert 0 <= duration.nanosec < 1_000_000_000
    assert nanoseconds(duration) == round(length_s * 1e9)


def test_a_thumbnail_has_the_header_of_its_message() -> None:
    message = Evidence()
    attach_thumbnail(message, b'')
    assert not message.thumbnail.format
    message.header.stamp = to_time(5)
    attach_thumbnail(message, b'jpeg')
    assert message.thumbnail.header.stamp.nanosec == 5
    assert (message.thumbnail.format, bytes(message.thumbnail.data)) == ('jpeg', b'jpeg')
