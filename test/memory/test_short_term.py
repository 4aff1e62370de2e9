# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch

from livevlm_ros.memory import CacheShape, FrameRef, Memory
from livevlm_ros.memory.naming import TokenNames
from livevlm_ros.memory.short_term import Leaving, ShortTerm


def test_the_oldest_frame_of_a_full_lane_leaves_and_no_other(
    make: Callable, see: Callable
) -> None:
    memory = make('left', 'right', short_term_frames=6)
    see(memory, FrameRef('right', 1))
    for stamp in range(2, 9):
        see(memory, FrameRef('left', stamp))
    assert memory.frames() == [
        FrameRef('right', 1),
        FrameRef('left', 6),
        FrameRef('left', 7),
        FrameRef('left', 8),
    ]
    assert memory.sizes().evictions == 4
    assert memory.newest() == FrameRef('left', 8)


def test_lanes_share_the_ring_equally(make: Callable, see: Callable) -> None:
    memory = make('a', 'b', 'c', short_term_frames=16)
    for stamp in range(20):
        see(memory, FrameRef('a', stamp), FrameRef('b', stamp), FrameRef('c', stamp))
    held = [frame.camera for frame in memory.frames()]
    assert [held.count(camera) for camera in 'abc'] == [5, 5, 5]


@pytest.mark.parametrize(
    ('refs', 'said'),
    [
        ([FrameRef('rear', 10)], "camera 'rear' has no lane.*front"),
        ([FrameRef('front', 5)], 'stamp 5 must come after 5'),
        ([FrameRef('front', 10), FrameRef('front', 10)], 'stamp 10 must come after 10'),
        ([FrameRef('side', 12), FrameRef('front', 11)], 'stamp order'),
        ([FrameRef('front', stamp) for stamp in range(10, 19)], 'its lane holds 8'),
        ([], 'at least one frame'),
    ],
)
def test_frames_that_cannot_be_kept_are_refused_and_leave_no_trace(
    make: Callable, see: Callable, refs: list[FrameRef], said: str
) -> None:
    memory = make('front', 'side')
    see(memory, FrameRef('front', 5))
    with pytest.raises(ValueError, match=said):
        memory.step(refs)
    assert memory.frames() == [FrameRef('front', 5)]


def test_a_step_of_another_number_of_tokens_than_its_frames_have_is_refused(
    make: Callable, tokens: Callable
) -> None:
    memory = make()
    view = memory.step([FrameRef('front', 1), FrameRef('front', 2)])
    tokens(1, 3).attend(view)
    with pytest.raises(ValueError, match='2 frames have 6 tokens, got 3'):
        view.commit()
    assert memory.frames() == []


def test_growing_storage_keeps_what_is_in_it(make: Callable, see: Callable) -> None:
    memory: Memory = make(preset='full')
    seen = [see(memory, FrameRef('front', stamp)) for stamp in range(200)]
    keys = memory._short_term.keys.index_select(2, memory._short_term.slots())
    expected = torch.stack([frame.k for frame in seen], dim=2)
    assert torch.equal(keys, expected)


LATE_S = 100  # the header time that streams begin at


def _times(memory: Memory, lane: int) -> list[float]:
    return memory._long_term[lane].tokens.times[0].tolist()


@pytest.mark.parametrize('short_term_frames', [2, 6])
def test_tokens_get_their_time_between_their_frame_and_the_next_of_their_lane(
    make: Callable, see: Callable, short_term_frames: int
) -> None:
    seconds = {'left': [0, 3, 4, 10, 10.5, 11, 30, 31], 'right': [1, 2, 9, 12, 20, 21, 40, 41]}
    memory = make('left', 'right', preset='livevlm', short_term_frames=short_term_frames)
    refs = [
        FrameRef(camera, round((LATE_S + second) * 1e9))
        for camera, stamps in seconds.items()
        for second in stamps
    ]
    for ref in sorted(refs, key=lambda ref: ref.stamp_ns):
        see(memory, ref)
    left_out = short_term_frames // 2
    for lane, stamps in enumerate(seconds.values()):
        gaps = list(pairwise(stamps))[: len(stamps) - left_out]
        expected = [begin + place / 3 * (end - begin) for begin, end in gaps for place in range(3)]
        assert _times(memory, lane) == pytest.approx(expected[: 3 * (8 - left_out)], abs=1e-9)


def test_times_of_frames_from_before_the_first_that_came_are_negative(
    make: Callable, see: Callable
) -> None:
    memory = make('left', 'right', preset='livevlm', short_term_frames=2)
    see(memory, FrameRef('left', LATE_S * 10**9))
    for second in (97, 99, 103):
        see(memory, FrameRef('right', second * 10**9))
    third = 1 / 3
    expected = [-3, -3 + 2 * third, -3 + 4 * third, -1, -1 + 4 * third, -1 + 8 * third]
    assert _times(memory, 1) == pytest.approx(expected, abs=1e-9)


def test_frames_are_handed_over_oldest_first_before_their_slot_is_written_again(
    shape: CacheShape, tokens: Callable
) -> None:
    gone: list[tuple[int, int, torch.Tensor, torch.Tensor]] = []

    def take(leaving: Leaving) -> None:
        parts = leaving.keys.clone(), leaving.values.clone()
        gone.append((leaving.ref.stamp_ns, leaving.next_ns, *parts))

    names = TokenNames(('front',), 3)
    names.begin(0)
    ring = ShortTerm(
        shape,
        ('front',),
        names,
        lane_frames=2,
        slots=2,
        device=torch.device('cpu'),
        dtype=torch.float32,
        hand_over=take,
    )
    seen = []
    for stamp in (0, 10, 30):  # two frames a step
        both = tokens(stamp, 6)
        seen += [(both.k[:, :, at : at + 3], both.v[:, :, at : at + 3]) for at in (0, 3)]
        ring.keep([FrameRef('front', stamp), FrameRef('front', stamp + 1)], both.k, both.v)
    assert [stamps for *stamps, _, _ in gone] == [[0, 1], [1, 10], [10, 11], [11, 30]]
    for (_, _, keys, values), (k, v) in zip(gone, seen, strict=False):
        assert torch.equal(keys, k) and torch.equal(values, v)


def test_a_frame_is_held_without_scores_of_the_one_before_it_in_its_slot(
    make: Callable, see: Callable
) -> None:
    memory = make(preset='livevlm', short_term_frames=2)
    for stamp in range(2):
        see(memory, FrameRef('front', stamp))
    memory._short_term.scores.fill_(0.5)
    see(memory, FrameRef('front', 2))
    old, new = memory._short_term.scores[0, memory._short_term.slots()].tolist()
    assert (old, new) == ([0.5] * 3, [0.0] * 3)


def test_lanes_hand_over_to_their_own_long_term(make: Callable, see: Callable) -> None:
    memory = make('left', 'right', preset='livevlm', short_term_frames=4)
    seen = {}
    for stamp in range(0, 20, 2):
        for ref in (FrameRef('left', stamp), FrameRef('right', stamp + 1)):
            seen[ref.stamp_ns] = see(memory, ref)
    for lane, first in zip(memory._long_term, (0, 1), strict=True):
        stamps = range(first, 16, 2)
        assert torch.equal(lane.tokens.keys, torch.cat([seen[n].k for n in stamps], 2))
        assert torch.equal(lane.tokens.values, torch.cat([seen[n].v for n in stamps], 2))


@pytest.mark.parametrize('preset', ['recent', 'full', 'livevlm'])
def test_frames_that_were_held_are_held_again_and_leave_in_their_turn(
    make: Callable, see: Callable, preset: str
) -> None:
    settings = {'preset': preset, 'full_max_tokens': 600}
    if preset != 'full':
        settings['short_term_frames'] = 6
    memory, other = make('left', 'right', **settings), make('left', 'right', **settings)
    for stamp in range(100):
        see(memory, FrameRef('left', stamp, 'optical', f'left/{stamp}'))
        if stamp % 7 == 0:
            see(memory, FrameRef('right', stamp))
    ring, restored = memory._short_term, other._short_term
    other._names.begin(0)
    restored.restore(ring.state())
    assert (restored.kept, restored.evictions) == (ring.kept, ring.evictions)
    for name, axis in (('keys', 2), ('values', 2), ('names', 0), ('scores', 1)):
        if getattr(ring, name).shape[axis]:  # scores are for those who hand over
            mine, theirs = (
                getattr(either, name).index_select(axis, either.slots())
                for either in (ring, restored)
            )
            assert torch.equal(mine, theirs)
    for stamp in range(100, 140):
        assert restored.refs() == ring.refs()
        for either in (memory, other):
            see(either, FrameRef('left', stamp))
    with pytest.raises(ValueError, match='stamp 98 must come after 98'):
        other.step([FrameRef('right', 98)])
