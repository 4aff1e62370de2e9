# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

from collections.abc import Callable
from typing import Any

import pytest

from livevlm_ros.node.client import Client


def test_it_reads_parameters_of_the_node_by_name(
    live_node: Callable[..., Any], client: Client
) -> None:
    live_node({'ingest.target_fps': 2.5, 'camera_names': ['front', 'rear']})
    names = ['ingest.target_fps', 'autostart', 'camera_names', 'model.path']
    found = client.parameters(names, 30.0)
    assert found is not None
    assert [type(value) for value in found.values()] == [float, bool, list, str]
    assert found == {
        'ingest.target_fps': 2.5,
        'autostart': False,
        'camera_names': ['front', 'rear'],
        'model.path': 'embedded',
    }


def test_without_a_node_there_are_no_parameters(client: Client) -> None:
    assert client.parameters(['autostart'], 0.1) is None


def test_news_are_diagnostics_told_after_the_call(
    live_node: Callable[..., Any], client: Client
) -> None:
    assert not client.wait_for_news('model', 0.1)
    live_node({'diagnostics.period': 0.1})
    assert client.wait_for_news('model', 30.0)
    before = client.status('model')
    assert client.wait_for_news('model', 30.0)
    assert client.status('model') is not before


@pytest.mark.parametrize('follows', [False, True])
def test_the_clock_is_heard_by_who_follows_it(follows: bool) -> None:
    with Client(follows_clock=follows) as client:
        heard = [each.topic_name for each in client._node.subscriptions]
    assert ('/clock' in heard) is follows
