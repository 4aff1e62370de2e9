# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from livevlm_ros.memory import CacheShape
from livevlm_ros.memory.archive import Archive
from livevlm_ros.memory.archive_groups import GroupLayout
from livevlm_ros.memory.archive_index import page_bytes
from livevlm_ros.memory.long_term import Tokens

SHAPE = CacheShape(
    layers=2,
    q_heads=2,
    kv_heads=1,
    head_dim=8,
    tokens_per_frame=9,
    rope_theta=10000.0,
    max_positions=2048,
)
LANES = 2


def drop(first: int, tokens: int, *, lane: int = 0, every: int = 1) -> Tokens:
    """Tokens of a lane, one a second; what they are made of is drawn from their names."""
    seconds = torch.arange(first, first + tokens * every, every).expand(SHAPE.layers, -1)
    keys = _made(seconds * LANES + lane)
    names = seconds * LANES + lane
    return Tokens(keys, -3 * keys, names, seconds.double(), names.remainder(97).float())


def _made(names: torch.Tensor) -> torch.Tensor:
    """Keys of tokens as a function of their names, [layers, kv_heads, tokens, head_dim]."""
    layer = torch.arange(len(names))[:, None, None, None]
    channel = torch.arange(SHAPE.head_dim) + 1.0
    phase = names[:, None, :, None].double() * channel * 0.37 + layer
    return (phase.sin() * channel).float().expand(-1, SHAPE.kv_heads, -1, -1)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Archive]:
    """Make an archive with room for so many groups in RAM and on disk."""

    def make(*, host: int = 8, disk: int = 0, bits: int = 8, page_tokens: int = 16) -> Archive:
        layout = GroupLayout(SHAPE, page_tokens, bits)
        table_bytes = layout.pages * page_bytes(layout)
        waiting = layout.tokens * (SHAPE.token_bytes(2) + SHAPE.layers * 20) + table_bytes
        records = host * layout.record_bytes + (host + disk) * table_bytes
        return Archive(
            SHAPE,
            lanes=LANES,
            page_tokens=page_tokens,
            bits=bits,
            host_bytes=LANES * waiting + records,
            disk_bytes=disk * layout.record_bytes,
            folder=tmp_path if disk else None,
        )

    return make


def check(archive: Archive, *, within: float) -> list[int]:
    """Read every page of every layer, compare with what went in; return a layer's names."""
    for layer in range(SHAPE.layers):
        index = archive.index(layer)
        pages = torch.randperm(len(index.ends), generator=torch.Generator().manual_seed(1))
        piece = archive.read(layer, pages)
        keys = _made(piece.names.expand(SHAPE.layers, -1))[layer]
        torch.testing.assert_close(piece.keys, keys, atol=within, rtol=0)
        torch.testing.assert_close(piece.values, -3 * keys, atol=3 * within, rtol=0)
        names = piece.names.view(len(pages), -1)
        assert torch.equal(index.ends[pages], names[:, [0, -1]])
        assert (names.diff() > 0).all()
        means = keys.unflatten(1, (len(pages), -1)).mean(2).transpose(0, 1)
        torch.testing.assert_close(index.means[pages].float(), means, atol=within, rtol=1e-3)
    return piece.names.sort().values.tolist()


# Half a step of the widest channel, -8 to 8, after rounding to float16.
HALF_STEP = {bits: 8 / (2**bits - 1) * 1.01 + 0.004 for bits in (4, 8, 16)}


@pytest.mark.parametrize('bits', [16, 8, 4])
@pytest.mark.parametrize('disk', [0, 6])
def test_what_is_dropped_can_be_read_again_from_every_tier(
    make: Callable, bits: int, disk: int
) -> None:
    archive = make(host=8 - disk + LANES, disk=disk, bits=bits)
    for first in range(0, 250, 50):
        archive.add(0, drop(first, 50))
        archive.add(1, drop(first, 50, lane=1))
    assert archive.sizes.tokens == 500
    assert archive.names().unique().tolist() == list(range(500))
    # 3 groups and 3 of 4 pages of the fourth, a lane; the last 10 tokens fill no page.
    assert check(archive, within=HALF_STEP[bits]) == list(range(480))
    assert (archive.sizes.disk_bytes > 0) == bool(disk)


@pytest.mark.parametrize('page_tokens', [4, 9, 100])
def test_any_page_size_will_do(make: Callable, page_tokens: int) -> None:
    archive = make(bits=16, page_tokens=page_tokens)
    archive.add(0, drop(0, 300))
    assert (
        check(archive, within=HALF_STEP[16]) == list(range(0, 600, 2))[: 300 - 300 % page_tokens]
    )


def test_tokens_waiting_for_a_group_can_be_read_and_are_not_quantised(make: Callable) -> None:
    archive = make(bits=4)
    archive.add(1, drop(0, 40, lane=1))
    assert check(archive, within=HALF_STEP[16]) == list(range(1, 65, 2))


def test_tokens_that_come_out_of_order_are_put_in_order(make: Callable) -> None:
    archive = make()
    archive.add(0, drop(1, 50, every=2))
    archive.add(0, drop(0, 50, every=2))
    assert check(archive, within=HALF_STEP[8]) == list(range(0, 192, 2))
    ends = archive.index(0).ends
    assert (ends[:, 1] - ends[:, 0] == 15 * LANES).all()


def test_when_ram_is_full_the_oldest_go_to_disk(make: Callable) -> None:
    archive = make(host=4, disk=6)
    archive.add(0, drop(0, 7 * 64))
    addresses, times = archive._table.addresses(slice(28)), archive._table.times[0, :28, 0]
    assert set(times[addresses >= 4].tolist()) == set(range(0, 3 * 64, 16))
    assert archive.sizes.disk_bytes == 3 * GroupLayout(SHAPE, 16, 8).record_bytes


@pytest.mark.parametrize('disk', [0, 40])
def test_bytes_stay_bounded_and_early_times_represented_over_20000_frames(
    make: Callable, disk: int
) -> None:
    archive = make(host=40, disk=disk, bits=4)
    layout = GroupLayout(SHAPE, 16, 4)
    groups = 40 + disk
    table_bytes = (groups + LANES) * layout.pages * page_bytes(layout)
    waiting = LANES * layout.tokens * (SHAPE.token_bytes(2) + SHAPE.layers * 20)
    bound = 40 * layout.record_bytes + table_bytes + waiting
    for first in range(0, 20_000 * 9 // LANES, 360):
        for lane in range(LANES):
            archive.add(lane, drop(first, 360, lane=lane))
            assert archive.sizes.host_bytes <= bound
            assert archive.sizes.disk_bytes <= disk * layout.record_bytes
    assert archive.sizes.tokens > (groups - 8) * layout.tokens
    tenths = archive.names().div(20_000 * 9 // 10, rounding_mode='floor').bincount(minlength=10)
    older = tenths[:9].float()
    assert older.sum() > 0.25 * tenths.sum()
    assert older.min() > 0.5 * older.mean()
    for layer in range(SHAPE.layers):
        assert archive.read(layer, torch.arange(8)).keys.isfinite().all()


def test_thinning_keeps_the_best_of_each_stretch_of_time_and_leaves_the_rest(
    make: Callable,
) -> None:
    archive = make(host=8)
    archive.add(0, drop(0, 9 * 64))
    names = torch.tensor(check(archive, within=2 * HALF_STEP[8])) // LANES
    counts = names.div(64, rounding_mode='floor').bincount().tolist()
    assert counts[2:] == [64] * 7
    assert sum(counts[:2]) == 64
    assert min(counts[:2]) > 16


def test_the_fullest_lane_gives_way(make: Callable) -> None:
    archive = make(host=8)
    archive.add(1, drop(0, 2 * 64, lane=1))
    archive.add(0, drop(0, 12 * 64))
    assert (archive.names()[archive.names() % 2 == 1].unique() // 2).tolist() == list(range(128))


def test_a_disk_that_runs_full_is_survived(
    make: Callable, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    archive = make(host=6, disk=20)
    archive.add(0, drop(0, 8 * 64))
    before = archive.sizes.disk_bytes

    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(os, 'posix_fallocate', full)
    with caplog.at_level(logging.WARNING):
        for first in range(8 * 64, 60 * 64, 64):
            archive.add(0, drop(first, 64))
    assert [record.message for record in caplog.records] == [
        'the archive goes on in RAM, its file cannot grow: [Errno 28] No space left on device'
    ]
    assert archive.sizes.disk_bytes == before
    held = set((archive.names() // LANES).tolist())
    assert set(range(2 * 64)) <= held  # what was on disk
    assert set(range(59 * 64, 60 * 64)) <= held


def test_too_little_ram_is_refused_with_what_is_needed(make: Callable) -> None:
    make(host=2 * LANES)
    with pytest.raises(ValueError, match=r'archive_host_bytes must be at least \d+, got \d+'):
        make(host=2 * LANES - 1)


def test_a_disk_without_a_folder_is_refused() -> None:
    with pytest.raises(ValueError, match='archive_disk_bytes needs a folder: set path'):
        Archive(SHAPE, lanes=1, page_tokens=4, bits=8, host_bytes=1 << 20, disk_bytes=1 << 20)


def test_clearing_forgets_everything_and_the_archive_goes_on(make: Callable) -> None:
    archive = make(host=4, disk=2)
    archive.add(0, drop(0, 500))
    archive.clear()
    assert (archive.sizes.tokens, archive.sizes.host_bytes, archive.sizes.disk_bytes) == (0, 0, 0)
    assert len(archive.names()) == len(archive.index(0).ends) == 0
    archive.add(0, drop(0, 128))
    assert check(archive, within=HALF_STEP[8]) == list(range(0, 256, 2))


@pytest.mark.parametrize('host', [9, 4])
@pytest.mark.parametrize('bits', [16, 4])
def test_a_restored_archive_gives_the_same_bits(make: Callable, host: int, bits: int) -> None:
    archive = make(host=4, disk=5, bits=bits)
    archive.add(1, drop(0, 100, lane=1))
    archive.add(0, drop(0, 12 * 64 + 40))
    restored = make(host=host, disk=9 - host, bits=bits)
    restored.add(0, drop(999, 200))
    restored.restore(archive.state())
    for step in range(2):  # and goes on alike
        assert restored.sizes.tokens == archive.sizes.tokens
        for layer in range(SHAPE.layers):
            for mine, theirs in zip(_parts(restored, layer), _parts(archive, layer), strict=True):
                assert torch.equal(mine, theirs)
        for one in (archive, restored):
            one.add(0, drop(5000 + step * 30, 30))


def _parts(archive: Archive, layer: int) -> tuple[torch.Tensor, ...]:
    index = archive.index(layer)
    piece = archive.read(layer, torch.arange(len(index.ends)))
    return index.means, index.ends, piece.keys, piece.values, piece.names


@pytest.mark.parametrize(
    ('other', 'said'),
    [
        ({'bits': 4}, 'archive state records: expected'),
        ({'page_tokens': 8}, 'archive state names: expected'),
        ({'host': 20}, 'room for 8 groups, its state has 18'),
    ],
)
def test_the_state_of_another_archive_is_refused_and_nothing_lost(
    make: Callable, other: dict, said: str
) -> None:
    foreign = make(**other)
    foreign.add(0, drop(0, 18 * 64))
    archive = make()
    archive.add(0, drop(0, 200))
    with pytest.raises(ValueError, match=said):
        archive.restore(foreign.state())
    with pytest.raises(ValueError, match='not the state of an archive with 2 lanes: lanes'):
        archive.restore({key: v for key, v in archive.state().items() if key != 'lanes'})
    assert check(archive, within=HALF_STEP[8]) == list(range(0, 384, 2))
