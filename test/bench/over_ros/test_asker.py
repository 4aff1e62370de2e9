# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from livevlm_bench.over_ros import asker


class Reply:
    """A reply that comes after a time, or never."""

    def __init__(self, took_s: float) -> None:
        self.took_s = took_s

    def wait(self, timeout_s: float) -> object | None:
        latency = SimpleNamespace(total_ms=1e3 * self.took_s - 10)
        return SimpleNamespace(latency=latency) if self.took_s < timeout_s else None


class Client:
    """A client whose replies take so long."""

    def __init__(self, took_s: float) -> None:
        self.took_s = took_s

    def send(self, question: str, *, budget_s: float, max_tokens: int) -> Reply:
        assert asker.LEAST_S <= budget_s <= asker.MOST_S
        return Reply(self.took_s)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Any]:
    """Give what a client waits whose replies take so long."""

    def ask(took_s: float) -> Any:
        monkeypatch.setattr(asker, 'PAUSE_S', 0.0)
        with asker.Asker(Client(took_s), seed=0) as asking:
            while not (found := asking.take()).asked:
                pass
        return found

    return ask


def test_a_wait_is_measured_from_its_budget(waits: Callable[[float], Any]) -> None:
    found = waits(5.0)
    assert not found.lost
    assert found.over_at_node_s == pytest.approx(found.over_s - 0.01)
    assert 5.0 - asker.MOST_S <= found.over_s <= 5.0 - asker.LEAST_S


def test_a_reply_that_never_comes_is_lost(waits: Callable[[float], Any]) -> None:
    found = waits(asker.LOST_S + 1)
    assert found.lost == found.asked
