# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import pytest
import torch

from livevlm_ros.memory import FrameRef, Memory


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
