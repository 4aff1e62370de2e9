# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from livevlm_ros.memory import State
from livevlm_ros.memory.checksum import PIECE_BYTES
from livevlm_ros.memory.state import RUN_BYTES, Rows
from livevlm_ros.memory.tensor_file import read_tensors, write_tensors


@pytest.fixture
def state() -> State:
    numbers = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    tensors = {
        'odd': torch.arange(3, dtype=torch.uint8),
        'brain': numbers.bfloat16(),
        'turned': numbers.T,
        'none': torch.empty(0, 2, dtype=torch.int64),
    }
    rows = {'codes': Rows.of(torch.arange(12, dtype=torch.int16).view(4, 3))}
    return State(tensors, {}, {**rows, 'nothing': Rows.of(torch.empty(0, 3))})


def test_the_library_reads_what_was_written(state: State, tmp_path: Path) -> None:
    write_tensors(tmp_path / 'file', state)
    read = load_file(tmp_path / 'file')
    written = state.tensors | {name: part.whole() for name, part in state.rows.items()}
    assert read.keys() == written.keys()
    for name, tensor in written.items():
        assert read[name].dtype == tensor.dtype and torch.equal(read[name], tensor)


def test_rows_are_read_when_they_are_asked_for_though_the_file_is_replaced(
    state: State, tmp_path: Path
) -> None:
    write_tensors(tmp_path / 'file', state)
    tensors, rows = read_tensors(tmp_path / 'file', state.rows)
    assert torch.equal(tensors['turned'], state.tensors['turned'])
    assert torch.equal(tensors['none'], state.tensors['none'])
    (tmp_path / 'other').write_bytes(b'')
    (tmp_path / 'other').rename(tmp_path / 'file')
    assert rows['codes'].read(1, 3).tolist() == [[3, 4, 5], [6, 7, 8]]
    assert rows['nothing'].whole().shape == (0, 3)


@pytest.mark.parametrize('row', [3, PIECE_BYTES // 2 + 1])
def test_rows_are_read_into_their_place(tmp_path: Path, row: int) -> None:
    """Of a few bytes, and of more than a thread reads at once."""
    records = torch.randint(256, (5, row), dtype=torch.uint8)
    write_tensors(tmp_path / 'file', State(rows={'records': Rows.of(records)}))
    _, rows = read_tensors(tmp_path / 'file', ['records'])
    for given in (rows['records'], Rows.of(records)):
        found = torch.zeros_like(records)
        given.copy_to(found[1:4], first=2)
        assert torch.equal(found[1:4], records[2:])
        assert not found[0].any() and not found[4].any()


def test_no_more_than_a_run_is_in_ram_at_once(tmp_path: Path) -> None:
    row, asked = RUN_BYTES // 3, []

    def read(first: int, last: int) -> torch.Tensor:
        asked.append((first, last))
        return torch.zeros(last - first, row, dtype=torch.uint8)

    write_tensors(tmp_path / 'file', State(rows={'records': Rows((8, row), torch.uint8, read)}))
    assert asked == [(0, 3), (3, 6), (6, 8)]


def test_a_file_that_was_cut_meanwhile_is_not_taken_for_whole(
    state: State, tmp_path: Path
) -> None:
    write_tensors(tmp_path / 'file', state)
    _, rows = read_tensors(tmp_path / 'file', state.rows)
    with (tmp_path / 'file').open('r+b') as file:
        file.truncate(20)
    with pytest.raises(OSError, match='ends before its tensors'):
        rows['codes'].whole()
    with pytest.raises(OSError, match='ends before its tensors'):
        rows['codes'].copy_to(torch.empty(rows['codes'].shape, dtype=torch.int16))
