# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from livevlm_ros.memory import (
    PREFIX_POSITIONS,
    PRESETS,
    CacheShape,
    FrameRef,
    Memory,
    MemoryConfig,
    ReadFilter,
    TooManyTokens,
)
from livevlm_ros.memory.holdings import OUT_OF_ORDER_NS

ID_BYTES = 8
CAMERAS = ('left', 'right')


def _storage(memory: Memory) -> list[torch.Tensor]:
    """Return what stays on the device between questions."""
    tiers = memory._tiers
    ring = tiers.short_term
    lanes = [lane.tokens for lane in tiers.long_term]
    of_lanes = [part for tokens in lanes for part in (tokens.keys, tokens.values, tokens.ids)]
    return [ring._keys, ring._values, tiers.prefix_keys, tiers.prefix_values, *of_lanes]


def _buffers(memory: Memory) -> list[torch.Tensor]:
    step, question, rotary = memory._step_buffer, memory._question_buffer, memory._tiers.rotary
    return [step.keys, step.values, question.keys, question.values, rotary.cos, rotary.sin]


def _wide(shape: CacheShape, **settings) -> Memory:
    """Eight cameras whose step takes more positions than a question and its answer."""
    wide = replace(shape, tokens_per_frame=196, max_positions=4160)
    return Memory(MemoryConfig(**settings), wide, [f'camera_{n}' for n in range(8)])


def _see_wide(memory: Memory, tokens: Callable, stamp: int) -> None:
    view = memory.step([FrameRef(f'camera_{n}', stamp) for n in range(8)])
    tokens(stamp, 8 * 196).attend(view)
    view.commit()


def _places(tensors: list[torch.Tensor]) -> list[int]:
    return [tensor.untyped_storage().data_ptr() for tensor in tensors]


@pytest.mark.slow
@pytest.mark.parametrize('preset', ['recent', 'rekv', 'livevlm', 'balanced'])
def test_a_stream_takes_the_same_bytes_in_the_same_place_for_ever(
    small: Callable, see: Callable, ask: Callable, preset: str
) -> None:
    heads = {1: (0, 2)} if preset == 'balanced' else None
    memory = small(preset, heads=heads, short_term_frames=16, archive_host_bytes=2**20)
    asked = {0: 0, 8: 1, 496: 100, 8184: memory.question_room - 4}  # until 16,384 frames are seen
    places, sizes = _places(_storage(memory) + _buffers(memory)), [memory.sizes()]
    records: list[int] = []  # bytes of the archive's, and of what knows them
    for stamp in range(0, 8192, 8):
        see(memory, *(FrameRef(camera, stamp + n) for n in range(8) for camera in CAMERAS))
        memory.settle()
        if stamp in asked:
            ask(memory, answer=range(asked[stamp]))
            sizes.append(memory.sizes())
            sketch = getattr(memory._tiers.archive, 'sketch', None)
            records.append(sizes[-1].host_bytes - (sketch.fixed_bytes if sketch else 0))
            assert _places(_storage(memory) + _buffers(memory)) == places
    assert len(sizes) == 5
    assert len({size.device_bytes for size in sizes}) == 1
    assert len({size.read_bytes for size in sizes}) == 1
    assert max(records) <= 2**20
    assert sizes[-1].evictions == 16_384 - 16
    assert (memory.sizes().archive_lost, memory.sizes().full_cache_bytes) == (0, 2**24)


@pytest.mark.parametrize('preset', PRESETS)
def test_device_bytes_are_what_the_storage_takes(small: Callable, preset: str) -> None:
    memory = small(preset)
    storage = sum(tensor.untyped_storage().nbytes() for tensor in _storage(memory))
    times = 8 * memory.sizes().long_term_capacity
    assert memory.sizes().device_bytes == storage + times


@pytest.mark.parametrize('preset', PRESETS)
def test_asking_changes_nothing(
    small: Callable, watch: Callable, ask: Callable, held: Callable, preset: str
) -> None:
    memory = small(preset)
    watch(memory, range(30), *CAMERAS)
    before = held(memory)
    for reading in (
        None,
        ReadFilter(last_ns=20),
        ReadFilter(short_term=False),
        ReadFilter(newest_only=True),
        ReadFilter(only_ns=((3, 9),)),
    ):
        for key in ('what', None):
            _, views = ask(memory, reading=reading, key=key, answer=(3, 4))
            views[-1].evidence()
    assert held(memory) == before


@pytest.mark.parametrize('preset', PRESETS)
def test_steps_between_tokens_change_nothing(
    small: Callable, watch: Callable, see: Callable, tokens: Callable, preset: str
) -> None:
    """A view goes on as if no step had come in between, though frames leave and tiers bucket."""

    def answer(interrupted: bool) -> list:
        memory = small(preset, 'front')
        watch(memory, range(50))
        question, out, view = tokens(900, 4), [], None
        for view in memory.readings(tokens=4, extra_tokens=10):
            out = [question.attend(view)]
        for token in range(100, 106):
            if interrupted:
                watch(memory, range(token, token + 1))
            out.append(tokens(token, 1).attend(view))
        return [torch.cat(out, 1), view.ids(0), view.ids(1), view.frames(), view.evidence()]

    alone, interrupted = answer(False), answer(True)
    assert all(torch.equal(*pair) for pair in zip(alone[:3], interrupted[:3], strict=True))
    assert alone[3:] == interrupted[3:]


def test_the_prefix_outlives_every_frame_and_clear(
    make: Callable, watch: Callable, ask: Callable, tokens: Callable, reference: Callable
) -> None:
    memory = make(short_term_frames=2)
    watch(memory, range(40))
    assert memory.clear().result(10).frames == 2
    assert memory.refs() == []
    assert memory.newest() is None
    expected = reference([tokens(0, 2), tokens(900, 4)])[:, -4:]
    torch.testing.assert_close(ask(memory)[0], expected, rtol=0, atol=2e-6)


def test_the_prefix_is_written_once_and_first(make: Callable, see: Callable) -> None:
    memory = make()
    with pytest.raises(RuntimeError, match='written once'), memory.write_prefix():
        pass
    memory = make(prefix=0)
    see(memory, FrameRef('front', 1))
    with pytest.raises(RuntimeError, match='before the first frame'), memory.write_prefix():
        pass


def test_a_prefix_that_fails_is_not_kept(make: Callable, tokens: Callable) -> None:
    memory = make(prefix=0)
    with pytest.raises(KeyError), memory.write_prefix() as view:
        tokens(0, 2).attend(view)
        raise KeyError
    room = memory.question_room
    with memory.write_prefix() as view:
        tokens(0, 2).attend(view)
    assert memory.question_room == room - 2


@pytest.mark.parametrize('preset', PRESETS)
def test_after_clear_a_stream_is_remembered_as_in_a_fresh_memory(
    small: Callable, watch: Callable, ask: Callable, preset: str
) -> None:
    fresh, cleared = small(preset), small(preset)
    watch(cleared, range(10**9, 10**9 + 150), *CAMERAS)
    ask(cleared, key='what')
    assert cleared.clear().result(10).frames > 0
    assert cleared.refs() == [] and cleared.newest() is None
    assert cleared.sizes().archive_tokens == cleared.sizes().long_term_tokens == 0
    answers = []
    for memory in (fresh, cleared):
        watch(memory, range(140), *CAMERAS)  # some frames are forgotten
        answer, views = ask(memory, key='what')
        answers.append(answer)
        assert views[-1].tokens_read and views[-1].evidence()
    assert torch.equal(*answers)
    assert cleared.refs() == fresh.refs()
    sizes = [replace(memory.sizes(), read_bytes=0) for memory in (fresh, cleared)]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize(
    ('reading', 'newest'),
    [
        (None, FrameRef('right', 29)),
        (ReadFilter(), FrameRef('right', 29)),
        (ReadFilter(cameras=frozenset({'left'})), FrameRef('left', 29)),
        (ReadFilter(last_ns=7, cameras=frozenset({'right'})), FrameRef('right', 7)),
        (ReadFilter(short_term=False, cameras=frozenset({'right'})), FrameRef('right', 27)),
        (ReadFilter(last_ns=7, long_term=False), None),
        (ReadFilter(last_ns=7, newest_only=True, long_term=False), None),
        (ReadFilter(first_ns=28, short_term=False), None),
        (ReadFilter(first_ns=30), None),
        (ReadFilter(last_ns=9, without=frozenset({FrameRef('left', 9), FrameRef('right', 9)})), 8),
    ],
)
def test_the_newest_frame_that_may_be_read_is_one_that_can(
    small: Callable, watch: Callable, reading: ReadFilter | None, newest: FrameRef | int | None
) -> None:
    memory = small('livevlm', long_term_frames=61)
    watch(memory, range(30), *CAMERAS)
    found = memory.newest(reading)
    if isinstance(newest, int):
        assert found is not None and found.stamp_ns == newest
    else:
        assert (found and found.stamp_ns) == (newest and newest.stamp_ns)
    assert found is None or (reading or ReadFilter()).contains(found)


def test_the_newest_frame_is_found_though_cameras_come_out_of_order(
    small: Callable, see: Callable
) -> None:
    memory, late = small('livevlm', long_term_frames=61), OUT_OF_ORDER_NS // 2
    for second in range(8):
        see(memory, FrameRef('left', late + second))
        see(memory, FrameRef('right', second))
    assert memory.newest(ReadFilter(short_term=False)).stamp_ns == late + 5
    assert memory.newest(ReadFilter(short_term=False, last_ns=late)).stamp_ns == late


def test_cameras_whose_clocks_are_worlds_apart_are_refused_and_leave_no_trace(
    make: Callable, see: Callable
) -> None:
    memory = make(*CAMERAS)
    with pytest.raises(ValueError, match='can tell apart at most'):
        memory.step([FrameRef('left', 5), FrameRef('right', 2**62)])
    assert memory.refs() == []
    see(memory, FrameRef('right', 2**62))
    with pytest.raises(ValueError, match="camera 'left': stamp 5 is -"):
        memory.step([FrameRef('left', 5)])
    assert memory.refs() == [FrameRef('right', 2**62)]


@pytest.mark.parametrize(
    ('refs', 'said'),
    [
        ([FrameRef('rear', 10)], "camera 'rear' has no lane.*front"),
        ([FrameRef('front', 5)], 'stamp 5 must come after 5'),
        ([], 'at least one frame'),
    ],
)
def test_a_step_of_frames_that_cannot_be_kept_is_refused_before_it_reads(
    make: Callable, see: Callable, refs: list[FrameRef], said: str
) -> None:
    memory = make('front', 'side')
    see(memory, FrameRef('front', 5))
    with pytest.raises(ValueError, match=said):
        memory.step(refs)
    assert memory.refs() == [FrameRef('front', 5)]


def test_full_drops_the_oldest_beyond_its_cap_and_says_so(make: Callable, watch: Callable) -> None:
    memory = make(preset='full', full_max_tokens=400)
    watch(memory, range(100))
    assert not memory.sizes().context_truncated
    watch(memory, [100])
    assert memory.sizes().context_truncated
    assert [frame.stamp_ns for frame in memory.refs()] == list(range(1, 101))
    assert memory.sizes().short_term_tokens == 400


def test_full_leaves_positions_for_prefix_question_and_answer(
    make: Callable, see: Callable, shape: CacheShape
) -> None:
    memory = make(preset='full')
    for stamp in range(300):
        see(memory, FrameRef('front', stamp))
    frames = (shape.max_positions - 1024) // shape.tokens_per_frame
    assert len(memory.refs()) == frames
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
    see(memory, *(FrameRef('front', stamp) for stamp in range(256)))
    with pytest.raises(TooManyTokens, match='needs 2304 positions, the model has 2048'):
        memory.step([FrameRef('front', stamp) for stamp in range(256, 512)])


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


@pytest.mark.parametrize('preset', PRESETS)
def test_noise_fills_a_memory_as_frames_do(small: Callable, watch: Callable, preset: str) -> None:
    memory, noisy = small(preset), small(preset)
    watch(memory, range(30), *CAMERAS)
    for stamp in range(30):
        noisy.put_noise([FrameRef(camera, stamp) for camera in CAMERAS])
        noisy.settle()
    sizes = [replace(either.sizes(), read_bytes=0) for either in (memory, noisy)]
    assert sizes[0] == sizes[1]
    assert noisy.refs() == memory.refs()


def test_two_memories_of_one_stream_answer_bit_for_bit_alike(
    small: Callable, watch: Callable, ask: Callable
) -> None:
    def answer() -> torch.Tensor:
        memory = small('balanced')
        watch(memory, range(30), *CAMERAS)
        return ask(memory)[0]

    assert torch.equal(answer(), answer())


@pytest.mark.parametrize('preset', PRESETS)
def test_half_precision_keeps_its_type_and_half_the_bytes(
    shape: CacheShape, preset: str, tokens: Callable
) -> None:
    wide, narrow = (
        Memory(MemoryConfig(preset=preset), shape, ('front',), dtype=dtype)
        for dtype in (torch.float32, torch.bfloat16)
    )
    for stamp in range(20):
        new = tokens(stamp, 4)
        new.q, new.k, new.v = new.q.bfloat16(), new.k.bfloat16(), new.v.bfloat16()
        step = narrow.step([FrameRef('front', stamp)])
        assert new.attend(step).dtype == torch.bfloat16
        step.commit()
    for view in narrow.readings(tokens=4, extra_tokens=4):
        new.attend(view)
    assert (
        view.ids(0).tolist()
        == [number for n in range(20) for number in range(4 * n, 4 * n + 4)][
            -4 * narrow.frame_count :
        ]
    )
    apart = 2 * ID_BYTES * narrow.sizes().long_term_capacity  # ids and times
    assert (narrow.sizes().device_bytes - apart) * 2 == wide.sizes().device_bytes - apart
    for memory in (wide, narrow):
        memory.close()


# Running out of memory while reading.


@pytest.mark.parametrize('preset', PRESETS)
def test_reading_that_runs_out_of_memory_anywhere_leaves_everything_as_it_was(
    small, watch, ask, see, tokens, held, run_dry, preset: str
) -> None:
    """In a step's layers, in a probe, in a question's view and its layers, in a state."""
    memory, twin = small(preset), small(preset)
    for either in (memory, twin):
        watch(either, range(7), *CAMERAS)  # the next step buckets
    before, refs = held(memory), [FrameRef(camera, 7) for camera in CAMERAS]

    def check() -> None:
        assert held(memory) == before

    failures = {
        'step': run_dry(lambda: tokens(7, 8).attend(memory.step(refs)), check),
        'question': run_dry(lambda: ask(memory, answer=(3,)), check),
        'standing': run_dry(lambda: ask(memory, key='what'), check),
        'state': run_dry(memory.state, check),
    }
    assert all(count >= 4 for count in failures.values()), failures
    answers = []
    for either in (memory, twin):
        watch(either, range(7, 20), *CAMERAS)
        answers.append(ask(either)[0])
    assert torch.equal(*answers)
    assert held(memory) == held(twin)
