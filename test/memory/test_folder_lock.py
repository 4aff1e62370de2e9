# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from livevlm_ros.memory.folder_lock import LOCK, FolderInUse, FolderLock

HOLD = """
import sys
from livevlm_ros.memory.folder_lock import FolderLock
lock = FolderLock(sys.argv[1])
print('locked', flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> subprocess.Popen[str]:
    """Start a process that has the folder."""
    pipes = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE, 'text': True}
    with subprocess.Popen([sys.executable, '-c', HOLD, str(tmp_path)], **pipes) as process:
        assert process.stdout.readline() == 'locked\n'
        yield process
        process.kill()


def test_another_process_is_refused_by_folder_and_holder(tmp_path: Path, holder) -> None:
    with pytest.raises(FolderInUse) as refused:
        FolderLock(str(tmp_path))
    assert f'{tmp_path} is in use by process {holder.pid}:' in str(refused.value)
    assert '\n' not in str(refused.value)


def test_a_holder_that_was_killed_blocks_nobody(tmp_path: Path, holder) -> None:
    holder.kill()
    holder.wait(10)
    FolderLock(str(tmp_path)).release()


def test_a_folder_that_was_released_is_free_and_names_its_next_holder(tmp_path: Path) -> None:
    first = FolderLock(str(tmp_path))
    with pytest.raises(FolderInUse, match=f'process {os.getpid()}:'):
        FolderLock(str(tmp_path))
    first.release()
    first.release()
    (tmp_path / LOCK).write_text('4194305')  # of one that ended, and had a longer number
    second = FolderLock(str(tmp_path))
    assert (tmp_path / LOCK).read_text() == str(os.getpid())
    second.release()


def test_what_cannot_be_written_needs_no_lock(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(os, 'access', lambda path, mode: False)  # as of a read-only file system
    FolderLock(str(tmp_path))
    FolderLock('')
    FolderLock(str(tmp_path / 'none'))
    assert not list(tmp_path.iterdir())


def test_a_file_system_without_locks_is_told_and_used(tmp_path: Path, monkeypatch, caplog) -> None:
    def fail(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, 'flock', fail)
    FolderLock(str(tmp_path)).release()
    assert f'{tmp_path}: files cannot be locked there' in caplog.text


def test_a_link_in_the_place_of_the_lock_is_refused_and_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / 'victim'
    victim.write_text('mine')
    (tmp_path / LOCK).symlink_to(victim)
    with pytest.raises(ValueError, match='cannot be opened'):
        FolderLock(str(tmp_path))
    assert victim.read_text() == 'mine'
