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
    TooManyTokens,
)


def _storage(memory: Memory) -> list[torch.Tensor]:
    parts, ring = memory._parts, memory._short_term
    return [ring.keys, ring.values, parts.prefix_keys, parts.prefix_values]


def _wide(shape: CacheShape, **settings) -> Memory:
    """Eight cameras whose step takes more positions than a question and its answer."""
    wide = replace(shape, tokens_per_frame=196, max_positions=4160)
    return Memory(MemoryConfig(**settings), wide, [f'camera_{n}' for n in range(8)])


def _see_wide(memory: Memory, tokens: Callable, stamp: int) -> None:
    view = memory.step([FrameRef(f'camera_{n}', stamp) for n in range(8)])
    tokens(stamp, 8 * 196).attend(view)
    view.commit()


def test_recent_takes_the_same_bytes_in_the_same_place_for_ever(
    make: Callable, see: Callable, tokens: Callable
) -> None:
    memory = make('left', 'right')
    configured = memory.sizes()
    places = [tensor.data_ptr() for tensor in _storage(memory)]
    asked = {4: 5, 30: 4, 60: 512, 4999: memory.question_room}
    for stamp in range(5000):
        see(memory, FrameRef('left', stamp), FrameRef('right', stamp))
        if stamp in asked:
            tokens(stamp, 3).attend(memory.question(extra_tokens=asked[stamp]))
            sizes = memory.sizes()
            assert sizes.device_bytes == configured.device_bytes
            assert sizes.read_bytes == configured.read_bytes
            assert [tensor.data_ptr() for tensor in _storage(memory)] == places
    assert memory.sizes().evictions == 2 * 5000 - 16


def test_device_bytes_are_what_the_storage_takes(make: Callable) -> None:
    memory = make()
    assert memory.sizes().device_bytes == sum(tensor.nbytes for tensor in _storage(memory))


def test_asking_does_not_change_the_memory(
    make: Callable, see: Callable, tokens: Callable
) -> None:
    memory = make(short_term_frames=3)
    for stamp in range(5):
        see(memory, FrameRef('front', stamp))
    before = [tensor.clone() for tensor in _storage(memory)]
    held, sizes = memory.frames(), memory.sizes()
    view = memory.question(extra_tokens=9)
    for seed, count in ((1, 5), (2, 1), (3, 1)):
        tokens(seed, count).attend(view)
    assert all(torch.equal(*pair) for pair in zip(_storage(memory), before, strict=True))
    assert memory.frames() == held
    assert memory.sizes().device_bytes == sizes.device_bytes
    assert memory.sizes().short_term_tokens == sizes.short_term_tokens


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


def test_after_clear_a_stream_is_remembered_as_the_first_time(
    make: Callable, see: Callable, tokens: Callable
) -> None:
    memory = make(short_term_frames=3)
    answers = []
    for _ in range(2):
        for stamp in range(7):
            see(memory, FrameRef('front', stamp))
        answers.append(tokens(50, 4).attend(memory.question(extra_tokens=4)))
        assert memory.sizes().evictions == 4
        memory.clear()
    assert torch.equal(*answers)


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
    assert sizes.device_bytes == (4 * 3 + 2) * shape.token_bytes(4)
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
    assert narrow.sizes().device_bytes * 2 == wide.sizes().device_bytes
