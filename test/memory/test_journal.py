# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import errno
import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import torch

from livevlm_ros.memory import State
from livevlm_ros.memory.journal import Journal
from livevlm_ros.memory.journal_file import JournalReader
from livevlm_ros.memory.snapshot import JOURNALS


def _entry(number: int, *, floats: int = 1) -> State:
    return State({'keys': torch.full((floats,), float(number))}, {'number': number})


def _read(folder: Path, name: str) -> list[int]:
    return [entry.facts['number'] for entry in JournalReader(folder, name).entries()]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Give a journal that follows the snapshot of `first`."""
    journal = Journal(tmp_path)
    yield journal
    journal.close()


@pytest.fixture
def first(journal: Journal) -> str:
    name = journal.cut()
    journal.placed(name, nbytes=0)
    return name


@pytest.fixture
def full_disk() -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Let files of this process grow no more while a block runs."""

    @contextmanager
    def full() -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    yield full


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Let the disk take nothing until the event is set."""
    go_on, real = threading.Event(), os.fdatasync

    def wait(descriptor: int) -> None:
        assert go_on.wait(30)
        real(descriptor)

    monkeypatch.setattr('os.fdatasync', wait)
    monkeypatch.setattr('livevlm_ros.memory.journal.SYNC_S', 0.0)
    yield go_on
    go_on.set()


def test_what_came_is_in_the_file_though_nothing_was_closed(
    journal: Journal, first: str, tmp_path: Path
) -> None:
    for number in range(20):
        journal.put(_entry(number))
    journal.settle()
    assert _read(tmp_path, first) == list(range(20))
    assert journal.sound and not journal.wants_snapshot and not journal.unsaved


def test_nobody_else_reads_it(journal: Journal, first: str, tmp_path: Path) -> None:
    journal.put(_entry(1))
    journal.close()
    (file,) = tmp_path.glob(JOURNALS)
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_disk_is_asked_to_keep_it(
    journal: Journal, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, real = threading.Event(), os.fdatasync
    monkeypatch.setattr('livevlm_ros.memory.journal.SYNC_S', 0.01)
    monkeypatch.setattr('os.fdatasync', lambda descriptor: (real(descriptor), synced.set()))
    journal.put(_entry(1))
    assert synced.wait(30)


def test_a_snapshot_in_its_place_removes_what_was_before_it(
    journal: Journal, first: str, tmp_path: Path
) -> None:
    journal.put(_entry(1))
    second = journal.cut()
    journal.put(_entry(2))
    journal.settle()
    assert _read(tmp_path, first) == [1, 2]  # as long as the snapshot is being written
    assert _read(tmp_path, second) == [2]
    journal.placed(second, nbytes=0)
    assert [file.name for file in tmp_path.glob(JOURNALS)] == [f'memory-{second}.journal']
    assert not journal.follows(first) and journal.follows(second)


def test_a_snapshot_that_failed_leaves_all_that_came(
    journal: Journal, first: str, tmp_path: Path
) -> None:
    for number in range(4):
        journal.put(_entry(number))
        journal.cut()
    journal.put(_entry(4))
    journal.settle()
    assert _read(tmp_path, first) == list(range(5))
    assert journal.sound


def test_a_life_goes_on_behind_the_last_good_entry(
    journal: Journal, first: str, tmp_path: Path
) -> None:
    journal.put(_entry(1))
    journal.close()
    (file,) = tmp_path.glob(JOURNALS)
    file.write_bytes(file.read_bytes() + b'torn')
    for number in (2, 3):
        reader, later = JournalReader(tmp_path, first), Journal(tmp_path)
        assert len(list(reader.entries())) == number - 1
        later.go_on(reader, snapshot_bytes=0)
        later.put(_entry(number))
        later.close()
        assert later.sound
    assert _read(tmp_path, first) == [1, 2, 3]


def test_a_full_disk_ends_it_and_the_next_snapshot_begins_it_anew(
    journal: Journal, first: str, tmp_path: Path, full_disk, caplog: pytest.LogCaptureFixture
) -> None:
    journal.put(_entry(1))
    journal.settle()
    with full_disk():
        for number in (2, 3):
            journal.put(_entry(number))
        journal.settle()
    journal.put(_entry(4))
    journal.settle()
    assert _read(tmp_path, first) == [1]
    assert journal.wants_snapshot and journal.unsaved == 3
    assert caplog.text.count('File too large') == 1
    second = journal.cut()
    journal.put(_entry(5))
    assert journal.wants_snapshot  # until it is in its place
    journal.placed(second, nbytes=0)
    journal.settle()
    assert journal.sound and not journal.unsaved
    assert 'a snapshot has the 3 changes it missed' in caplog.text
    assert _read(tmp_path, second) == [5]


@pytest.mark.parametrize('number', [errno.EROFS, errno.EACCES, errno.ENOENT, errno.EIO])
def test_a_folder_that_cannot_be_written_ends_it(
    journal: Journal,
    first: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    number: int,
) -> None:
    def fail(*args: object) -> None:
        raise OSError(number, os.strerror(number))

    journal.put(_entry(1))
    journal.settle()
    with monkeypatch.context() as patch:
        patch.setattr('os.open', fail)
        second = journal.cut()
        journal.put(_entry(2))
        journal.settle()
    assert os.strerror(number) in caplog.text
    assert _read(tmp_path, first) == [1]
    journal.placed(second, nbytes=0)
    assert not journal.sound and journal.unsaved == 1
    third = journal.cut()
    journal.put(_entry(3))
    journal.placed(third, nbytes=0)
    journal.settle()
    assert journal.sound and _read(tmp_path, third) == [3]


def test_a_gap_after_a_snapshot_was_copied_is_not_closed_by_it(
    journal: Journal, first: str, full_disk
) -> None:
    second = journal.cut()
    journal.settle()
    with full_disk():
        journal.put(_entry(1))
        journal.settle()
    third = journal.cut()
    journal.placed(second, nbytes=0)
    assert not journal.sound
    journal.placed(third, nbytes=0)
    assert journal.sound


def test_a_slow_disk_lets_nobody_wait_and_loses_what_is_newest(
    journal: Journal,
    first: str,
    tmp_path: Path,
    slow_disk: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr('livevlm_ros.memory.journal.MOST_WAITING_BYTES', 4000)
    for number in range(20):  # of 400 bytes
        journal.put(_entry(number, floats=100))
    assert 8 <= journal.unsaved <= 10
    assert caplog.text.count('behind') == 1
    slow_disk.set()
    journal.settle()
    kept = _read(tmp_path, first)
    assert kept == list(range(20 - journal.unsaved))
    assert journal.wants_snapshot


def test_it_asks_for_a_snapshot_when_it_is_long_and_ends_at_twice_that(
    journal: Journal, first: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr('livevlm_ros.memory.journal.LEAST_BYTES', 8000)
    journal.placed(first, nbytes=10_000)
    sizes = []
    for number in range(12):  # of 4000 bytes and some
        journal.put(_entry(number, floats=1000))
        journal.settle()
        sizes.append((journal.wants_snapshot, journal.sound))
    assert sizes[:2] == [(False, True)] * 2
    assert sizes[2:4] == [(True, True)] * 2
    assert sizes[-1] == (True, False)
    assert len(_read(tmp_path, first)) == 12 - journal.unsaved < 7


def test_a_process_without_another_thread_has_no_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    journal = Journal(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, 'start', none_left)
        journal.placed(journal.cut(), nbytes=0)
        journal.put(_entry(1))
    assert "can't start new thread" in caplog.text
    assert journal.wants_snapshot and journal.unsaved == 1
    journal.placed(name := journal.cut(), nbytes=0)
    journal.put(_entry(2))
    journal.close()
    assert _read(tmp_path, name) == [2]
