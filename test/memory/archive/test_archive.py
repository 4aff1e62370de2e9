# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import errno
import logging
import os

import pytest
import torch

from livevlm_ros.memory import CacheShape
from livevlm_ros.memory.archive.archive import THINNED_SHARE, Archive
from livevlm_ros.memory.archive.costs import index_bytes
from livevlm_ros.memory.archive.frozen import Forgotten
from livevlm_ros.memory.archive.record import RecordLayout
from livevlm_ros.memory.archive.sizes import Wiped
from livevlm_ros.memory.archive.store import RecordStore
from livevlm_ros.memory.tokens import TokenIds

CAMERAS = ('left', 'right')


@pytest.mark.parametrize('bits', [16, 8, 4])
@pytest.mark.parametrize('disk', [0, 20])
@pytest.mark.parametrize('page_tokens', [1, 2, 4])
def test_frames_can_be_read_again_from_every_tier_as_exactly_as_their_bits_allow(
    make_archive, put_all, check_whole, shape: CacheShape, bits: int, disk: int, page_tokens: int
) -> None:
    archive = make_archive(host=30 - disk, disk=disk, bits=bits, page_tokens=page_tokens)
    put_all(archive, range(15), *CAMERAS)
    assert len(archive) == archive.sizes.frames == 30
    check_whole(archive, bits=bits, pages=4 // page_tokens)
    record_bytes = RecordLayout(shape, page_tokens, bits).record_bytes
    assert archive.sizes.disk_bytes == disk * record_bytes


def test_a_page_is_a_part_of_one_frame(make_archive, put_all, ids: TokenIds) -> None:
    archive = make_archive()
    put_all(archive, range(4), *CAMERAS)
    frames, places = archive.frames[[5, 0, 5]], torch.tensor([1, 0, 0])
    read = archive.read(frames, places, like=torch.empty(0))
    expected = [
        ids.of_frames(archive.frames)[n, 2 * p : 2 * p + 2] for n, p in ((5, 1), (0, 0), (5, 0))
    ]
    assert torch.equal(read.ids, torch.cat(expected))


def test_pages_of_frames_that_are_gone_are_left_out(make_archive, put_all) -> None:
    archive = make_archive()
    put_all(archive, range(12))
    every = torch.arange(0, 24, 2)  # ids of the left camera's frames
    read = archive.read(every, torch.zeros(12, dtype=torch.int64), like=torch.empty(0))
    assert torch.equal(read.ids[::2] >> 2, archive.frames.sort().values)


def test_nothing_is_read_where_no_page_is_wanted(make_archive, put_all, shape: CacheShape) -> None:
    archive, nothing = make_archive(), torch.empty(0, dtype=torch.int64)
    for _ in range(2):
        read = archive.read(nothing, nothing, like=torch.empty(0))
        assert read.keys.shape == (shape.layers, shape.kv_heads, 0, shape.head_dim)
        put_all(archive, range(5))


def test_one_layer_is_read_alone_as_all_are(make_archive, put_all, read_all) -> None:
    archive = make_archive(host=8, disk=8)
    put_all(archive, range(8), *CAMERAS)
    every = read_all(archive)
    for layer in range(2):
        only = read_all(archive, layer=layer)
        assert torch.equal(only.keys, every.keys[layer : layer + 1])
        assert torch.equal(only.values, every.values[layer : layer + 1])
        assert torch.equal(only.ids, every.ids)


def test_what_is_read_has_the_type_asked_for(make_archive, put_all) -> None:
    archive = make_archive()
    put_all(archive, range(3))
    read = archive.read(archive.frames, torch.arange(3) % 2, like=torch.empty(0).bfloat16())
    assert read.keys.dtype == read.values.dtype == torch.bfloat16


def test_the_keys_that_frames_are_ranked_by_are_those_that_are_read(make_archive, put_all) -> None:
    archive = make_archive(host=8, disk=8)
    put_all(archive, range(8), *CAMERAS)
    rows = torch.tensor([3, 15, 0])
    pages = torch.arange(2).repeat(3)
    read = archive.read(archive.frames[rows].repeat_interleave(2), pages, like=torch.empty(0))
    for layer in range(2):
        assert torch.equal(archive.keys(layer, rows), read.keys[layer])


def test_when_ram_is_full_the_oldest_go_to_disk_and_stay_when_that_is_lost(
    make_archive, put_all, stamps, check_whole, monkeypatch, caplog
) -> None:
    archive = make_archive(host=8, disk=20)
    put_all(archive, range(12))
    before = archive.sizes.disk_bytes

    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(os, 'posix_fallocate', full)
    with caplog.at_level(logging.WARNING):
        put_all(archive, range(12, 60))
    assert [record.message for record in caplog.records] == [
        'the archive goes on in RAM, its file cannot grow: [Errno 28] No space left on device'
    ]
    assert archive.sizes.disk_bytes == before and archive.sizes.disk_lost
    assert stamps(archive)[:4] == [0, 1, 2, 3]
    assert 59 in stamps(archive) and len(archive) == 12
    check_whole(archive)


@pytest.mark.parametrize('disk', [0, 60])
def test_thinning_drops_whole_frames_of_the_older_half_and_leaves_the_newer(
    make_archive, put_all, stamps, check_whole, disk: int
) -> None:
    archive = make_archive(host=80 - disk, disk=disk)
    dropped = 0
    for stamp in range(0, 3000, 10):
        before = stamps(archive)
        put_all(archive, [stamp])
        gone = set(before) - set(stamps(archive))
        dropped += bool(gone)
        assert len(gone) <= 1
        assert not gone & set(before[max(3, len(before) // 2) :])
        assert min(before, default=0) not in gone
    assert dropped > 100
    assert archive.sizes.frames == len(archive) == 80
    check_whole(archive)


def test_frames_that_go_are_picked_together_and_go_one_by_one(
    make_archive, put_all, stamps, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, picked = make_archive(host=4 * THINNED_SHARE), []
    pick = archive._sparable
    monkeypatch.setattr(archive, '_sparable', lambda: picked.append(pick()) or list(picked[-1]))
    put_all(archive, range(4 * THINNED_SHARE))
    for number in range(8):
        put_all(archive, [1000 + number])
        assert len(archive) == 4 * THINNED_SHARE
    assert [len(ids) for ids in picked] == [4, 4]
    assert not {id >> 1 for ids in picked for id in ids} & set(stamps(archive))


def test_frames_go_where_they_lie_densest(make_archive, put_all, stamps) -> None:
    archive = make_archive(host=64)
    sparse, dense = list(range(0, 1000, 100)), list(range(1000, 1200, 10))
    put_all(archive, sparse + dense + list(range(2000, 5400, 100)))  # full: 10, 20 and 34 frames
    put_all(archive, range(5400, 6100, 100))
    assert stamps(archive)[:10] == sparse
    assert sum(1000 <= stamp < 1200 for stamp in stamps(archive)) == 13
    assert stamps(archive)[-41:] == list(range(2000, 6100, 100))


def test_the_fullest_lane_gives_way(make_archive, put_all, stamps) -> None:
    archive = make_archive(host=8)
    put_all(archive, range(3), 'right')
    put_all(archive, range(30))
    assert stamps(archive, 'right') == [0, 1, 2]
    assert len(stamps(archive)) == 5


@pytest.mark.parametrize('disk', [0, 100])
@pytest.mark.parametrize('sketched', [(1,), None])
def test_bytes_stay_bounded_and_old_times_represented_over_a_long_stream(
    make_archive, put_all, stamps, shape: CacheShape, disk: int, sketched: tuple | None
) -> None:
    archive: Archive = make_archive(host=100, disk=disk, bits=4, sketched=sketched)
    layout = RecordLayout(shape, 2, 4)
    beside = index_bytes(layout, sketched)
    bound = 100 * layout.record_bytes + (100 + disk) * beside
    for stamp in range(2000):
        put_all(archive, [stamp])
        assert archive.sizes.host_bytes <= bound
        assert archive.sizes.disk_bytes <= disk * layout.record_bytes
        assert archive.sizes.frames <= 100 + disk
    assert archive.sizes.frames > 96 + disk
    tenths = (torch.tensor(stamps(archive)) // 200).bincount(minlength=10)
    older = tenths[:9].float()
    assert older.sum() > 0.25 * tenths.sum()
    assert older.min() >= 0.4 * older.mean()


# Saving.


# Failures.


def _held(archive: Archive) -> tuple:
    state = archive.state()
    rows = {name: part.whole() for name, part in state.rows.items()}
    held = {name: each.tolist() for name, each in (state.tensors | rows).items()}
    return held, state.facts


@pytest.mark.parametrize('held', [3, 8, 30])
@pytest.mark.parametrize('disk', [0, 4])
def test_a_frame_that_cannot_be_written_frees_its_address_and_sizes_stay_true(
    make_archive, put_all, check_whole, stamps, monkeypatch, held: int, disk: int
) -> None:
    archive, twin = make_archive(host=8, disk=disk), make_archive(host=8, disk=disk)
    for either in (archive, twin):
        put_all(either, range(held))

    def fail(*given: object) -> None:
        raise OSError(errno.EIO, 'Input/output error')

    for _ in range(30):  # more often than there are addresses
        with monkeypatch.context() as patch:
            patch.setattr(RecordStore, 'write', fail)
            with pytest.raises(OSError, match='Input/output'):
                put_all(archive, [999])
        assert 999 not in stamps(archive)
        assert archive.sizes.frames == len(archive) == len(archive.frames)
        assert archive.sizes.host_bytes <= twin.sizes.host_bytes
        check_whole(archive)
    put_all(archive, range(100, 130))
    put_all(twin, range(100, 130))
    assert archive.sizes == twin.sizes
    check_whole(archive)


@pytest.mark.parametrize('sketched', [(0, 1), None])
@pytest.mark.parametrize(('host', 'disk', 'held'), [(8, 0, 3), (8, 8, 10), (8, 8, 40), (8, 0, 40)])
def test_a_put_that_runs_out_of_memory_anywhere_leaves_everything_as_it_was(
    make_archive, put_all, frame, run_dry, sketched, host: int, disk: int, held: int
) -> None:
    """With room in RAM, with a frame that spills, with frames that are thinned."""
    archive, twin = (make_archive(host=host, disk=disk, sketched=sketched) for _ in range(2))
    for either in (archive, twin):
        put_all(either, range(held))
    before, sizes, new = _held(archive), archive.sizes, frame(999)

    def check() -> None:
        assert _held(archive) == before
        assert archive.sizes == sizes

    assert run_dry(lambda: archive.put(new), check) >= 10
    twin.put(new)
    assert _held(archive) == _held(twin)
    assert archive.sizes == twin.sizes


def test_a_sketch_that_cannot_be_made_anew_costs_no_frame_and_is_tried_again(
    make_archive, put_all, check_whole, monkeypatch, caplog
) -> None:
    archive = make_archive(host=300)

    def fail(*given: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr('livevlm_ros.memory.archive.sketch.centroids_of', fail)
        put_all(archive, range(200))
    assert len(archive) == archive.sizes.frames == 200
    assert caplog.text.count('still ranked by its old sketch') == 1
    assert archive.sketch is not None and not archive.sketch.ready
    put_all(archive, range(200, 300))
    assert archive.sketch.ready
    check_whole(archive)


def test_too_little_ram_is_refused_with_what_is_needed(make_archive) -> None:
    make_archive(host=8)
    with pytest.raises(ValueError, match=r'archive_host_bytes must be at least \d+, got \d+'):
        make_archive(host=7)


def test_a_disk_without_a_folder_is_refused(ids: TokenIds, shape: CacheShape) -> None:
    layout = RecordLayout(shape, 2, 8)
    with pytest.raises(ValueError, match='archive_disk_bytes needs a folder: set path'):
        Archive(ids, layout, lanes=1, sketched=(0,), host_bytes=1 << 20, disk_bytes=1 << 20)


# Forgetting and remembering.


def test_clearing_forgets_everything_and_the_archive_goes_on(
    make_archive, put_all, check_whole, stamps
) -> None:
    archive = make_archive(host=8, disk=4)
    put_all(archive, range(50))
    archive.clear()
    while archive.tend():
        pass
    sizes = archive.sizes
    assert (sizes.frames, sizes.host_bytes, sizes.disk_bytes) == (0, 0, 0)
    assert len(archive) == len(archive.frames) == 0
    put_all(archive, range(10))
    assert stamps(archive) == list(range(10))
    check_whole(archive)


def _forget(archive: Archive, frames: list[int]) -> Wiped:
    work = archive.forget(frames)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def test_forgotten_frames_leave_zeros_on_disk_and_the_others_whole(
    make_archive, put_all, check_whole, stamps
) -> None:
    archive = make_archive(host=8, disk=24)
    put_all(archive, range(14), *CAMERAS)
    right = archive.frames[archive.frames % 2 == 1].tolist()
    on_disk = [row for row, at in enumerate(archive._addresses[: len(archive)]) if at >= 8]
    gone = [row for row in on_disk if int(archive.frames[row]) in right]
    records = archive._store.records(archive._addresses[gone])
    record = archive._layout.record_bytes
    wiped = _forget(archive, [*right, 2**40])
    assert wiped == Wiped(14, len(gone) * record) and gone
    assert stamps(archive) == list(range(14)) and stamps(archive, 'right') == []
    check_whole(archive)
    file = archive.file
    assert file is not None
    held = os.pread(file.descriptor, file.nbytes, 0)
    assert not any(each.numpy().tobytes() in held for each in records)
    assert archive.sizes.frames == len(archive) == 14
    put_all(archive, range(14, 60), *CAMERAS)
    check_whole(archive)


def test_frames_that_are_picked_to_go_next_may_be_forgotten_first(
    make_archive, put_all, check_whole
) -> None:
    archive = make_archive(host=200)
    put_all(archive, range(201))
    assert archive._picked
    _forget(archive, list(archive._picked))
    put_all(archive, range(201, 230))
    check_whole(archive)


def test_a_state_of_before_can_not_be_read_once_frames_are_forgotten(
    make_archive, put_all
) -> None:
    archive = make_archive()
    put_all(archive, range(6))
    state = archive.state()
    _forget(archive, archive.frames[:1].tolist())
    with pytest.raises(Forgotten):
        state.part('frames').rows['records'].whole()


def test_the_sketch_knows_nothing_of_forgotten_frames_and_is_made_anew(
    make_archive, put_all, check_whole
) -> None:
    archive = make_archive(host=600)
    put_all(archive, range(200), *CAMERAS)
    sketch = archive.sketch
    assert sketch is not None and sketch.ready
    _forget(archive, archive.frames[archive.frames % 2 == 1].tolist())
    book = sketch._now
    assert book is not None and (book.counts.sum(2) == 200 * 4).all()
    assert not book.centroids[book.counts == 0].any()
    put_all(archive, range(200, 250))
    while archive.tend():
        pass
    assert sketch._now is not book and (sketch._now.counts.sum(2) == 250 * 4).all()
    check_whole(archive)
    _forget(archive, archive.frames.tolist())
    put_all(archive, range(300, 303), *CAMERAS)
    check_whole(archive)
