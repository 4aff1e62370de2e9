# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest

pytest.importorskip('rclpy')

from livevlm_ros.tools.view import server


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Note what is served, and serve nothing."""
    calls: list[dict[str, Any]] = []

    def serve(**given: Any) -> None:
        given.pop('say')('livevlm view: http://localhost:8095/')
        calls.append(given)

    monkeypatch.setattr(server, 'serve', serve)
    return calls


def test_the_page_is_for_this_machine_unless_told_otherwise(livevlm, served) -> None:
    assert livevlm('view') == (0, 'livevlm view: http://localhost:8095/\n', '')
    assert livevlm('view', '--host', '0.0.0.0', '--port', 0, '--namespace', 'robot1')[0] == 0
    assert served == [
        {'host': 'localhost', 'port': 8095, 'namespace': ''},
        {'host': '0.0.0.0', 'port': 0, 'namespace': 'robot1'},
    ]


def test_an_address_that_cannot_be_listened_on_is_one_line(refused) -> None:
    assert '--host nowhere.invalid --port 8095: ' in refused('view', '--host', 'nowhere.invalid')
