# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A snapshot and the journal after it together are the memory as it was; see `test_kills`, too."""

import shutil
from pathlib import Path

import pytest

from livevlm_ros.engine import Engine
from livevlm_ros.memory.folder_lock import LOCK
from livevlm_ros.memory.journal_file import FIRST_LINE
from livevlm_ros.memory.snapshot import (
    JOURNALS,
    MANIFEST,
    SnapshotError,
    has_snapshot,
    read_snapshot,
)

SECOND = 10**9


def _killed(engine: Engine, folder: Path) -> Path:
    """Return a copy of an engine's folder as a kill would leave it now."""
    engine._loop.parts.snapshots._journal.settle()
    return Path(shutil.copytree(engine._config.memory.path, folder))


def _seconds(engine: Engine) -> list[int]:
    return [frame.stamp_ns // SECOND for frame in engine.memory.timeline()[0]]


@pytest.fixture
def restored(make_saving):
    """Return when the frames were seen that an engine restores from a folder."""

    def restored(folder: Path) -> list[int]:
        (engine := make_saving(memory={'path': str(folder)})).load()
        return _seconds(engine)

    return restored


def test_a_running_engine_is_on_disk_from_its_first_frame_on(
    make_saving, show, until, tmp_path, restored
):
    engine = make_saving(memory={'path': str(tmp_path / 'own')})
    (tmp_path / 'own').mkdir()
    engine.load()
    engine.start()
    assert [file.name for file in (tmp_path / 'own').iterdir()] == [LOCK]
    show(engine)
    until(lambda: engine._loop.parts.snapshots._journal.sound)
    show(engine, 30)
    assert restored(_killed(engine, tmp_path / 'killed')) == list(range(1, 32))


def test_a_life_after_a_kill_goes_on_in_the_same_journal(
    make_saving, watch, tmp_path, monkeypatch
):
    folder = tmp_path / '0'
    folder.mkdir()
    watch(first := make_saving(memory={'path': str(folder)}), range(1, 5))
    first.stop()
    for life in (1, 2, 3):
        killed = _killed(first, tmp_path / str(life))
        (file,) = killed.glob(JOURNALS)
        file.write_bytes(file.read_bytes() + b'torn')
        first = make_saving(memory={'path': str(killed)})
        watch(first, range(4 * life + 1, 4 * life + 5))
        assert _seconds(first) == list(range(1, 4 * life + 5))
    assert len(read_snapshot(killed).facts['memory']['short_term']['frames']) == 4


def test_a_journal_that_is_damaged_ends_there_and_that_is_told(
    make_saving, watch, tmp_path, restored, caplog
):
    folder = tmp_path / 'own'
    folder.mkdir()
    watch(engine := make_saving(memory={'path': str(folder)}), range(1, 5))
    engine.stop()
    watch(engine, range(5, 9))
    killed = _killed(engine, tmp_path / 'killed')
    (file,) = killed.glob(JOURNALS)
    whole = file.read_bytes()
    entry = (len(whole) - len(FIRST_LINE)) // 4
    at = len(FIRST_LINE) + 2 * entry + entry // 2
    file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    assert restored(killed) == [1, 2, 3, 4, 5, 6]
    told = f'{killed / file.name}: of no use after 2 changes of the memory (torn or damaged)'
    assert told in caplog.text


def test_a_change_that_cannot_be_done_again_ends_the_journal(
    make_saving, watch, tmp_path, restored, caplog, monkeypatch
):
    folder = tmp_path / 'own'
    folder.mkdir()
    watch(engine := make_saving(memory={'path': str(folder)}), range(1, 5))
    engine.stop()
    watch(engine, range(5, 7))
    with monkeypatch.context() as patch:
        patch.setattr('livevlm_ros.engine.changes._facts', lambda kind, timeline, **facts: facts)
        watch(engine, range(7, 8))
    watch(engine, range(8, 9))
    assert restored(_killed(engine, tmp_path / 'killed')) == [1, 2, 3, 4, 5, 6]
    assert "of no use after 2 changes of the memory (KeyError('kind'))" in caplog.text


def test_another_memory_is_not_told_by_the_journal_of_the_one_before(
    make_saving, watch, tmp_path, restored
):
    folder = tmp_path / 'own'
    folder.mkdir()
    watch(engine := make_saving(memory={'path': str(folder)}), range(1, 5))
    engine.stop()
    engine.memory.save('kitchen', overwrite=False)
    assert 'journal' not in read_snapshot(folder / 'kitchen').facts
    watch(engine, range(5, 9))
    engine.memory.load('kitchen')
    watch(engine, range(20, 22))
    assert restored(_killed(engine, tmp_path / 'before')) == list(range(1, 9))
    assert engine._loop.parts.snapshots.due()
    engine._loop.parts.snapshots.begin()
    watch(engine, range(22, 24))
    engine._loop.parts.snapshots._writer.join()
    assert restored(_killed(engine, tmp_path / 'after')) == [1, 2, 3, 4, 20, 21, 22, 23]


def test_of_two_snapshots_the_older_does_not_take_the_place_of_the_newer(
    make_saving, watch, tmp_path
):
    watch(engine := make_saving(), range(1, 5))
    snapshots = engine._loop.parts.snapshots
    older = snapshots.copy()
    watch(engine, range(5, 9))
    newer = snapshots.copy()
    nbytes = snapshots.write(tmp_path, newer)
    before = (tmp_path / MANIFEST).read_bytes()
    assert snapshots.write(tmp_path, older) == nbytes
    assert (tmp_path / MANIFEST).read_bytes() == before


def test_a_disk_that_failed_is_told_until_a_snapshot_has_all(
    make_saving, watch, tmp_path, monkeypatch, caplog
):
    watch(engine := make_saving(), range(1, 5))
    engine.stop()
    snapshots = engine._loop.parts.snapshots
    assert not snapshots.due()

    def fail(*args: object) -> None:
        raise OSError('no disk')

    with monkeypatch.context() as patch:
        patch.setattr('livevlm_ros.memory.journal.packed', fail)
        watch(engine, range(5, 8))
        snapshots._journal.settle()
    assert 'no disk' in caplog.text
    assert engine.stats().unsaved == 3
    assert not snapshots.due()  # the last snapshot was just made
    snapshots._retry_s = 0.0
    assert snapshots.due()
    snapshots.begin()
    snapshots._writer.join()
    assert engine.stats().unsaved == 0
    assert not snapshots.due()


def test_what_is_to_be_forgotten_is_replaced_though_the_disk_was_full(
    make_saving, watch, tmp_path, monkeypatch
):
    def fail(*args, **how):
        raise SnapshotError('no space left')

    monkeypatch.setattr('livevlm_ros.engine.snapshots.RETRY_S', 0.0)
    watch(engine := make_saving(), range(1, 9))
    snapshots = engine._loop.parts.snapshots
    snapshots.save()
    engine._loop.parts.clear('all')
    snapshots.hasten()
    with monkeypatch.context() as patch:
        patch.setattr('livevlm_ros.engine.snapshots.write_snapshot', fail)
        snapshots.begin()
        snapshots._writer.join()
    assert read_snapshot(tmp_path).facts['memory']['short_term']['frames']
    assert snapshots.due()
    snapshots.begin()
    snapshots._writer.join()
    assert not read_snapshot(tmp_path).facts['memory']['short_term']['frames']


def test_without_snapshots_there_is_no_journal(make_saving, watch, tmp_path):
    watch(engine := make_saving(snapshot=False), range(1, 9))
    engine.memory.save('kitchen', overwrite=False)
    engine.cleanup()
    assert not has_snapshot(tmp_path)
    assert not list(tmp_path.rglob(JOURNALS))
