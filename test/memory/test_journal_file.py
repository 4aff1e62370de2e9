# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import errno
import os
from pathlib import Path

import pytest
import torch

from livevlm_ros.memory import State
from livevlm_ros.memory.journal_file import (
    FIRST_LINE,
    GOES_ON_IN,
    JournalReader,
    journal_file,
    packed,
)
from livevlm_ros.memory.snapshot import UnreadableSnapshot


def _entry(number: int) -> State:
    tensors = {'keys': torch.full((2, 3), number / 7).bfloat16(), 'ids': torch.tensor([number])}
    return State(tensors, {'number': number, 'name': 'é'})


def _link(name: str) -> State:
    return State({}, {GOES_ON_IN: name})


def _write(folder: Path, name: str, *entries: State) -> Path:
    file = journal_file(folder, name)
    file.write_bytes(FIRST_LINE + b''.join(b''.join(packed(entry)) for entry in entries))
    return file


def _read(folder: Path, name: str = 'a') -> tuple[list[int], JournalReader]:
    """Read a journal; every entry is as it was written."""
    reader, numbers = JournalReader(folder, name), []
    for entry in reader.entries():
        whole = _entry(entry.facts['number'])
        assert entry.facts == whole.facts
        assert all(torch.equal(entry.tensors[name], whole.tensors[name]) for name in whole.tensors)
        numbers.append(entry.facts['number'])
    return numbers, reader


def test_what_was_written_is_read(tmp_path: Path) -> None:
    file = _write(tmp_path, 'a', _entry(1), _entry(2))
    numbers, reader = _read(tmp_path)
    assert numbers == [1, 2]
    assert (reader.name, reader.ignored) == ('a', 0)
    assert reader.end == reader.nbytes == file.stat().st_size


def test_a_file_leads_to_the_next(tmp_path: Path) -> None:
    first = _write(tmp_path, 'a', _entry(1), _link('b'))
    second = _write(tmp_path, 'b', _entry(2))
    numbers, reader = _read(tmp_path)
    assert numbers == [1, 2]
    assert (reader.name, reader.end) == ('b', second.stat().st_size)
    assert reader.nbytes == first.stat().st_size + second.stat().st_size


def test_there_may_be_no_file_yet(tmp_path: Path) -> None:
    assert _read(tmp_path)[0] == []
    _write(tmp_path, 'a', _entry(1), _link('b'))
    numbers, reader = _read(tmp_path)
    assert numbers == [1]
    assert (reader.name, reader.end, reader.ignored) == ('b', 0, 0)


def test_files_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    _write(tmp_path, 'a', _entry(1), _link('b'))
    _write(tmp_path, 'b', _entry(2), _link('a'))
    assert _read(tmp_path)[0] == [1, 2]


def test_a_journal_that_is_cut_anywhere_ends_with_its_last_whole_entry(tmp_path: Path) -> None:
    whole = _write(tmp_path, 'a', _entry(1), _entry(2)).read_bytes()
    ends = [len(FIRST_LINE), len(FIRST_LINE) + len(b''.join(packed(_entry(1)))), len(whole)]
    for size in range(len(whole) + 1):
        journal_file(tmp_path, 'a').write_bytes(whole[:size])
        numbers, reader = _read(tmp_path)
        good = [end for end in ends if end <= size]
        assert numbers == [1, 2][: max(0, len(good) - 1)]
        assert reader.end == max(good, default=0)
        assert reader.end + reader.ignored == size


def test_a_bit_that_flips_anywhere_ends_the_journal_before_its_entry(tmp_path: Path) -> None:
    file = _write(tmp_path, 'a', _entry(1), _entry(2), _link('b'))
    _write(tmp_path, 'b', _entry(3))
    whole = file.read_bytes()
    first = len(b''.join(packed(_entry(1))))
    ends = [len(FIRST_LINE), len(FIRST_LINE) + first, len(FIRST_LINE) + 2 * first]
    for at in range(len(whole)):
        flipped = bytes([whole[at] ^ 1 << at % 8])
        file.write_bytes(whole[:at] + flipped + whole[at + 1 :])
        numbers, reader = _read(tmp_path)
        before = sum(end <= at for end in ends)
        assert numbers == [1, 2][: max(0, before - 1)]
        assert (reader.name, reader.ignored > 0) == ('a', True)


def test_who_stops_reading_ends_the_journal_before_what_was_of_no_use(tmp_path: Path) -> None:
    file = _write(tmp_path, 'a', _entry(1), _entry(2))
    reader = JournalReader(tmp_path, 'a')
    for entry in reader.entries():
        if entry.facts['number'] == 2:
            break
    assert reader.end == len(FIRST_LINE) + len(b''.join(packed(_entry(1))))
    assert reader.ignored == file.stat().st_size - reader.end


def test_what_the_system_does_not_let_be_read_is_not_taken_for_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path, 'a', _entry(1))

    def fail(*args: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr('os.open', fail)
    with pytest.raises(UnreadableSnapshot, match='Input/output error.*nothing was touched'):
        _read(tmp_path)
