# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a token goes, that none is lost on the way, that a step is kept whole or not at all."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch

from livevlm_ros.memory import FrameRef, Memory
from livevlm_ros.memory.archive.record import RecordLayout
from livevlm_ros.memory.config import EVICTIONS
from livevlm_ros.memory.tiers import FORGET_EVERY
from livevlm_ros.memory.tokens import Tokens

CAMERAS = ('left', 'right')
PRESETS = ['recent', 'full', 'rekv', 'livevlm', 'balanced']


def _lane(memory: Memory, lane: int) -> tuple[Tokens, torch.Tensor]:
    """Return what a lane of long-term holds, and the times of it."""
    tensors = dict(memory.state().part(f'long_term.{lane}').tensors)
    times = tensors.pop('times')
    return Tokens(**tensors), times


def _archived(memory: Memory, shape, *, bits: int = 16) -> dict[int, torch.Tensor]:
    """Return keys and values of the frames in the archive, by id, [2, layers, kv, tokens, dim]."""
    held = memory.state().part('archive').part('frames')
    layout = RecordLayout(shape, 2, bits)
    both = layout.decode_blocks(held.rows['records'].whole())
    return dict(zip(held.tensors['frames'].tolist(), both.permute(0, 3, 1, 2, 4, 5), strict=True))


def _watched(memory: Memory, see: Callable, stamps: range) -> dict[FrameRef, Tokens]:
    """See a frame of each camera at each stamp, one after the other."""
    seen = {}
    for stamp in stamps:
        for camera in CAMERAS:
            ref = FrameRef(camera, stamp)
            seen[ref] = see(memory, ref)
        memory.settle()
    return seen


@pytest.mark.parametrize('eviction', EVICTIONS)
@pytest.mark.parametrize('preset', ['livevlm', 'balanced'])
def test_tokens_stay_whole_and_none_is_lost_or_doubled(
    small: Callable, see: Callable, shape, preset: str, eviction: str
) -> None:
    memory = small(preset, eviction=eviction)
    seen = _watched(memory, see, range(60))
    by_id = {memory.ids.frame(ref): ref for ref in seen}
    for lane, camera in enumerate(CAMERAS):
        tokens, times = _lane(memory, lane)
        assert (tokens.ids.diff() > 0).all()
        for index, number in enumerate(tokens.ids.tolist()):
            ref = by_id[int(memory.ids.frames(tokens.ids[index]))]
            place = memory.ids.of_frame(ref).tolist().index(number)
            assert ref.camera == camera
            assert torch.equal(tokens.keys[:, :, index], seen[ref].k[:, :, place])
            assert torch.equal(tokens.values[:, :, index], seen[ref].v[:, :, place])
            assert times[index].item() == pytest.approx(
                (ref.stamp_ns + place / 4) / 1e9, abs=1e-15
            )
    assert memory.refs()[-4:] == list(seen)[-4:]
    if preset == 'balanced':
        archived = _archived(memory, shape)
        assert sorted(archived) == sorted(by_id)[:-4]  # each frame that left, once
        for frame, (keys, values) in archived.items():
            assert torch.equal(keys, seen[by_id[frame]].k)
            assert torch.equal(values, seen[by_id[frame]].v)


def test_long_term_holds_its_budget_and_what_came_since(small: Callable, see: Callable) -> None:
    memory, counts = small('livevlm'), []
    for stamp in range(30):
        _watched(memory, see, range(stamp, stamp + 1))
        counts.append(memory.sizes().long_term_tokens)
    budget, frame = 8 * 4, 4  # of both cameras together
    assert counts[:7] == [0, 0, *(2 * frame * frames for frames in range(1, 6))]
    assert counts[7:] == [budget, budget + 2 * frame] * 11 + [budget]
    assert memory.sizes().long_term_capacity == budget + 2 * frame


@pytest.mark.parametrize('short_term_frames', [2, 6])
def test_tokens_get_their_time_between_their_frame_and_the_next_of_their_lane(
    small: Callable, see: Callable, short_term_frames: int
) -> None:
    late_s = 100
    seconds = {'left': [0, 3, 4, 10, 10.5, 11, 30, 31], 'right': [1, 2, 9, 12, 20, 21, 40, 41]}
    memory = small('livevlm', short_term_frames=short_term_frames, long_term_frames=20)
    refs = [
        FrameRef(camera, round((late_s + second) * 1e9))
        for camera, stamps in seconds.items()
        for second in stamps
    ]
    for ref in sorted(refs, key=lambda ref: ref.stamp_ns):
        see(memory, ref)
    left_out = short_term_frames // 2
    for lane, stamps in enumerate(seconds.values()):
        gaps = list(pairwise(stamps))[: len(stamps) - left_out]
        expected = [begin + place / 4 * (end - begin) for begin, end in gaps for place in range(4)]
        _, times = _lane(memory, lane)
        assert times.tolist() == pytest.approx(expected[: 4 * (8 - left_out)], abs=1e-9)


def test_times_of_frames_from_before_the_first_that_came_are_negative(
    small: Callable, see: Callable
) -> None:
    memory = small('livevlm', short_term_frames=2)
    see(memory, FrameRef('left', 1000 * 10**9))
    for second in (997, 999, 1003):
        see(memory, FrameRef('right', second * 10**9))
    _, times = _lane(memory, 1)
    assert times.tolist() == pytest.approx([-3, -2.5, -2, -1.5, -1, 0, 1, 2], abs=1e-9)


def test_what_leaves_in_one_step_goes_to_its_own_lane_in_order(
    small: Callable, tokens: Callable
) -> None:
    memory = small('livevlm')
    seen = {}
    for stamp in range(0, 32, 4):  # two frames a camera and step, all that a lane holds
        refs = [FrameRef(camera, stamp + n) for n in range(2) for camera in CAMERAS]
        new, view = tokens(stamp, 16), memory.step(refs)
        new.attend(view)
        view.commit()
        seen |= {ref: new.k[:, :, 4 * n : 4 * n + 4] for n, ref in enumerate(refs)}
    assert memory.refs()[-4:] == list(seen)[-4:]
    for lane in range(2):
        held, _ = _lane(memory, lane)
        by_id = {memory.ids.frame(ref): ref for ref in seen}
        for index, number in enumerate(held.ids.tolist()):
            ref = by_id[int(memory.ids.frames(held.ids[index]))]
            place = memory.ids.of_frame(ref).tolist().index(number)
            assert torch.equal(held.keys[:, :, index], seen[ref][:, :, place])


@pytest.mark.parametrize('preset', PRESETS)
def test_references_of_which_nothing_is_left_go_in_the_end_and_no_others(
    small: Callable, see: Callable, preset: str
) -> None:
    memory = small(preset, 'front', archive_host_bytes=2**18)
    for stamp in range(600):
        see(memory, FrameRef('front', stamp))
        memory.settle()
    state = memory.state()
    ids = [memory.ids.frame(ref) for ref in memory.refs()]
    left = {stamp for _, stamp, *_ in state.part('short_term').facts['frames']}
    if state.facts['archive']:
        left |= set(state.part('archive').part('frames').tensors['frames'].tolist())
    if 'long_term.0' in state.facts:
        left |= set(memory.ids.frames(_lane(memory, 0)[0].ids).tolist())
    assert left <= set(ids) == {ref.stamp_ns for ref in memory.refs()}
    assert memory.frame_count <= 5 * len(left) // 4 + FORGET_EVERY
    assert memory.sizes().frames == memory.frame_count == len(memory.refs())


# A step that runs out of memory.


def _steps(memory: Memory, see: Callable, stamps: range) -> None:
    for stamp in stamps:
        see(memory, FrameRef('left', stamp), FrameRef('right', stamp))
        memory.settle()


def _fails_whole(
    memory: Memory, twin: Memory, tokens: Callable, held: Callable, run_dry: Callable, stamp: int
) -> int:
    """
    Run out of memory everywhere in a step's commit, then keep it; return how often it failed.

    After each failure the memory is as before, and in the end it is as one that never failed.
    """
    refs = [FrameRef(camera, stamp) for camera in CAMERAS]
    new, before = tokens(stamp, 8), held(memory)

    def check() -> None:
        assert held(memory) == before
        nonlocal view
        view = _attended(memory, new, refs)

    view = _attended(memory, new, refs)
    failures = run_dry(lambda: view.commit(), check)
    _attended(twin, new, refs).commit()
    assert held(memory) == held(twin)
    return failures


def _attended(memory: Memory, new, refs: list[FrameRef]):
    view = memory.step(refs)
    new.attend(view)
    return view


@pytest.mark.parametrize(
    ('preset', 'stamps', 'least'),
    [
        ('recent', [2, 9, 300], 5),
        ('full', [1, 32, 48, 130], 5),
        ('rekv', [1, 2, 9, 300], 15),
        ('livevlm', [1, 2, 7, 8, 300], 100),
        ('balanced', [1, 2, 7, 8, 300], 100),
    ],
)
def test_a_step_that_runs_out_of_memory_anywhere_leaves_everything_as_it_was(
    small, see, tokens, held, run_dry, preset: str, stamps: list[int], least: int
) -> None:
    """At steps that fill, push out, grow, bucket or forget."""
    settings = {'full_max_tokens': 1024} if preset == 'full' else {}
    memory, twin = small(preset, **settings), small(preset, **settings)
    failures, first = 0, 0
    for stamp in stamps:
        for either in (memory, twin):
            _steps(either, see, range(first, stamp))
        failures += _fails_whole(memory, twin, tokens, held, run_dry, stamp)
        first = stamp + 1
    assert failures >= least
    for either in (memory, twin):
        _steps(either, see, range(first, first + 20))
    assert held(memory) == held(twin)


@pytest.mark.parametrize('preset', ['livevlm', 'balanced', 'recent'])
def test_a_step_that_fails_while_old_references_go_leaves_them_all(
    small, see, tokens, held, run_dry, preset: str
) -> None:
    room = {'archive_host_bytes': 2**16}  # the archive has thinned
    memory, twin = small(preset, **room), small(preset, **room)
    due = FORGET_EVERY // 2
    for either in (memory, twin):
        _steps(either, see, range(due))
    frames = len(memory._tiers.refs)
    assert _fails_whole(memory, twin, tokens, held, run_dry, due) >= 2
    assert len(memory._tiers.refs) < frames


def test_a_first_step_that_fails_does_not_start_the_stream(
    small, tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = small('recent')

    def fail(*given: object) -> None:
        raise MemoryError

    view = _attended(memory, tokens(5, 4), [FrameRef('left', 2**62)])
    with monkeypatch.context() as patch:
        patch.setattr('livevlm_ros.memory.short_term.ShortTerm.stage', fail)
        with pytest.raises(MemoryError):
            view.commit()
    assert memory.ids.origin_ns is None
    _attended(memory, tokens(5, 4), [FrameRef('left', 5)]).commit()
    assert memory.refs() == [FrameRef('left', 5)]


def test_references_are_forgotten_only_after_many_frames(small: Callable, see: Callable) -> None:
    memory = small('livevlm', 'front')
    for stamp in range(FORGET_EVERY):
        see(memory, FrameRef('front', stamp))
    assert memory.frame_count == FORGET_EVERY
    see(memory, FrameRef('front', FORGET_EVERY))
    assert memory.frame_count < FORGET_EVERY // 2
