# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from livevlm_ros.memory import (
    PREFIX_POSITIONS,
    CacheShape,
    FrameRef,
    Memory,
    MemoryConfig,
    Reach,
    TooManyTokens,
)
from livevlm_ros.memory.memory import FORGET_EVERY

NAME_BYTES = 8


SMALL = {  # rings and long-term memories that overflow soon
    'recent': {'short_term_frames': 4},
    'full': {'full_max_tokens': 120},
    'rekv': {'short_term_frames': 4},
    'livevlm': {'short_term_frames': 4, 'long_term_frames': 8},
    'balanced': {'short_term_frames': 4, 'long_term_frames': 8},
}


def _storage(memory: Memory) -> list[torch.Tensor]:
    """Return what stays on the device between questions."""
    parts, ring = memory._parts, memory._short_term
    long_term = [part for lane in memory._long_term for part in lane._storage._parts()]
    ring_parts = [ring.keys, ring.values, ring.names, ring.scores]
    return [*ring_parts, parts.prefix_keys, parts.prefix_values, *long_term]


def _buffers(memory: Memory) -> list[torch.Tensor]:
    step, question, rotary = memory._step_buffer, memory._question_buffer, memory._parts.rotary
    return [step.keys, step.values, question.keys, question.values, rotary.cos, rotary.sin]


def _small(make: Callable, preset: str, **settings) -> Memory:
    """Two cameras, and pages that suit so small a memory."""
    return make('left', 'right', preset=preset, page_tokens=4, **SMALL[preset], **settings)


def _watch(memory: Memory, see: Callable, stamps: range) -> dict[tuple[int, int], object]:
    """See a frame of each camera at each stamp; return what by stamp and lane."""
    cameras = ('left', 'right')
    return {
        (stamp, lane): see(memory, FrameRef(camera, stamp))
        for stamp in stamps
        for lane, camera in enumerate(cameras)
    }


def _tensors(memory: Memory) -> list[torch.Tensor]:
    """Copy all that is remembered, wherever it lies."""
    memory.settle()
    archive = memory._archive
    archived = []
    if archive is not None:
        for layer in range(2):
            index = archive.index(layer)
            piece = archive.read(layer, torch.arange(len(index.ends)))
            archived += [index.means, index.ends, piece.keys, piece.values, piece.names]
    return [tensor.clone() for tensor in (*_storage(memory), *archived)]


def _wide(shape: CacheShape, **settings) -> Memory:
    """Eight cameras whose step takes more positions than a question and its answer."""
    wide = replace(shape, tokens_per_frame=196, max_positions=4160)
    return Memory(MemoryConfig(**settings), wide, [f'camera_{n}' for n in range(8)])


def _see_wide(memory: Memory, tokens: Callable, stamp: int) -> None:
    view = memory.step([FrameRef(f'camera_{n}', stamp) for n in range(8)])
    tokens(stamp, 8 * 196).attend(view)
    view.commit()


@pytest.mark.parametrize('preset', ['recent', 'rekv', 'livevlm', 'balanced'])
def test_a_stream_takes_the_same_bytes_in_the_same_place_for_ever(
    make: Callable, see: Callable, tokens: Callable, preset: str
) -> None:
    memory = _small(make, preset, archive_host_bytes=2**22)
    asked = {0: 5, 8: 4, 996: 512, 16380: memory.question_room}  # after 4, 12, 1,000 and 16,384
    sizes = [memory.sizes()]
    places = [tensor.data_ptr() for tensor in (*_storage(memory), *_buffers(memory))]
    for stamp in range(0, 16_384, 4):
        see(memory, *(FrameRef(camera, stamp + n) for n in (0, 2) for camera in ('left', 'right')))
        if stamp in asked:
            tokens(stamp, 3).attend(memory.question(extra_tokens=asked[stamp]))
            sizes.append(memory.sizes())
            now = [tensor.data_ptr() for tensor in (*_storage(memory), *_buffers(memory))]
            assert now == places
    assert len(sizes) == 5
    assert len({size.device_bytes for size in sizes}) == 1
    assert len({size.read_bytes for size in sizes}) == 1
    assert sizes[-1].host_bytes <= 2**22
    assert sizes[-1].evictions == 16_384 - 4


@pytest.mark.parametrize('preset', SMALL)
def test_device_bytes_are_what_the_storage_takes(make: Callable, preset: str) -> None:
    memory = _small(make, preset)
    assert memory.sizes().device_bytes == sum(tensor.nbytes for tensor in _storage(memory))


@pytest.mark.parametrize('preset', SMALL)
def test_asking_does_not_change_the_memory(
    make: Callable, see: Callable, tokens: Callable, preset: str
) -> None:
    memory = _small(make, preset)
    _watch(memory, see, range(30))
    before, held, sizes = _tensors(memory), memory.frames(), memory.sizes()
    for reach in (None, Reach(last_ns=20), Reach(short_term=False), Reach(newest_only=True)):
        view = memory.question(extra_tokens=9, reach=reach)
        for seed, count in ((1, 5), (2, 1), (3, 1)):
            tokens(seed, count).attend(view)
        view.evidence()
    after = _tensors(memory)
    assert all(torch.equal(*pair) for pair in zip(after, before, strict=True))
    assert memory.frames() == held
    assert replace(memory.sizes(), read_bytes=0) == replace(sizes, read_bytes=0)


def test_the_prefix_outlives_every_frame_and_clear(
    make: Callable, see: Callable, tokens: Callable, reference: Callable
) -> None:
    memory = make(short_term_frames=2)
    for stamp in range(40):
        see(memory, FrameRef('front', stamp))
    assert memory.clear() == 2
    assert memory.frames() == []
    assert memory.newest() is None
    question = tokens(50, 4)
    expected = reference([tokens(0, 2), question])[:, -4:]
    got = question.attend(memory.question(extra_tokens=4))
    torch.testing.assert_close(got, expected, rtol=0, atol=2e-6)


def test_the_prefix_is_written_once_and_first(make: Callable, see: Callable) -> None:
    memory = make()
    with pytest.raises(RuntimeError, match='written once'), memory.write_prefix():
        pass
    memory = make(prefix=0)
    see(memory, FrameRef('front', 1))
    with pytest.raises(RuntimeError, match='before the first frame'), memory.write_prefix():
        pass


@pytest.mark.parametrize('preset', SMALL)
def test_after_clear_a_stream_is_remembered_as_in_a_fresh_memory(
    make: Callable, see: Callable, tokens: Callable, preset: str
) -> None:
    fresh, cleared = _small(make, preset), _small(make, preset)
    _watch(cleared, see, range(10**9, 10**9 + 300))
    assert cleared.clear() > 0
    assert cleared.frames() == [] and cleared.newest() is None
    assert cleared.sizes().archive_tokens == cleared.sizes().long_term_tokens == 0
    answers = []
    for memory in (fresh, cleared):
        _watch(memory, see, range(140))  # some frames are forgotten
        view = memory.question(extra_tokens=4)
        answers.append(tokens(50, 4).attend(view))
        assert view.tokens_read and view.evidence()
    assert torch.equal(*answers)
    assert cleared.frames() == fresh.frames()
    sizes = [replace(memory.sizes(), read_bytes=0) for memory in (fresh, cleared)]
    if preset != 'full':  # whose ring stays as large as it has grown
        assert sizes[0] == sizes[1]


@pytest.mark.parametrize('eviction', ['vsb', 'fifo', 'uniform'])
def test_tokens_stay_whole_and_none_is_lost_or_doubled(
    make: Callable, see: Callable, eviction: str
) -> None:
    memory = _small(make, 'balanced', eviction=eviction)
    seen = _watch(memory, see, range(100))
    namer = memory._names
    for lane, held in enumerate(memory._long_term):
        tokens = held.tokens
        assert (namer.lanes(tokens.names) == lane).all()
        stamps, places = namer.since_ns(tokens.names), tokens.names & 3
        times = (stamps + places.double() / 3) / 1e9
        torch.testing.assert_close(tokens.times, times, rtol=0, atol=1e-15)
        for layer in range(2):
            where = zip(stamps[layer].tolist(), places[layer].tolist(), strict=True)
            for index, (stamp, place) in enumerate(where):
                made = seen[stamp, lane]
                assert torch.equal(tokens.keys[layer, :, index], made.k[layer, :, place])
                assert torch.equal(tokens.values[layer, :, index], made.v[layer, :, place])

    memory.settle()
    archive, sizes = memory._archive, memory.sizes()
    gone = [FrameRef(camera, stamp) for stamp in range(98) for camera in ('left', 'right')]
    every = torch.cat([namer.of_frame(ref) for ref in gone])
    assert sizes.archive_tokens + sizes.long_term_tokens == len(every)
    kept = torch.stack([lane.tokens.names for lane in memory._long_term])
    assert torch.equal(torch.cat((archive.names(), kept.flatten())).unique(), every)
    for layer in range(2):
        pages = torch.arange(len(archive.index(layer).ends))
        found = torch.cat((archive.read(layer, pages).names, kept[:, layer].flatten()))
        assert len(found.unique()) == len(found) > len(every) - 2 * 4  # less than a page waits


def test_long_term_holds_exactly_its_budget_and_what_came_since(
    make: Callable, see: Callable
) -> None:
    memory, counts = _small(make, 'livevlm'), []
    for stamp in range(40):
        _watch(memory, see, range(stamp, stamp + 1))
        lanes = [lane.count for lane in memory._long_term]
        assert lanes[0] == lanes[1]
        counts.append(lanes[0])
    budget, frame = 8 * 3 // 2, 3  # half of it for each camera, and room for a frame beside it
    assert counts[2:7] == [frame * frames for frames in range(1, 6)]
    assert counts[7:] == [budget + frame] * 33
    assert memory.sizes().long_term_tokens == sum(lane.count for lane in memory._long_term)


def test_frames_of_which_nothing_is_left_are_forgotten_in_the_end(
    make: Callable, see: Callable
) -> None:
    memory = _small(make, 'livevlm')
    _watch(memory, see, range(1000))
    tokens = torch.cat([lane.tokens.names.flatten() for lane in memory._long_term])
    left = set(memory._names.since_ns(tokens).tolist()) | {998, 999}
    held = {ref.stamp_ns for ref in memory.frames()}
    assert left <= held
    assert len(memory.frames()) <= 2 * len(left) + FORGET_EVERY
    assert memory.sizes().frames == len(memory.frames())


NEWEST = FrameRef('right', 29)


@pytest.mark.parametrize(
    ('reach', 'newest'),
    [
        (None, NEWEST),
        (Reach(), NEWEST),
        (Reach(cameras=frozenset({'left'})), FrameRef('left', 29)),
        (Reach(last_ns=7, cameras=frozenset({'right'})), FrameRef('right', 7)),
        (Reach(short_term=False, cameras=frozenset({'right'})), FrameRef('right', 27)),
        (Reach(last_ns=7, long_term=False), None),
        (Reach(last_ns=7, newest_only=True, long_term=False), None),
        (Reach(first_ns=28, short_term=False), None),
        (Reach(first_ns=30), None),
    ],
)
def test_the_newest_frame_within_reach_is_one_that_can_be_read(
    make: Callable, see: Callable, reach: Reach | None, newest: FrameRef | None
) -> None:
    memory = make('left', 'right', preset='livevlm', short_term_frames=4)
    _watch(memory, see, range(30))
    found = memory.newest(reach)
    assert (found and found.stamp_ns) == (newest and newest.stamp_ns)
    assert found is None or (reach or Reach()).holds(found)


def test_cameras_whose_clocks_are_worlds_apart_are_refused_and_leave_no_trace(
    make: Callable, see: Callable, tokens: Callable
) -> None:
    memory = make('left', 'right')
    with pytest.raises(ValueError, match='can tell apart at most'):
        memory.step([FrameRef('left', 5), FrameRef('right', 2**62)])
    assert memory.frames() == []
    see(memory, FrameRef('right', 2**62))
    with pytest.raises(ValueError, match="camera 'left': stamp 5 is -"):
        memory.step([FrameRef('left', 5)])
    assert memory.frames() == [FrameRef('right', 2**62)]


def test_full_drops_the_oldest_beyond_its_cap_and_says_so(make: Callable, see: Callable) -> None:
    memory = make(preset='full', full_max_tokens=300)
    for stamp in range(100):
        see(memory, FrameRef('front', stamp))
    assert not memory.sizes().context_truncated
    see(memory, FrameRef('front', 100))
    assert memory.sizes().context_truncated
    assert [frame.stamp_ns for frame in memory.frames()] == list(range(1, 101))
    assert memory.sizes().short_term_tokens == 300


def test_full_leaves_positions_for_prefix_question_and_answer(
    make: Callable, see: Callable, shape: CacheShape
) -> None:
    memory = make(preset='full')
    for stamp in range(400):
        see(memory, FrameRef('front', stamp))
    frames = (shape.max_positions - 1024) // shape.tokens_per_frame
    assert len(memory.frames()) == frames
    assert memory.question_room + 2 + memory.sizes().short_term_tokens <= shape.max_positions


def test_a_step_of_many_cameras_fits_the_positions_and_the_room_made_for_it(
    shape: CacheShape, tokens: Callable
) -> None:
    for settings in ({'preset': 'full'}, {'short_term_frames': 8}):
        memory = _wide(shape, **settings)
        configured = memory.sizes().read_bytes
        with memory.write_prefix() as view:
            tokens(0, PREFIX_POSITIONS).attend(view)
        for stamp in range(4):
            _see_wide(memory, tokens, stamp)
        sizes = memory.sizes()
        assert sizes.evictions > 0
        assert PREFIX_POSITIONS + sizes.short_term_tokens + 8 * 196 <= 4160
        assert settings.get('preset') == 'full' or sizes.read_bytes == configured


def test_a_step_beyond_the_positions_of_the_model_is_refused(
    make: Callable, see: Callable
) -> None:
    memory = make(prefix=PREFIX_POSITIONS, preset='full')
    see(memory, *(FrameRef('front', stamp) for stamp in range(341)))
    with pytest.raises(TooManyTokens, match='needs 2302 positions, the model has 2048'):
        memory.step([FrameRef('front', stamp) for stamp in range(341, 682)])


def test_a_prefix_longer_than_its_share_of_the_positions_is_refused(
    make: Callable, tokens: Callable
) -> None:
    memory = make(prefix=0)
    with pytest.raises(TooManyTokens, match='room for 256'), memory.write_prefix() as view:
        tokens(0, PREFIX_POSITIONS + 1).attend(view)


def test_a_question_with_more_tokens_than_fit_names_the_limit(make: Callable) -> None:
    memory = make()
    with pytest.raises(TooManyTokens, match='need 2000 tokens, at most 1022 fit'):
        memory.question(extra_tokens=2000)
    memory.question(extra_tokens=memory.question_room)


def test_sizes_count_tokens_and_the_cache_nothing_would_have_dropped(
    make: Callable, see: Callable, shape: CacheShape
) -> None:
    memory = make(short_term_frames=4)
    for stamp in range(10):
        see(memory, FrameRef('front', stamp))
    sizes = memory.sizes()
    assert sizes.short_term_frames == 4
    assert sizes.short_term_tokens == 12
    assert sizes.full_cache_bytes == 10 * 3 * shape.token_bytes(4)
    assert sizes.device_bytes == (4 * 3 + 2) * shape.token_bytes(4) + 4 * 3 * NAME_BYTES
    assert not sizes.context_truncated


def test_steps_read_through_the_room_of_one_layer(
    make: Callable, see: Callable, shape: CacheShape
) -> None:
    memory = make(preset='full')
    see(memory, FrameRef('front', 1))
    angles = 2 * shape.head_dim // 2 * 4
    a_token = shape.token_bytes(4) // shape.layers + angles
    assert memory.sizes().read_bytes == PREFIX_POSITIONS * a_token


def test_two_memories_of_one_stream_answer_bit_for_bit_alike(
    make: Callable, see: Callable, tokens: Callable
) -> None:
    def answer() -> torch.Tensor:
        memory = make('left', 'right', short_term_frames=5)
        for stamp in range(9):
            see(memory, FrameRef('left', stamp), FrameRef('right', stamp))
        return tokens(50, 4).attend(memory.question(extra_tokens=4))

    assert torch.equal(answer(), answer())


@pytest.mark.parametrize('preset', ['recent', 'full'])
def test_half_precision_keeps_its_type_and_half_the_bytes(
    shape: CacheShape, preset: str, tokens: Callable
) -> None:
    wide, narrow = (
        Memory(MemoryConfig(preset=preset), shape, ('front',), dtype=dtype)
        for dtype in (torch.float32, torch.bfloat16)
    )
    new = tokens(1, 3)
    new.q, new.k, new.v = new.q.bfloat16(), new.k.bfloat16(), new.v.bfloat16()
    step = narrow.step([FrameRef('front', 1)])
    assert new.attend(step).dtype == torch.bfloat16
    step.commit()
    names = narrow._short_term.names.nbytes
    assert (narrow.sizes().device_bytes - names) * 2 == wide.sizes().device_bytes - names
