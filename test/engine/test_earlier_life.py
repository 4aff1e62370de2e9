# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A life that saw only a few frames does not overwrite what the one before remembered."""

from pathlib import Path

import pytest

from livevlm_ros.engine import Engine
from livevlm_ros.memory.contents import read_refs
from livevlm_ros.memory.kept import kept
from livevlm_ros.memory.snapshot import read_snapshot

RESET = {'on_jump': 'reset'}
RECENT = {'memory': {'preset': 'recent', 'long_term_frames': 0}}
SECOND = 10**9


def _seconds(folder: Path) -> list[int]:
    """Return when the frames of a snapshot were seen."""
    refs = read_refs(read_snapshot(folder).part('memory').tensors['frames'])
    return [ref.stamp_ns // SECOND for ref in refs]


def _live(make_saving, watch, seconds: range, **settings) -> None:
    """Let an engine restore what is there, see frames and end."""
    watch(engine := make_saving(**settings), seconds)
    engine.cleanup()


def _live_anew(make_saving, frame, seconds: range) -> None:
    """Live with a clock that begins anew, which costs the first frame."""
    (engine := make_saving(**RESET)).load()
    for second in seconds:
        engine.see(frame(second))
        engine.turn()
    assert engine.stats().time_resets == 1
    engine.cleanup()


def _kill(engine: Engine) -> None:
    """End what a killed process would: nothing more is written, and the folder is free."""
    engine._loop.parts.snapshots.close()
    engine._loop.parts.folder.release()


def test_a_clock_that_begins_anew_costs_no_snapshot(make_saving, watch, frame, tmp_path, caplog):
    _live(make_saving, watch, range(1000, 1020), **RESET)
    _live_anew(make_saving, frame, range(1, 5))
    assert len(_seconds(tmp_path)) == 3
    (before,) = kept(tmp_path)
    assert _seconds(before) == list(range(1000, 1020))
    assert str(before) in caplog.text
    (engine := make_saving()).load()
    assert engine.memory.load(before.name).frames == 20


def test_what_only_the_journal_had_is_kept_with_it(make_saving, watch, frame, tmp_path):
    watch(first := make_saving(**RESET), range(1000, 1004))
    first.stop()
    watch(first, range(1004, 1020))
    _kill(first)
    assert len(_seconds(tmp_path)) == 4
    _live_anew(make_saving, frame, range(1, 5))
    (before,) = kept(tmp_path)
    assert _seconds(before) == list(range(1000, 1020))


def test_what_the_journal_had_is_kept_from_a_life_that_sees_other_frames(
    make_saving, watch, tmp_path
):
    ten = {'memory': {**RECENT['memory'], 'short_term_frames': 10}}
    watch(first := make_saving(**ten), range(1000, 1001))
    first.stop()
    watch(first, range(1001, 1010))
    _kill(first)
    (second := make_saving(**ten)).load()
    snapshots = second._loop.parts.snapshots
    assert snapshots.due()
    snapshots.begin()
    snapshots._writer.join()
    watch(second, range(2000, 2008))
    second.cleanup()
    (before,) = kept(tmp_path)
    state = read_snapshot(before).part('memory').facts['short_term']
    assert [stamp_ns // SECOND for _, stamp_ns, *_ in state['frames']] == list(range(1000, 1010))


def test_lives_that_saw_little_push_out_no_life_that_saw_much(make_saving, watch, frame, tmp_path):
    _live(make_saving, watch, range(1000, 1100), **RESET)
    for frames in (8, 6, 5, 4):
        _live_anew(make_saving, frame, range(1, frames))
    assert [len(_seconds(each)) for each in kept(tmp_path)] == [100, 6]
    assert len(_seconds(tmp_path)) == 2


@pytest.mark.parametrize(
    ('settings', 'seconds'),
    [
        ({}, range(2000, 2003)),
        (RECENT, range(2000, 2006)),
        ({'snapshots_kept': 0, **RECENT}, range(2000, 2003)),
    ],
    ids=['what goes on', 'what is seen for as long', 'none is wanted'],
)
def test_else_none_is_kept(make_saving, watch, tmp_path, settings, seconds):
    _live(make_saving, watch, range(1000, 1004), **settings)
    _live(make_saving, watch, seconds, **settings)
    assert kept(tmp_path) == []


def test_a_small_memory_filled_by_a_few_frames_costs_no_snapshot(make_saving, watch, tmp_path):
    _live(make_saving, watch, range(1000, 1004), **RECENT)
    _live(make_saving, watch, range(2000, 2003), **RECENT)
    (before,) = kept(tmp_path)
    assert _seconds(before) == list(range(1000, 1004))


def test_what_somebody_wants_forgotten_is_not_kept(make_saving, watch, frame, tmp_path):
    _live(make_saving, watch, range(1000, 1020), **RESET)
    _live_anew(make_saving, frame, range(1, 5))
    assert kept(tmp_path)
    watch(engine := make_saving(), range(10, 13))
    engine.memory.forget()
    assert kept(tmp_path) == []
    watch(engine, range(1, 3))
    engine.cleanup()
    assert kept(tmp_path) == []
    assert len(_seconds(tmp_path)) == 2
