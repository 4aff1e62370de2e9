# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import errno
import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from livevlm_kernels.gather_runs import gather_runs_torch
from livevlm_ros.memory import CacheShape
from livevlm_ros.memory.archive.locked import LockedPages
from livevlm_ros.memory.archive.record import RecordLayout
from livevlm_ros.memory.archive.store import RecordStore
from livevlm_ros.memory.state import Rows


@pytest.fixture
def layout(shape: CacheShape) -> RecordLayout:
    return RecordLayout(shape, 2, 16)


def record(layout: RecordLayout, number: int) -> Tensor:
    return torch.full(layout.record, number, dtype=torch.uint8)


def read(store: RecordStore, *addresses: int) -> list[int]:
    """Return the number that each record is full of."""
    wanted = torch.tensor(addresses, dtype=torch.int64)
    records = store.records(wanted)
    assert records.flatten(1).unique(dim=1).shape[1] <= 1
    return records[:, 0, 0, 0, 0].tolist()


def test_a_record_moves_to_disk_and_its_place_in_ram_is_free(
    layout: RecordLayout, tmp_path: Path
) -> None:
    store = RecordStore(layout, host=2, disk=1, folder=tmp_path)
    assert [store.take(), store.take(), store.take()] == [0, 1, None]
    store.write(0, record(layout, 5))
    assert store.spill(0) == 2
    assert store.take() == 0
    assert store.spill(1) is None
    assert (store.count, store.host_bytes) == (3, 2 * layout.record_bytes)
    store.write(0, record(layout, 6))
    store.write(1, record(layout, 7))
    assert read(store, 2, 0, 1, 2) == [5, 6, 7, 5]
    store.free([2, 1])
    assert (store.count, store.take()) == (1, 1)
    assert store.spill(1) == 2
    store.close()


@pytest.mark.parametrize('bits', [4, 8, 16])
def test_runs_are_those_bytes_of_the_records_whichever_tier_they_lie_in(
    shape: CacheShape, tmp_path: Path, bits: int
) -> None:
    layout = RecordLayout(shape, 2, bits)
    store = RecordStore(layout, host=2, disk=2, folder=tmp_path)
    source = torch.Generator().manual_seed(0)
    records = torch.randint(256, (4, *layout.record), dtype=torch.uint8, generator=source)
    addresses = store.fill(Rows.of(records))
    order = torch.tensor([3, 0, 2, 1, 0])
    offsets = layout.blocks(slice(None))[..., None] + order % 2 * layout.page_bytes
    for run in (layout.page_bytes, layout.scales_bytes):
        runs = store.gather(addresses[order], offsets, run, unit=layout.unit)
        assert runs.shape == (2, shape.layers, shape.kv_heads, 5, run)
        for at, number in enumerate(order.tolist()):
            start = number % 2 * layout.page_bytes
            expected = records[number, ..., start : start + run].permute(2, 0, 1, 3)
            assert torch.equal(runs[..., at, :], expected)
    assert torch.equal(store.records(addresses[order]), records[order])
    assert store.records(addresses[:0]).shape == (0, *layout.record)
    store.close()


def test_the_first_of_too_many_records_for_ram_fill_the_disk(
    layout: RecordLayout, tmp_path: Path
) -> None:
    store = RecordStore(layout, host=3, disk=2, folder=tmp_path)
    addresses = store.fill(Rows.of(torch.stack([record(layout, n) for n in range(4)])))
    assert addresses.tolist() == [3, 0, 1, 2]
    assert read(store, *addresses.tolist()) == [0, 1, 2, 3]
    assert (store.count, store.disk_bytes) == (4, layout.record_bytes)
    assert store.take() is None
    assert store.spill(0) == 4
    assert read(store, 4) == [1]
    store.close()


def test_a_disk_that_cannot_grow_is_told_once_and_given_up(
    layout: RecordLayout, tmp_path: Path, monkeypatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = RecordStore(layout, host=2, disk=3, folder=tmp_path)
    store.take()
    store.write(0, record(layout, 5))
    monkeypatch.setattr('os.posix_fallocate', _full)
    assert store.spill(0) is None and store.spill(0) is None
    assert store.disk_lost and len(caplog.records) == 1
    assert read(store, 0) == [5]
    store.clear()
    assert not store.disk_lost
    store.close()


def test_a_disk_without_room_for_what_shall_fill_it_leaves_an_empty_store(
    layout: RecordLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RecordStore(layout, host=2, disk=3, folder=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr('os.posix_fallocate', _full)
        with pytest.raises(OSError, match='No space left'):
            store.fill(Rows.of(torch.stack([record(layout, n) for n in range(4)])))
    assert (store.count, store.host_bytes, store.disk_bytes) == (0, 0, 0)
    assert [store.take(), store.take(), store.take()] == [0, 1, None]
    store.close()


class FakePages:
    """Stands for RAM that is locked for a GPU, so much of it: notes what is done with it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.most, self.nbytes = 2**40, 0

    def reach(self, nbytes: int) -> bool:
        if nbytes > self.most:
            return False
        self.nbytes = max(self.nbytes, nbytes)
        return True

    def note_read(self) -> None:
        self.calls.append('read')

    def wait_for_reads(self) -> None:
        self.calls.append('wait')

    def unlock(self) -> None:
        self.calls.append('unlock')


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> FakePages:
    """Let a store on the CPU believe that a GPU reads its RAM."""
    pages = FakePages()
    monkeypatch.setattr(LockedPages, 'of', lambda slab, device: pages)

    def gather(slab: Tensor, starts: Tensor, run: int, *, unit: int, locked: bool) -> Tensor:
        if locked:
            pages.calls.append('gather')
        return gather_runs_torch(slab, starts, run, unit=unit)

    monkeypatch.setattr('livevlm_ros.memory.archive.store.gather_runs', gather)
    return pages


def test_what_a_gpu_may_still_read_is_not_written_over(
    layout: RecordLayout, tmp_path: Path, pages: FakePages
) -> None:
    store = RecordStore(layout, host=2, disk=2, folder=tmp_path)
    store.fill(Rows.of(torch.stack([record(layout, n) for n in range(4)])))
    assert pages.calls == ['wait']
    assert read(store, 2, 0, 3, 1) == [0, 2, 1, 3]
    assert pages.calls == ['wait', 'gather', 'read']
    store.write(0, record(layout, 7))
    assert pages.calls[-1] == 'wait' and read(store, 0) == [7]
    store.close()
    assert pages.calls[-1] == 'unlock' and pages.calls.count('unlock') == 1


def test_no_more_ram_is_locked_for_a_gpu_than_records_have_lain_in(
    layout: RecordLayout, pages: FakePages
) -> None:
    store = RecordStore(layout, host=9, disk=0)
    assert pages.nbytes == 0
    assert [store.take(), store.take()] == [0, 1]
    assert pages.nbytes == 2 * layout.record_bytes
    store.free([0])
    assert store.take() == 0
    assert pages.nbytes == 2 * layout.record_bytes
    store.fill(Rows.of(torch.stack([record(layout, n) for n in range(5)])))
    assert pages.nbytes == 5 * layout.record_bytes
    store.close()


def test_ram_that_cannot_be_locked_for_a_gpu_ends_the_growth_and_is_told_once(
    layout: RecordLayout, pages: FakePages, caplog: pytest.LogCaptureFixture
) -> None:
    pages.most = 2 * layout.record_bytes
    store = RecordStore(layout, host=9, disk=0)
    assert [store.take(), store.take(), store.take(), store.take()] == [0, 1, None, None]
    assert (store.count, store.host_bytes) == (2, 2 * layout.record_bytes)
    assert caplog.text.count('the GPU driver locks no more') == 1
    store.free([1])
    assert (store.count, store.take(), store.take()) == (1, 1, None)
    with pytest.raises(OSError, match='cannot lock'):
        store.fill(Rows.of(torch.stack([record(layout, n) for n in range(3)])))
    assert store.count == 0
    assert store.fill(Rows.of(torch.stack([record(layout, 7)] * 2))).tolist() == [0, 1]
    store.close()


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_gpu_gets_what_was_there_when_it_was_asked_for(
    layout: RecordLayout, tmp_path: Path
) -> None:
    device = torch.device('cuda', 0)
    store = RecordStore(layout, host=2, disk=2, folder=tmp_path, device=device)
    store.fill(Rows.of(torch.stack([record(layout, n) for n in range(4)])))
    start, size = torch.zeros((), dtype=torch.int64), layout.record_bytes
    torch.cuda._sleep(100_000_000)  # the kernel waits behind this
    found = store.gather(torch.tensor([2, 0, 3, 1]), start, size, unit=size, device=device)
    for address in (0, 1):
        store.write(address, record(layout, 9))
    assert found[:, 0].tolist() == [0, 2, 1, 3]
    store.close()


def _full(*given: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
