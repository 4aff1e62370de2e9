# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from livevlm_ros.memory import CacheShape
from livevlm_ros.memory.archive_groups import GroupLayout
from livevlm_ros.memory.archive_index import PageTable, page_bytes
from livevlm_ros.memory.long_term import Tokens


@pytest.fixture
def table(shape: CacheShape) -> PageTable:
    return PageTable(GroupLayout(shape, 16, 8), rows=20)


def group(shape: CacheShape, first: int, tokens: int = 64) -> Tokens:
    """Tokens named in a row; the keys are their names."""
    names = torch.arange(first, first + tokens).expand(shape.layers, -1)
    keys = names[:, None, :, None].expand(-1, shape.kv_heads, -1, shape.head_dim).float()
    return Tokens(keys, -keys, names, names.double(), names.float())


def test_a_page_is_known_by_its_mean_key_and_its_ends(table: PageTable, shape: CacheShape) -> None:
    table.append(group(shape, 100), lane=0, address=3)
    index = table.index(1)
    assert index.means[:, 0, 0].tolist() == [107.5, 123.5, 139.5, 155.5]
    assert index.ends.tolist() == [[100, 115], [116, 131], [132, 147], [148, 163]]
    assert table.addresses(slice(4)).tolist() == [3] * 4
    assert table.places(slice(4)).tolist() == [0, 1, 2, 3]


def test_tokens_that_do_not_fill_a_page_are_no_page(table: PageTable, shape: CacheShape) -> None:
    table.append(group(shape, 0, tokens=37), lane=0, address=0)
    table.append(group(shape, 0, tokens=15), lane=0, address=1)
    assert len(table.index(0).ends) == 2


def test_removed_pages_are_gone_and_all_others_stay_whole(
    table: PageTable, shape: CacheShape
) -> None:
    for address, first in enumerate((0, 1000, 2000, 500)):
        table.append(group(shape, first), lane=address % 2, address=address)
    table.remove(table.rows_of(torch.tensor([0, 2])))
    assert table.count == 8
    assert table.rows_of(torch.tensor([0, 2])).tolist() == []
    for address, first in ((1, 1000), (3, 500)):
        rows = table.rows_of(torch.tensor([address]))
        names = torch.arange(first, first + 64).view(4, 16)
        assert torch.equal(table.names[1, rows], names)
        assert torch.equal(table.times[0, rows], names.double())
        assert torch.equal(table.scores[0, rows], names.float())
        assert torch.equal(table.means[1, rows, 1, 0], names.float().mean(1))
        assert table.lanes[rows].tolist() == [1] * 4


def test_groups_come_oldest_first_by_their_middle(table: PageTable, shape: CacheShape) -> None:
    straggler = group(shape, 700)
    names = straggler.names.clone()
    names[:, 0] = 1
    table.append(
        Tokens(straggler.keys, straggler.values, names, straggler.times, straggler.scores),
        lane=0,
        address=0,
    )
    table.append(group(shape, 300), lane=1, address=1)
    table.append(group(shape, 0), lane=0, address=9)
    assert table.addresses(table.groups(below=9)).tolist() == [1, 0]
    assert table.addresses(table.groups(below=10)).tolist() == [9, 1, 0]


def test_a_group_that_moves_is_found_at_its_new_address(
    table: PageTable, shape: CacheShape
) -> None:
    table.append(group(shape, 0), lane=0, address=5)
    table.append(group(shape, 64), lane=0, address=2)
    rows = table.rows_of(torch.tensor([5]))
    table.move(source=5, target=8)
    assert torch.equal(table.rows_of(torch.tensor([8])), rows)
    assert table.places(rows).tolist() == [0, 1, 2, 3]


def test_the_bytes_said_are_those_of_a_row(table: PageTable, shape: CacheShape) -> None:
    columns = [getattr(table, name) for name in PageTable.OF_LAYERS]
    stored = sum(column.nbytes for column in (*columns, table.cells, table.lanes, table.serials))
    assert stored == 20 * page_bytes(GroupLayout(shape, 16, 8))
