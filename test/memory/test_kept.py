# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import os
from pathlib import Path

import pytest
import torch

from livevlm_ros.memory import SnapshotError, State
from livevlm_ros.memory.kept import forget_kept, keep, kept
from livevlm_ros.memory.snapshot import read_snapshot, write_snapshot


def _save(folder: Path, numbers: int) -> None:
    write_snapshot(folder, State({'numbers': torch.arange(numbers)}, {'numbers': numbers}))


def _numbers(folder: Path) -> list[int]:
    """Return what the snapshots that are kept were made of."""
    states = [read_snapshot(each) for each in kept(folder)]
    assert all(len(state.tensors['numbers']) == state.facts['numbers'] for state in states)
    return [state.facts['numbers'] for state in states]


def _fail(*args: object) -> None:
    raise PermissionError


def test_a_snapshot_stays_when_another_takes_its_place(tmp_path: Path) -> None:
    for numbers in (5, 6, 7):
        _save(tmp_path, numbers)
        assert keep(tmp_path, most=9) == tmp_path / f'kept-{numbers - 4}'
    _save(tmp_path, 8)
    assert _numbers(tmp_path) == [5, 6, 7]
    assert read_snapshot(tmp_path).facts == {'numbers': 8}


def test_what_is_kept_already_is_not_kept_again(tmp_path: Path) -> None:
    _save(tmp_path, 5)
    assert keep(tmp_path, most=9) == keep(tmp_path, most=9)
    assert _numbers(tmp_path) == [5]


def test_of_too_many_the_smallest_go(tmp_path: Path) -> None:
    for numbers in (50_000, 500, 7, 5000, 60):
        _save(tmp_path, numbers)
        folder = keep(tmp_path, most=2)
        assert (folder is None) == (numbers in (7, 60))
    assert _numbers(tmp_path) == [50_000, 5000]
    assert [each.name for each in kept(tmp_path)] == ['kept-1', 'kept-3']


def test_a_file_system_without_links_takes_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, 'link', _fail)
    _save(tmp_path, 5)
    keep(tmp_path, most=1)
    _save(tmp_path, 6)
    assert _numbers(tmp_path) == [5]


@pytest.mark.parametrize('links', [True, False])
def test_nobody_else_reads_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, 'link', _fail)
    _save(tmp_path, 5)
    folder = keep(tmp_path, most=1)
    assert folder is not None and folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


def test_all_can_be_forgotten_and_folders_of_others_stay(tmp_path: Path) -> None:
    for numbers in (5, 6):
        _save(tmp_path, numbers)
        keep(tmp_path, most=9)
    (tmp_path / 'memory.json.refused').write_text('{}')
    for name in ('kept-', 'kept-me', 'kitchen'):
        (tmp_path / name).mkdir()
    forget_kept(tmp_path)
    assert not (tmp_path / 'memory.json.refused').exists()
    assert {each.name for each in tmp_path.iterdir() if each.is_dir()} == {
        'kept-',
        'kept-me',
        'kitchen',
    }


def test_a_folder_without_a_snapshot_has_none_to_keep(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError):
        keep(tmp_path, most=1)
    assert kept(tmp_path) == []
