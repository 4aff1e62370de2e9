# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from livevlm_ros.memory import FrameRef, Memory, MemoryConfig, Reach, SnapshotError
from livevlm_ros.memory.snapshot import read_snapshot, write_snapshot

SMALL = {  # rings and long-term memories that overflow soon
    'recent': {'short_term_frames': 4},
    'full': {'full_max_tokens': 900},  # more than it has room for at first
    'rekv': {'short_term_frames': 4},
    'livevlm': {'short_term_frames': 4, 'long_term_frames': 8},
    'balanced': {'short_term_frames': 4, 'long_term_frames': 8},
}
CAMERAS = ('left', 'right')


def _small(make: Callable, preset: str = 'balanced', **settings) -> Memory:
    settings = {**SMALL[preset], **settings}
    return make(*CAMERAS, preset=preset, page_tokens=4, **settings)


def _watch(memory: Memory, see: Callable, stamps: range) -> None:
    """See a frame of each camera at each stamp, those of the right one in fewer numbers."""
    for stamp in stamps:
        see(memory, FrameRef('left', stamp, 'optical', f'left/{stamp}'))
        if stamp % 3 == 0:
            see(memory, FrameRef('right', stamp))


def _told(memory: Memory, tokens: Callable) -> list:
    """Ask a few questions; return all that comes of them."""
    told: list = [memory.frames(), memory.newest(Reach(last_ns=20))]
    for reach in (None, Reach(last_ns=40), Reach(cameras=frozenset({'left'}))):
        view = memory.question(extra_tokens=9, reach=reach)
        for seed, count in ((1, 5), (2, 1)):
            told += tokens(seed, count).attend(view).flatten().tolist()
        told += [view.tokens_read, view.evidence()]
    return told


def _sizes(memory: Memory):
    memory.settle()
    return replace(memory.sizes(), read_bytes=0)


@pytest.mark.parametrize('preset', SMALL)
def test_a_memory_restored_from_files_answers_and_goes_on_bit_for_bit(
    make: Callable, see: Callable, tokens: Callable, tmp_path: Path, preset: str
) -> None:
    memory, restored = _small(make, preset), _small(make, preset)
    _watch(memory, see, range(100))
    write_snapshot(tmp_path, memory.state())
    restored.restore(read_snapshot(tmp_path))
    if preset != 'full':  # whose ring has grown otherwise
        assert _sizes(restored) == _sizes(memory)
    assert _told(restored, tokens) == _told(memory, tokens)
    for last in (104, 150, 300):
        for either in (memory, restored):
            _watch(either, see, range(either.newest().stamp_ns + 1, last))
        assert _told(restored, tokens) == _told(memory, tokens)


def test_saving_changes_nothing_and_what_was_saved_does_not_change(
    make: Callable, see: Callable, tokens: Callable
) -> None:
    memory, twin, restored = _small(make), _small(make), _small(make)
    for either in (memory, twin):
        _watch(either, see, range(60))
    state = memory.state()
    assert _told(memory, tokens) == _told(twin, tokens)
    _watch(memory, see, range(60, 120))
    restored.restore(state)
    assert _told(restored, tokens) == _told(twin, tokens)


def test_an_empty_memory_is_restored_as_one(make: Callable, see: Callable, tmp_path: Path) -> None:
    memory = _small(make)
    write_snapshot(tmp_path, _small(make).state())
    memory.restore(read_snapshot(tmp_path))
    assert memory.frames() == []
    _watch(memory, see, range(3))  # the stream begins anew, at any stamp
    assert memory.newest() == FrameRef('left', 2, 'optical', 'left/2')


def test_a_memory_whose_disk_and_ram_are_otherwise_large_is_no_other(
    make: Callable, see: Callable, tokens: Callable, tmp_path: Path
) -> None:
    memory = _small(make)
    roomy = _small(
        make, archive_host_bytes=2**22, archive_disk_bytes=2**20, path=str(tmp_path), ratio=0.9
    )
    _watch(memory, see, range(60))
    roomy.restore(memory.state())
    assert roomy.frames() == memory.frames()
    assert _sizes(roomy).archive_tokens == _sizes(memory).archive_tokens > 0
    roomy.close()


@pytest.mark.parametrize(
    ('settings', 'complaint'),
    [
        ({'short_term_frames': 6}, 'short_term_frames 4, here 6'),
        ({'long_term_frames': 10}, 'long_term_frames 8, here 10'),
        ({'archive_bits': 4}, 'archive_bits 8, here 4'),
        ({'archive_bits': 0, 'ratio': 0.4}, 'archive_bits 8, here 0; page_tokens 4, here None'),
        ({'page_tokens': 8}, 'page_tokens 4, here 8'),
        ({'cameras': ('right', 'left')}, r"cameras \['left', 'right'\], here \['right', 'left'\]"),
        ({'cameras': ('left',)}, r"cameras \['left', 'right'\], here \['left'\]"),
    ],
)
def test_what_another_memory_held_is_refused_naming_the_difference(
    make: Callable, see: Callable, settings: dict, complaint: str
) -> None:
    memory = _small(make)
    _watch(memory, see, range(60))
    given = {'preset': 'balanced', 'page_tokens': 4, **SMALL['balanced'], **settings}
    other = make(*given.pop('cameras', CAMERAS), **given)
    with pytest.raises(SnapshotError, match=f'{complaint}: configure this one like it'):
        other.restore(memory.state())
    assert other.frames() == []


def test_other_shapes_and_types_are_refused(make: Callable, see: Callable, shape) -> None:
    memory = _small(make, 'recent')
    _watch(memory, see, range(9))
    config = MemoryConfig(preset='recent', short_term_frames=4)
    longer = replace(shape, max_positions=4096)
    with pytest.raises(SnapshotError, match='max_positions 2048, here 4096'):
        Memory(config, longer, CAMERAS).restore(memory.state())
    with pytest.raises(SnapshotError, match="dtype 'float32', here 'bfloat16'"):
        Memory(config, shape, CAMERAS, dtype=torch.bfloat16).restore(memory.state())


def test_another_model_is_known_by_what_it_makes_of_the_prefix(
    make: Callable, see: Callable, tokens: Callable
) -> None:
    memory, other = (
        _small(make),
        make(*CAMERAS, prefix=0, page_tokens=4, preset='balanced', **SMALL['balanced']),
    )
    with other.write_prefix() as view:
        tokens(99, 2).attend(view)
    _watch(memory, see, range(60))
    with pytest.raises(SnapshotError, match='of another model'):
        other.restore(memory.state())
    assert other.frames() == []


def test_more_than_the_archive_has_room_for_is_refused(make: Callable, see: Callable) -> None:
    memory, small = _small(make), _small(make, archive_host_bytes=2**18)
    _watch(memory, see, range(600))
    with pytest.raises(SnapshotError, match='the archive has room for .* archive_host_bytes'):
        small.restore(memory.state())
    assert small.frames() == []
    _watch(small, see, range(3))


def test_more_than_long_term_has_room_for_is_refused(make: Callable, see: Callable) -> None:
    memory = _small(make)
    _watch(memory, see, range(60))
    state = memory.state()
    names = state.tensors['long_term.0.names']
    state.tensors['long_term.0.names'] = names.repeat(1, 9)
    with pytest.raises(SnapshotError, match=r'room for 15 tokens of a layer, got \d+'):
        _small(make).restore(state)


def test_a_disk_without_room_for_the_archive_leaves_an_empty_memory(
    make: Callable, see: Callable, tokens: Callable, tmp_path: Path, monkeypatch
) -> None:
    disk = {'archive_host_bytes': 2**18, 'archive_disk_bytes': 2**22, 'path': str(tmp_path)}
    memory, other = _small(make, **disk), _small(make, **disk)
    _watch(memory, see, range(600))
    assert _sizes(memory).disk_bytes > 0

    def full(*args) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr('os.posix_fallocate', full)
        with pytest.raises(OSError, match='No space left'):
            other.restore(memory.state())
    assert other.frames() == [] and _sizes(other).archive_tokens == 0
    other.restore(memory.state())
    assert _told(other, tokens) == _told(memory, tokens)
    memory.close()
    other.close()


def test_a_memory_that_holds_frames_is_not_written_over(make: Callable, see: Callable) -> None:
    memory = _small(make)
    state = memory.state()
    _watch(memory, see, range(9))
    held = memory.frames()
    with pytest.raises(RuntimeError, match='clear it first'):
        memory.restore(state)
    assert memory.frames() == held
    memory.clear()
    memory.restore(state)


def test_pages_fetched_ahead_before_are_not_taken_for_those_restored(
    make: Callable, see: Callable, tokens: Callable
) -> None:
    """The same words are asked of one stream, and then of another that was restored."""
    memory, used = _small(make, tau=-1.0), _small(make, tau=-1.0)
    _watch(memory, see, range(1000, 1100))
    _watch(used, see, range(100))

    def answer(either: Memory) -> torch.Tensor:
        return tokens(1, 5).attend(either.question(extra_tokens=9, asked='what is it ?'))

    answer(used)
    used.settle()
    used.clear()
    used.restore(memory.state())
    assert torch.equal(answer(used), answer(memory))
