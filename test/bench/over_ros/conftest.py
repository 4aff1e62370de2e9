# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A ROS domain of the test's own."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def own_domain(monkeypatch: pytest.MonkeyPatch, ros_domains: Iterator[int]) -> None:
    """Keep the processes of a test apart from all other ROS nodes."""
    monkeypatch.setenv('ROS_DOMAIN_ID', str(next(ros_domains)))
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
