# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import resource
from pathlib import Path

import pytest

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.whole_file import (
    append_line,
    whole_file,
    whole_lines,
    write_each,
    write_whole,
)

FULL = Path('/dev/full')  # takes nothing: no space left on device


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_file_that_fails_half_way_is_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / 'r.json'
    file.write_text('old')
    with (
        pytest.raises(BadInput, match='r.json: cannot be written: No space'),
        whole_file(file) as part,
    ):
        part.write_text('half')
        FULL.write_text('and the disk is full')
    assert file.read_text() == 'old' and names(tmp_path) == ['r.json']
    with pytest.raises(KeyboardInterrupt), whole_file(file) as part:
        part.write_text('half')
        raise KeyboardInterrupt
    assert file.read_text() == 'old' and names(tmp_path) == ['r.json']


def test_a_link_stays_a_link_and_a_device_a_device(tmp_path: Path) -> None:
    (tmp_path / 'link').symlink_to('there.json')
    write_whole(tmp_path / 'link', 'new')
    assert (tmp_path / 'link').is_symlink() and (tmp_path / 'there.json').read_text() == 'new'
    write_whole(Path('/dev/null'), 'gone')
    assert not Path('/dev/null').is_file()


def test_of_two_writers_at_once_the_last_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / 'r.json'
    with whole_file(file) as part:
        part.write_text('ours')
        monkeypatch.setattr('os.getpid', lambda: 1)
        write_whole(file, 'theirs')
        assert file.read_text() == 'theirs'
    assert file.read_text() == 'ours' and names(tmp_path) == ['r.json']


def test_each_file_is_written_whatever_becomes_of_the_others(tmp_path: Path) -> None:
    good = tmp_path / 'r.html'
    written = write_each((FULL, lambda: 'lost'), (None, lambda: 'unwanted'), (good, lambda: 'é'))
    assert written.files == [good]
    assert written.problems == ['/dev/full: cannot be written: No space left on device']
    assert good.read_text(encoding='utf-8') == 'é'


def test_a_line_is_appended_in_place_of_one_that_was_cut_off(tmp_path: Path) -> None:
    file = tmp_path / 'lines'
    file.write_text('one\ntw')
    assert whole_lines(file) == ['one']
    append_line(file, 'zwei')
    append_line(file, 'drei')
    assert file.read_text() == 'one\nzwei\ndrei\n' and whole_lines(file) == ['one', 'zwei', 'drei']


def test_a_line_for_which_there_is_no_room_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / 'lines'
    file.write_text('one\n')
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    try:
        with pytest.raises(BadInput, match='lines: cannot be written: File too large'):
            append_line(file, 'longer than ten bytes')
    finally:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert file.read_text() == 'one\n'
