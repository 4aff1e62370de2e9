# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
import torch

from livevlm_ros.memory import CacheShape
from livevlm_ros.memory.archive_groups import GroupLayout
from livevlm_ros.memory.archive_store import GroupStore


@pytest.fixture
def layout(shape: CacheShape) -> GroupLayout:
    return GroupLayout(shape, 16, 16)


def write(store: GroupStore, layout: GroupLayout, address: int, number: float) -> None:
    size = (layout.shape.layers, layout.shape.kv_heads, layout.tokens, layout.shape.head_dim)
    store.write(address, torch.full(size, number), torch.full(size, -number))


def test_a_record_moves_to_disk_and_its_place_in_ram_is_free(
    layout: GroupLayout, tmp_path: Path
) -> None:
    store = GroupStore(layout, host=2, disk=1, folder=tmp_path)
    taken = [store.take(), store.take()]
    assert (taken, store.take()) == ([0, 1], None)
    write(store, layout, 0, 5.0)
    assert store.spill(0) == 2
    assert store.take() == 0
    assert store.spill(1) is None
    assert store.count == 3
    assert store.host_bytes == 2 * layout.record_bytes
    write(store, layout, 0, 6.0)
    out = torch.zeros(3, layout.shape.kv_heads, 2, 16, layout.shape.head_dim)
    addresses, places = torch.tensor([2, 0, 3]), torch.tensor([1, 0, 0])
    store.read(0, addresses, places, heads=torch.arange(out.shape[1]), out=out)
    assert out[:, 0, 0, 0, 0].tolist() == [5.0, 6.0, 0.0]
    assert out[:, 0, 1, 0, 0].tolist() == [-5.0, -6.0, 0.0]
    store.free([2, 1])
    assert (store.count, store.take()) == (1, 1)
    store.close()


def test_the_first_of_too_many_records_for_ram_fill_the_disk(
    layout: GroupLayout, tmp_path: Path
) -> None:
    store = GroupStore(layout, host=3, disk=2, folder=tmp_path)
    records = torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1, 1).expand(4, *layout.record)
    addresses = store.fill(records)
    assert addresses.tolist() == [3, 0, 1, 2]
    assert torch.equal(store.gather(addresses), records)
    assert (store.count, store.disk_bytes) == (4, layout.record_bytes)
    assert store.take() is None
    assert store.spill(0) == 4
