# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from livevlm_ros.memory import (
    PRESETS,
    CacheShape,
    FrameRef,
    Memory,
    MemoryConfig,
    ReadFilter,
    SnapshotError,
)
from livevlm_ros.memory.snapshot import read_snapshot, write_snapshot

CAMERAS = ('left', 'right')


def _watch(memory: Memory, see: Callable, stamps: range) -> None:
    """See a frame of each camera at each stamp, those of the right one in fewer numbers."""
    for stamp in stamps:
        see(memory, FrameRef('left', stamp, 'optical', f'left/{stamp}'))
        if stamp % 3 == 0:
            see(memory, FrameRef('right', stamp))
        memory.settle()


def _told(memory: Memory, ask: Callable) -> list:
    """Ask a few questions; return all that comes of them."""
    told: list = [memory.refs(), memory.newest(ReadFilter(last_ns=20))]
    for reading in (None, ReadFilter(last_ns=40), ReadFilter(cameras=frozenset({'left'}))):
        answer, views = ask(memory, reading=reading, answer=(2,))
        told += [answer.flatten().tolist(), views[-1].evidence()]
        told += [views[-1].ids(layer).tolist() for layer in (0, 1)]
    return told


def _sizes(memory: Memory):
    """Return its sizes, but for what a sketch in the making takes on the host: it is not saved."""
    sizes, sketch = memory.sizes(), getattr(memory._tiers.archive, 'sketch', None)
    making = sketch.fixed_bytes if sketch is not None and not sketch.ready else 0
    return replace(sizes, read_bytes=0, host_bytes=sizes.host_bytes - making)


@pytest.mark.parametrize('bits', [None, 4])
@pytest.mark.parametrize('preset', PRESETS)
def test_a_memory_restored_from_files_answers_and_goes_on_bit_for_bit(
    small: Callable, see: Callable, ask: Callable, tmp_path: Path, preset: str, bits: int | None
) -> None:
    settings = {} if bits is None or preset not in ('rekv', 'balanced') else {'archive_bits': bits}
    memory, restored = small(preset, **settings), small(preset, **settings)
    _watch(memory, see, range(100))
    write_snapshot(tmp_path, memory.state())
    restored.restore(read_snapshot(tmp_path))
    assert _sizes(restored) == _sizes(memory)
    assert _told(restored, ask) == _told(memory, ask)
    for last in (104, 150, 300):
        for either in (memory, restored):
            _watch(either, see, range(either.newest().stamp_ns + 1, last))
        assert _told(restored, ask) == _told(memory, ask)


def test_the_sketch_of_a_large_archive_comes_back_bit_for_bit(
    small: Callable, ask: Callable, see: Callable
) -> None:
    memory, restored = small('balanced'), small('balanced')
    _watch(memory, see, range(320))
    assert memory.sizes().archive_tokens > 4 * 256
    restored.restore(memory.state())
    assert _told(restored, ask) == _told(memory, ask)


def test_saving_changes_nothing_and_what_was_saved_does_not_change(
    small: Callable, see: Callable, ask: Callable
) -> None:
    memory, twin, restored = (small('balanced') for _ in range(3))
    for either in (memory, twin):
        _watch(either, see, range(60))
    state = memory.state()
    assert _told(memory, ask) == _told(twin, ask)
    _watch(memory, see, range(60, 120))
    restored.restore(state)
    assert _told(restored, ask) == _told(twin, ask)


def test_an_empty_memory_is_restored_as_one(
    small: Callable, see: Callable, tmp_path: Path
) -> None:
    memory = small('balanced')
    write_snapshot(tmp_path, small('balanced').state())
    memory.restore(read_snapshot(tmp_path))
    assert memory.refs() == []
    _watch(memory, see, range(3))  # the stream begins anew, at any stamp
    assert memory.newest() == FrameRef('left', 2, 'optical', 'left/2')


def test_a_memory_whose_disk_and_ram_are_otherwise_large_is_no_other(
    small: Callable, see: Callable, tmp_path: Path
) -> None:
    memory = small('balanced')
    roomy = small(
        'balanced',
        archive_host_bytes=2**22,
        archive_disk_bytes=2**20,
        path=str(tmp_path),
        retrieval_frames=9,
        eviction='fifo',
    )
    _watch(memory, see, range(60))
    roomy.restore(memory.state())
    assert roomy.refs() == memory.refs()
    assert _sizes(roomy).archive_tokens == _sizes(memory).archive_tokens > 0


@pytest.mark.parametrize(
    ('settings', 'complaint'),
    [
        ({'short_term_frames': 6}, 'short_term_frames 4, here 6'),
        ({'long_term_frames': 10}, 'long_term_frames 8, here 10'),
        ({'archive_bits': 4}, 'archive_bits 16, here 4'),
        ({'archive_bits': 0}, 'archive_bits 16, here 0; page_tokens 2, here None'),
        ({'page_tokens': 4}, 'page_tokens 2, here 4'),
        ({'cameras': ('right', 'left')}, r"cameras \['left', 'right'\], here \['right', 'left'\]"),
        ({'cameras': ('left',)}, r"cameras \['left', 'right'\], here \['left'\]"),
    ],
)
def test_what_another_memory_held_is_refused_naming_the_difference(
    small: Callable, see: Callable, settings: dict, complaint: str
) -> None:
    memory = small('balanced')
    _watch(memory, see, range(60))
    other = small('balanced', *settings.pop('cameras', CAMERAS), **settings)
    with pytest.raises(SnapshotError, match=f'{complaint}: configure this one like it'):
        other.restore(memory.state())
    assert other.refs() == []


@pytest.mark.parametrize('name', ['forget_at', 'short_term.kept', 'short_term.evictions'])
@pytest.mark.parametrize('wrong', ['x', None, 1.5, True])
def test_a_count_that_is_no_number_is_refused_before_it_fails_every_frame(
    small: Callable, see: Callable, name: str, wrong: object
) -> None:
    memory, other = small('balanced'), small('balanced')
    _watch(memory, see, range(60))
    state = memory.state()
    *part, last = name.split('.')
    facts = state.facts[part[0]] if part else state.facts
    facts[last] = wrong
    with pytest.raises(SnapshotError, match='expected numbers'):
        other.restore(state)
    assert other.refs() == []


@pytest.mark.parametrize(
    'settings', [{'heads': {1: (0,)}}, {'retrieval': 'means', 'heads': {0: (0,)}}]
)
def test_an_archive_sketched_for_other_layers_is_refused(
    small: Callable, see: Callable, settings: dict
) -> None:
    memory, other = small('balanced', **settings), small('balanced', heads={0: (0,)})
    _watch(memory, see, range(60))
    with pytest.raises(SnapshotError, match='retrieval.by, or retrieval.heads of memory.yaml'):
        other.restore(memory.state())
    assert other.refs() == [] and other.sizes().archive_tokens == 0
    _watch(other, see, range(3))


def test_other_shapes_and_types_are_refused(small: Callable, see: Callable, shape) -> None:
    memory = small('recent')
    _watch(memory, see, range(9))
    config = MemoryConfig(preset='recent', short_term_frames=4)
    longer: CacheShape = replace(shape, max_positions=4096)
    with pytest.raises(SnapshotError, match='max_positions 2048, here 4096'):
        Memory(config, longer, CAMERAS).restore(memory.state())
    with pytest.raises(SnapshotError, match="dtype 'float32', here 'bfloat16'"):
        Memory(config, shape, CAMERAS, dtype=torch.bfloat16).restore(memory.state())


def test_another_model_is_known_by_what_it_makes_of_the_prefix(
    small: Callable, see: Callable, tokens: Callable
) -> None:
    memory, other = small('balanced'), small('balanced', prefix=0)
    with other.write_prefix() as view:
        tokens(99, 2).attend(view)
    _watch(memory, see, range(60))
    with pytest.raises(SnapshotError, match='of another model'):
        other.restore(memory.state())
    assert other.refs() == []


def test_more_than_the_archive_has_room_for_is_refused(small: Callable, see: Callable) -> None:
    memory, little = small('balanced'), small('balanced', archive_host_bytes=2**14)
    _watch(memory, see, range(100))
    with pytest.raises(SnapshotError, match='the archive has room for .* archive_host_bytes'):
        little.restore(memory.state())
    assert little.refs() == []
    _watch(little, see, range(3))


def test_more_than_long_term_has_room_for_is_refused(small: Callable, see: Callable) -> None:
    memory, other = small('balanced'), small('balanced')
    _watch(memory, see, range(60))
    state = memory.state()
    state.tensors['long_term.0.ids'] = state.tensors['long_term.0.ids'].repeat(9)
    with pytest.raises(SnapshotError, match=r'room for 20 tokens, got \d+: raise'):
        other.restore(state)
    assert other.refs() == []


def test_a_disk_without_room_for_the_archive_leaves_an_empty_memory(
    small: Callable, see: Callable, ask: Callable, tmp_path: Path, monkeypatch
) -> None:
    disk = {'archive_host_bytes': 2**15, 'archive_disk_bytes': 2**22, 'path': str(tmp_path)}
    memory, other = small('balanced', **disk), small('balanced', **disk)
    _watch(memory, see, range(100))
    assert _sizes(memory).disk_bytes > 0

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr('os.posix_fallocate', full)
        with pytest.raises(OSError, match='No space left'):
            other.restore(memory.state())
    assert other.refs() == [] and _sizes(other).archive_tokens == 0
    other.restore(memory.state())
    assert _told(other, ask) == _told(memory, ask)


def test_a_memory_that_holds_frames_is_not_written_over(small: Callable, see: Callable) -> None:
    memory = small('balanced')
    state = memory.state()
    _watch(memory, see, range(9))
    held = memory.refs()
    with pytest.raises(RuntimeError, match='clear it first'):
        memory.restore(state)
    assert memory.refs() == held
    memory.clear()
    memory.restore(state)


def test_pages_chosen_ahead_before_are_not_taken_for_those_restored(
    small: Callable, see: Callable, ask: Callable
) -> None:
    """The same words are asked of one stream, and then of another that was restored."""
    memory, used = small('balanced', tau=-1.01), small('balanced', tau=-1.01)
    _watch(memory, see, range(1000, 1060))
    _watch(used, see, range(60))
    ask(used, key='what')
    used.clear()
    used.restore(memory.state())
    assert torch.equal(ask(used, key='what')[0], ask(memory, key='what')[0])
