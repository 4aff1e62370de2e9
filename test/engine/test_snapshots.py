# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import errno
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from livevlm_ros.engine import Answer, Engine, Latency, Question, Status
from livevlm_ros.engine.places import Place
from livevlm_ros.memory import FrameRef
from livevlm_ros.memory.archive.store import RecordStore
from livevlm_ros.memory.contents import read_refs
from livevlm_ros.memory.folder_lock import LOCK
from livevlm_ros.memory.snapshot import (
    MANIFEST,
    TENSORS,
    UnreadableSnapshot,
    has_snapshot,
    read_snapshot,
)
from livevlm_ros.memory.snapshot import write_snapshot as write

ASKED = Question('now ?', attach_images=True)


def _saved(folder: Path) -> list[FrameRef]:
    """Return the frames of the snapshot in a folder."""
    return read_refs(read_snapshot(folder).part('memory').tensors['frames'])


def _said(engine: Engine) -> Answer:
    """Ask; leave out what differs between two that say the same."""
    return replace(engine.ask_now(ASKED), latency=Latency(), request_id='')


def _full(*args) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def full_disk(monkeypatch) -> Callable[[bool], None]:
    """Fill the disk, or give it room again."""
    real = os.fsync

    def fill(full: bool) -> None:
        monkeypatch.setattr('os.fsync', _full if full else real)

    return fill


def test_an_engine_goes_on_where_the_last_one_ended(make_saving, watch):
    first, second = make_saving(), make_saving()
    watch(first, range(1, 60))
    said = _said(first)
    first.cleanup()
    second.load()
    assert second.stats().memory.frames > 4
    assert _said(second) == said
    assert said.evidence and all(seen.thumbnail_jpeg for seen in said.evidence)
    watch(second, range(60, 70))
    assert _said(second).newest_stamp_ns == 69 * 10**9


def test_an_engine_that_is_not_asked_to_neither_saves_nor_restores(make_saving, watch, tmp_path):
    watch(first := make_saving(snapshot=False), range(1, 9))
    first.cleanup()
    assert not has_snapshot(tmp_path)
    watch(saving := make_saving(), range(1, 9))
    saving.cleanup()
    (second := make_saving(snapshot=False)).load()
    assert second.stats().memory.frames == 0


def test_stop_saves_and_a_memory_that_did_not_change_is_not_written_again(
    make_saving, watch, tmp_path, monkeypatch
):
    engine = make_saving()
    engine.load()
    assert engine.stop()
    assert not has_snapshot(tmp_path)  # there is nothing to save yet
    watch(engine, range(1, 9))
    engine.start()
    assert engine.stop()
    assert len(_saved(tmp_path)) == 8
    monkeypatch.setattr('os.fsync', _full)
    engine.start()
    engine.cleanup()
    (second := make_saving()).load()
    second.cleanup()
    assert len(_saved(tmp_path)) == 8


def test_what_was_cleared_does_not_come_back(make_saving, watch):
    first, second = make_saving(), make_saving()
    watch(first, range(1, 9))
    first.stop()
    first.clear()
    first.cleanup()
    second.load()
    assert second.stats().memory.frames == 0
    assert _said(second).status is Status.NO_EVIDENCE


REFUSED = {
    'damaged': ({}, lambda folder: (folder / MANIFEST).write_text('{'), 'not JSON'),
    'budget': (
        {'memory': {'long_term_frames': 9}},
        lambda folder: None,
        'long_term_frames 8, her',
    ),
    'cameras': ({'cameras': ('camera', 'rear')}, lambda folder: None, "cameras \\['camera'\\], h"),
}


@pytest.mark.parametrize(('settings', 'spoil', 'why'), REFUSED.values(), ids=REFUSED.keys())
def test_a_snapshot_that_is_refused_is_told_and_kept_under_another_name(
    make_saving, watch, tmp_path, caplog, settings, spoil, why
):
    watch(first := make_saving(), range(1, 9))
    first.cleanup()
    spoil(tmp_path)
    files = [file for file in tmp_path.iterdir() if file.name != LOCK]
    before = {f'{file.name}.refused': file.read_bytes() for file in files}
    second = make_saving(**settings)
    watch(second, range(1, 4))
    assert second.stats().memory.frames == 3
    (told,) = [record for record in caplog.records if 'begins empty' in record.message]
    assert told.levelname == 'WARNING'
    for named in (str(tmp_path / MANIFEST), f'{MANIFEST}.refused'):
        assert named in told.message
    assert second.stats().snapshot_problem == told.message
    caplog.clear()
    second.cleanup()
    assert {file.name: file.read_bytes() for file in tmp_path.glob('*.refused')} == before
    assert len(_saved(tmp_path)) == 3


def test_another_model_is_known_by_its_name_and_by_what_it_sees(
    make_saving, watch, model, caplog, monkeypatch, tmp_path
):
    watch(first := make_saving(), range(1, 9))
    first.cleanup()
    manifest = (tmp_path / MANIFEST).read_bytes()
    encode = model.encode_frames
    monkeypatch.setattr(model, 'encode_frames', lambda *given: encode(*given) * 1.5)
    (other := make_saving()).load()
    assert 'of model fake with other weights, here is fake' in caplog.text
    other.cleanup()
    for file in tmp_path.glob('*.refused'):
        file.rename(file.with_suffix(''))
    assert (tmp_path / MANIFEST).read_bytes() == manifest
    monkeypatch.undo()
    model.model_id = 'other'
    caplog.clear()
    make_saving().load()
    assert 'of model fake, here is other' in caplog.text


def test_a_disk_without_room_for_the_archive_at_load_leaves_the_snapshot_alone(
    make_saving, watch, tmp_path, monkeypatch
):
    small = {'archive_host_bytes': 2**14, 'archive_disk_bytes': 2**22, 'short_term_frames': 1}
    settings = {'memory': {**small, 'long_term_frames': 1}}
    watch(first := make_saving(**settings), range(1, 600))
    said = _said(first)
    assert first.stats().memory.disk_bytes > 0
    first.cleanup()
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr('os.posix_fallocate', _full)
        for _ in range(2):
            with pytest.raises(UnreadableSnapshot, match="No space left.* for the archive's part"):
                make_saving(**settings).load()
            assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
    (again := make_saving(**settings)).load()
    assert _said(again) == said


def test_a_disk_that_is_full_at_stop_is_told_and_the_memory_goes_on(
    make_saving, watch, tmp_path, full_disk, caplog
):
    engine = make_saving()
    watch(engine, range(1, 9))
    engine.stop()
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    watch(engine, range(9, 12))
    full_disk(True)
    assert engine.stop()
    for file in (MANIFEST, TENSORS):
        (found,) = tmp_path.glob(file)
        assert found.read_bytes() == before[found]
    assert caplog.text.count('the memory is not saved') == 1
    assert 'No space left' in caplog.text
    assert 'not saved' in (told := engine.stats().snapshot_problem) and 'No space left' in told
    assert _said(engine).newest_stamp_ns == 11 * 10**9
    full_disk(False)
    engine.stop()
    assert not engine.stats().snapshot_problem
    engine.cleanup()
    assert len(_saved(tmp_path)) == 11


def test_a_running_engine_saves_from_time_to_time_and_while_it_writes_it_works(
    make_saving, show, until, tmp_path, monkeypatch
):
    go_on, writing = threading.Event(), threading.Event()

    def hold(folder: Path, state, **how) -> int:
        writing.set()
        assert go_on.wait(10)
        return write(folder, state, **how)

    monkeypatch.setattr('livevlm_ros.engine.snapshots.write_snapshot', hold)
    engine = make_saving(autosave_s=0.05)
    engine.load()
    engine.start()
    show(engine)
    assert writing.wait(10)
    show(engine, 3)
    assert engine.ask(ASKED).newest_stamp_ns == 4 * 10**9
    go_on.set()
    until(lambda: has_snapshot(tmp_path))
    engine.stop()
    assert len(_saved(tmp_path)) == 4


def test_what_a_thread_writes_is_the_memory_as_it_was(make_saving, watch, tmp_path):
    engine = make_saving()
    watch(engine, range(1, 9))
    snapshots = engine._loop.parts.snapshots
    snapshots.begin()
    watch(engine, range(9, 40))
    snapshots._writer.join()
    assert len(_saved(tmp_path)) == 8


def test_the_archive_is_read_by_the_thread_that_writes_it_down(
    make_saving, watch, monkeypatch: pytest.MonkeyPatch
):
    engine, readers = make_saving(), []
    watch(engine, range(1, 40))
    records = RecordStore.records

    def noted(store: RecordStore, addresses: torch.Tensor) -> torch.Tensor:
        readers.append((threading.current_thread().name, len(addresses)))
        return records(store, addresses)

    monkeypatch.setattr(RecordStore, 'records', noted)
    snapshots = engine._loop.parts.snapshots
    snapshots.begin()
    snapshots._writer.join()
    assert readers == [('livevlm-save', 35)]


def test_a_memory_that_is_cleared_while_it_is_saved_leaves_the_snapshot_before(
    make_saving, watch, tmp_path, monkeypatch, caplog
):
    go_on, engine = threading.Event(), make_saving()
    watch(engine, range(1, 9))
    snapshots = engine._loop.parts.snapshots
    snapshots.save()

    def hold(folder: Path, state, **how) -> int:
        assert go_on.wait(10)
        return write(folder, state, **how)

    watch(engine, range(9, 20))
    monkeypatch.setattr('livevlm_ros.engine.snapshots.write_snapshot', hold)
    snapshots.begin()
    engine._loop.parts.clear('all')
    go_on.set()
    snapshots._writer.join()
    assert len(_saved(tmp_path)) == 8
    assert 'not saved' not in caplog.text
    monkeypatch.undo()
    engine.cleanup()
    assert _saved(tmp_path) == []


def test_an_engine_that_can_start_no_thread_saves_when_it_stops(
    make_saving, watch, tmp_path, monkeypatch
):
    engine = make_saving()
    watch(engine, range(1, 9))

    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, 'start', none_left)
        with pytest.raises(RuntimeError, match='start new thread'):
            engine._loop.parts.snapshots.begin()
    engine.stop()
    assert len(_saved(tmp_path)) == 8


def test_failures_while_running_are_told_once_and_so_is_their_end(
    make_saving, watch, full_disk, caplog, tmp_path
):
    engine = make_saving()
    engine.load()
    snapshots = engine._loop.parts.snapshots

    def save(second: int) -> None:
        watch(engine, range(second, second + 1))
        snapshots.begin()
        snapshots._writer.join()

    full_disk(True)
    for second in (1, 2, 3):
        save(second)
    assert caplog.text.count('not saved') == 1
    full_disk(False)
    save(4)
    assert 'saved again, after 3 failures' in caplog.text
    assert has_snapshot(tmp_path)


def test_a_robot_that_comes_back_later_loses_no_frame(make_saving, watch):
    watch(first := make_saving(), range(1, 9))
    first.cleanup()
    watch(second := make_saving(), range(10**6, 10**6 + 3))
    assert second.stats().cameras['camera'].dropped.total == 0
    assert second.stats().memory.frames == 8 + 3


def test_a_clock_behind_after_a_boot_costs_nothing_of_what_was_restored(make_saving, frame, watch):
    watch(first := make_saving(), range(1000, 1012))
    first.cleanup()
    (second := make_saving()).load()
    for number in (400, 401, 402):
        second.see(frame(number))
        second.turn()
    second.cleanup()
    (third := make_saving()).load()
    for number in (1020, 1021):  # the clock is right again
        third.see(frame(number))
        assert third.turn()
    assert third.stats().memory.frames == 12 + 2 + 2
    answer = third.ask_now(Question('now ?', max_evidence=20))
    stamps = {found.stamp_ns // 10**9 for found in answer.evidence}
    assert stamps == {*range(1000, 1012), 401, 402, 1020, 1021}
    assert third.ask_now(Question('now ?', time_end_ns=402 * 10**9)).frames_considered == 2


def test_time_that_begins_anew_clears_what_was_restored_when_told_so(make_saving, frame, watch):
    watch(first := make_saving(on_jump='reset'), range(1000, 1009))
    first.cleanup()
    (second := make_saving(on_jump='reset')).load()
    for number in range(1, 6):
        second.see(frame(number))
        second.turn()
    assert second.stats().time_jumps == 1
    assert second.stats().memory.frames == 4  # one had to confirm that time ran back
    assert second.stats().cameras['camera'].dropped.bad == 1


def test_questions_go_before_saving(make_saving, watch, until):
    engine = make_saving(autosave_s=0.001)
    watch(engine, range(1, 9))
    loop, saved = engine._loop, []
    loop.parts.snapshots.begin = lambda: saved.append(len(engine._questions))
    engine._questions.open()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(engine.ask, Question('now ?', unlimited=True))
        until(lambda: len(engine._questions) == 1)
        loop._autosave()
        assert saved == []
        assert loop.turn()
        asked.result()
    loop.promises.make(Place(time.monotonic() + 60.0, 1.0))
    loop.parts.snapshots.copy_s = 100.0
    loop._autosave()
    assert saved == []
    loop.parts.snapshots.copy_s = 1.0
    loop._autosave()
    assert saved == [0]


def test_a_restored_memory_takes_bytes_of_its_own(make_saving, watch, tmp_path):
    """The files may be replaced while what was read from them is in use."""
    watch(first := make_saving(), range(1, 60))
    said = _said(first)
    first.cleanup()
    (second := make_saving()).load()
    for file in tmp_path.glob('memory-*'):
        file.write_bytes(bytes(file.stat().st_size))
    assert _said(second) == said
    assert torch.isfinite(second._loop.parts.memory._tiers.short_term._keys).all()
