# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an archive saves, and what it takes back."""

import errno
import os

import pytest
import torch

from livevlm_ros.memory.archive.frozen import Forgotten
from livevlm_ros.memory.archive.store import RecordStore
from livevlm_ros.memory.tokens import Tokens


def test_what_is_saved_is_what_was_held_though_the_archive_goes_on(
    make_archive, put_all, read_all
) -> None:
    """New frames take the places of those that moved to disk, or left; a sketch is made anew."""
    archive, restored = make_archive(host=240, disk=20), make_archive(host=260)
    put_all(archive, range(260))
    before, frames, state = read_all(archive), archive.frames.clone(), archive.state()
    put_all(archive, range(260, 350))
    restored.restore(state)
    assert torch.equal(restored.frames, frames)
    after = read_all(restored)
    assert all(torch.equal(*parts) for parts in zip(*map(_parts, (before, after)), strict=True))


def _parts(tokens: Tokens) -> tuple[torch.Tensor, ...]:
    return tokens.keys, tokens.values, tokens.ids


def test_of_what_is_saved_only_frames_that_are_written_over_are_copied(
    make_archive, put_all, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, read = make_archive(host=40), []
    put_all(archive, range(40))
    records = RecordStore.records
    monkeypatch.setattr(
        RecordStore, 'records', lambda store, at: read.append(len(at)) or records(store, at)
    )
    state = archive.state()
    assert read == []
    put_all(archive, range(40, 45))
    assert read == [1] * 5
    del state
    put_all(archive, range(45, 50))
    assert len(read) == 5


def test_what_is_saved_is_given_up_when_the_archive_is_cleared(make_archive, put_all) -> None:
    archive = make_archive(host=40)
    put_all(archive, range(40))
    state = archive.state()
    archive.clear()
    with pytest.raises(Forgotten):
        state.part('frames').rows['records'].whole()


@pytest.mark.parametrize('host', [13, 8])
@pytest.mark.parametrize('bits', [16, 4])
@pytest.mark.parametrize('sketched', [(1,), None])
def test_a_restored_archive_gives_the_same_bits_and_goes_on_alike(
    make_archive, put_all, read_all, host: int, bits: int, sketched: tuple | None
) -> None:
    archive = make_archive(host=8, disk=5, bits=bits, sketched=sketched)
    put_all(archive, range(3), 'right')
    put_all(archive, range(40))
    restored = make_archive(host=host, disk=13 - host, bits=bits, sketched=sketched)
    put_all(restored, range(900, 910))
    restored.restore(archive.state())
    for stamp in (1000, 1001, 1002):
        assert len(restored) == len(archive)
        rows, others = archive.frames.argsort(), restored.frames.argsort()
        assert torch.equal(archive.frames[rows], restored.frames[others])
        for layer in range(2):
            assert torch.equal(archive.keys(layer, rows), restored.keys(layer, others))
            if archive.means is not None and restored.means is not None:
                of_rows, of_others = (
                    each.means.of_layer(layer, at)
                    for each, at in ((archive, rows), (restored, others))
                )
                assert torch.equal(of_rows, of_others)
        mine, theirs = read_all(archive), read_all(restored)
        assert torch.equal(mine.values, theirs.values)
        for either in (archive, restored):
            put_all(either, [stamp])


@pytest.mark.parametrize(
    ('other', 'said'),
    [
        ({'bits': 4}, 'archive: expected records like'),
        ({'host': 20}, 'room for 8 frames, its state has 18: raise archive_host_bytes'),
        ({'sketched': (0,)}, r'expected a sketch of layers \[0, 1\], got \[0\]: retrieval.by, or'),
        ({'sketched': (1, 0)}, r'got \[1, 0\]'),
        ({'sketched': None}, r'expected a sketch of layers \[0, 1\], got None'),
    ],
)
def test_the_state_of_another_archive_is_refused_and_nothing_lost(
    make_archive, put_all, check_whole, stamps, other: dict, said: str
) -> None:
    foreign, archive = make_archive(**other), make_archive()
    put_all(foreign, range(18))
    put_all(archive, range(100, 106))
    with pytest.raises(ValueError, match=said):
        archive.restore(foreign.state())
    assert stamps(archive) == list(range(100, 106))
    check_whole(archive)


@pytest.mark.parametrize('disk', [0, 5])
def test_what_was_saved_when_there_was_more_room_gets_it(
    make_archive, put_all, check_whole, stamps, disk: int
) -> None:
    saved = make_archive(host=18)
    put_all(saved, range(18))
    archive, little = (make_archive(restored=n - disk, disk=disk) for n in (18, 17))
    with pytest.raises(ValueError, match='its state has 18: raise archive_host_bytes'):
        little.restore(saved.state())
    archive.restore(saved.state())
    assert (archive.room.host_frames, archive.room.disk_frames) == (18 - disk, disk)
    assert stamps(archive) == list(range(18))
    check_whole(archive)
    put_all(archive, range(18, 30))
    assert len(archive) <= 18 and stamps(archive)[-1] == 29
    check_whole(archive)


def test_means_can_be_made_of_frames_that_were_sketched(make_archive, put_all) -> None:
    sketched, by_means = make_archive(bits=16), make_archive(bits=16, sketched=None)
    put_all(sketched, range(6))
    by_means.restore(sketched.state())
    keys = by_means.keys(1, torch.arange(6)).unflatten(1, (-1, 2)).mean(2)
    torch.testing.assert_close(by_means.means.of_layer(1, torch.arange(6)), keys)


def test_a_disk_that_fills_while_frames_are_restored_leaves_nothing(
    make_archive, put_all, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, other = (make_archive(host=8, disk=12) for _ in range(2))
    put_all(archive, range(20))

    def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr('os.posix_fallocate', full)
        with pytest.raises(OSError, match='No space left'):
            other.restore(archive.state())
    assert len(other) == 0
    other.restore(archive.state())
    assert len(other) == 20
