# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What changed a memory is done again by another one, which then is its equal; embedded model."""

import shutil
from pathlib import Path

import pytest
import torch

from livevlm_ros.engine import Engine
from livevlm_ros.engine.changes import redo
from livevlm_ros.memory import ReadFilter, State

SECOND = 10**9


def _settled(engine: Engine, folder: Path) -> Path:
    """Return a copy of a folder as a process would leave it that is killed now."""
    engine._loop.parts.snapshots._journal.settle()
    return Path(shutil.copytree(engine._config.memory.path, folder))


def _held(engine: Engine) -> State:
    """Return all that an engine remembers."""
    engine._loop.settle()
    state = engine._loop.parts.snapshots.contents.state()
    return State(
        state.tensors | {name: rows.whole() for name, rows in state.rows.items()}, state.facts
    )


def _check_same(one: State, other: State) -> None:
    assert one.facts == other.facts
    assert one.tensors.keys() == other.tensors.keys()
    for name, tensor in one.tensors.items():
        assert torch.equal(tensor, other.tensors[name]), name


@pytest.mark.parametrize('preset', ['rekv', 'livevlm', 'balanced'])
def test_a_memory_is_its_equal_after_the_journal(two, tmp_path, preset):
    first = two.make(snapshot=True, preset=preset)
    two.watch(first, range(1, 11))
    first._loop.parts.snapshots.save()
    two.watch(first, range(11, 41))
    second = two.make(snapshot=True, preset=preset, path=_settled(first, tmp_path / 'killed'))
    assert second.stats().memory.frames == first.stats().memory.frames
    _check_same(_held(second), _held(first))
    assert two.said(second) == two.said(first)
    two.watch(first, range(41, 51))
    two.watch(second, range(41, 51))
    _check_same(_held(second), _held(first))


def test_what_was_forgotten_stays_forgotten_before_there_is_another_snapshot(two, tmp_path):
    first = two.make(snapshot=True)
    two.watch(first, range(1, 21))
    first._loop.parts.snapshots.save()
    two.watch(first, range(21, 31))
    some = ReadFilter(frozenset({'left'}), last_ns=25 * SECOND)
    for forgotten in (some, ReadFilter(spans=((29 * SECOND, 29 * SECOND), (3, 4)))):
        first._loop.forget(forgotten, 'some').result(10)
    two.watch(first, range(31, 34))
    second = two.make(snapshot=True, path=_settled(first, tmp_path / 'some'))
    _check_same(_held(second), _held(first))
    first._loop.clear().result(10)
    two.watch(first, range(1, 4))
    third = two.make(snapshot=True, path=_settled(first, tmp_path / 'all'))
    assert third.stats().memory.frames == 6
    _check_same(_held(third), _held(first))


def test_an_entry_of_another_kind_changes_nothing(two):
    engine = two.make()
    two.watch(engine, range(1, 4))
    before = _held(engine)
    with pytest.raises(ValueError, match="got 'prayer'"):
        redo(engine._loop.parts.snapshots.contents, State({}, {'kind': 'prayer', 'episodes': []}))
    _check_same(_held(engine), before)
