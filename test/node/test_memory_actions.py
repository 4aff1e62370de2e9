# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from livevlm_interfaces.action import LoadMemory, SaveMemory
from livevlm_ros.engine.messages import NotDone
from livevlm_ros.node import memory_client
from livevlm_ros.node.client import Client
from livevlm_ros.node.memory_client import MemoryClient


class ScriptedMemory:
    """Saves and loads as it is told to."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.go_on, self.seen = threading.Event(), threading.Event()
        self.go_on.set()
        self.seen.set()

    def save(self, name: str, *, overwrite: bool, progress: Callable[[str, float], None]) -> Any:
        progress('copying', 0.0)
        assert self.go_on.wait(60)
        if self.error is not None:
            raise self.error
        progress('writing', 0.0)
        assert self.seen.wait(60)
        for share in range(1001):
            progress('writing', share / 1000)
        return SimpleNamespace(path=Path('/memory') / name, nbytes=2**40, frames=5 + overwrite)

    def load(self, name: str, *, progress: Callable[[str, float], None]) -> Any:
        progress('reading', 0.0)
        if self.error is not None:
            raise self.error
        progress('placing', 1.0)
        return SimpleNamespace(path=Path('/memory') / name, memory_id='m-1', frames=5)


@pytest.fixture
def memory(fake_engine: Any) -> ScriptedMemory:
    """Give the fake engine's memory."""
    fake_engine.memory = ScriptedMemory()
    return fake_engine.memory


@pytest.fixture
def asker() -> Iterator[MemoryClient]:
    """Give a client of the memory of the node in the root namespace."""
    with MemoryClient() as client:
        yield client


def test_saving_tells_how_far_it_is_and_what_came_of_it(
    live_node: Callable[..., Any], memory: ScriptedMemory, asker: MemoryClient
) -> None:
    live_node().trigger_configure()
    told: list[tuple[str, float]] = []
    memory.seen.clear()

    def tell(phase: str, share: float) -> None:
        told.append((phase, share))
        if phase == 'writing':
            memory.seen.set()

    goal = SaveMemory.Goal(name='a', overwrite=True)
    saved = asker.send_goal(SaveMemory, 'save_memory', goal, tell)
    assert saved.success and saved.message == ''
    assert (saved.path, saved.bytes, saved.frames) == ('/memory/a', 2**40, 6)
    assert told[:2] == [('copying', 0.0), ('writing', 0.0)]
    assert len(told) < 100  # of a thousand


def test_loading_tells_the_new_memory(
    live_node: Callable[..., Any], memory: ScriptedMemory, asker: MemoryClient
) -> None:
    live_node().trigger_configure()
    goal = LoadMemory.Goal(name='a')
    loaded = asker.send_goal(LoadMemory, 'load_memory', goal, lambda *step: None)
    assert loaded.success
    assert (loaded.path, loaded.memory_id, loaded.frames) == ('/memory/a', 'm-1', 5)


@pytest.mark.usefixtures('slow_to_note')
def test_a_goal_that_is_accepted_at_once_has_its_result(
    live_node: Callable[..., Any],
    memory: ScriptedMemory,
    asker: MemoryClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory_client, 'REPLY_S', 10.0)
    live_node().trigger_configure()
    goal = LoadMemory.Goal(name='a')
    assert asker.send_goal(LoadMemory, 'load_memory', goal, lambda *step: None).success


def test_in_every_state_there_is_a_result_that_says_why(
    live_node: Callable[..., Any], memory: ScriptedMemory, asker: MemoryClient
) -> None:
    node = live_node()

    def results() -> list[tuple[bool, str]]:
        found = [
            asker.send_goal(kind, name, kind.Goal(name='a'), lambda *step: None)
            for name, kind in (('save_memory', SaveMemory), ('load_memory', LoadMemory))
        ]
        return [(result.success, result.message) for result in found]

    assert results() == [(False, 'the node is unconfigured')] * 2
    node.trigger_configure()
    assert results() == [(True, '')] * 2
    node.trigger_activate()
    for error, message in (
        (NotDone('set overwrite'), 'set overwrite'),
        (ValueError('name: got ..'), 'name: got ..'),
        (OSError('no room'), 'OSError: no room'),
    ):
        memory.error = error
        assert results() == [(False, message)] * 2
    node.trigger_deactivate()
    node.trigger_cleanup()
    assert results() == [(False, 'the node is unconfigured')] * 2


def test_no_question_waits_for_a_save(
    live_node: Callable[..., Any], memory: ScriptedMemory, asker: MemoryClient, client: Client
) -> None:
    node = live_node()
    node.trigger_configure()
    node.trigger_activate()
    memory.go_on.clear()
    began, results = threading.Event(), []

    def save() -> None:
        results.append(
            asker.send_goal(
                SaveMemory, 'save_memory', SaveMemory.Goal(name='a'), lambda *step: began.set()
            )
        )

    saving = threading.Thread(target=save)
    saving.start()
    assert began.wait(60)
    assert client.wait_for_server(60)
    assert client.send('now ?').wait(60).answer == 'red'
    assert not results
    memory.go_on.set()
    saving.join(60)
    assert results[0].success
