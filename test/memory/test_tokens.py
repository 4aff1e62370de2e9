# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import itertools

import pytest
import torch

from livevlm_ros.memory import FrameRef
from livevlm_ros.memory.tokens import OutOfSpan, TokenIds, Tokens, in_time_order

CAMERAS = tuple(f'camera_{number}' for number in range(8))
ORIGIN_NS = 1_700_000_000 * 10**9
LONGEST_NS = 2**51  # 62 bits less 3 of the lane and 8 of the place


@pytest.fixture
def ids() -> TokenIds:
    """Ids of a stream of eight cameras with the frames of the real model."""
    ids = TokenIds(CAMERAS, 196)
    ids.start(ORIGIN_NS)
    return ids


def _refs(*since_ns: int) -> list[FrameRef]:
    """One frame of every camera at each time."""
    moments = itertools.product(since_ns, CAMERAS)
    return [FrameRef(camera, ORIGIN_NS + since) for since, camera in moments]


def test_ids_sort_by_stamp_then_camera_then_place_late_frames_too(ids: TokenIds) -> None:
    refs = _refs(-(10**9), -1, 0, 1, 2, 3600 * 10**9)
    in_order = torch.cat([ids.of_frame(ref) for ref in refs])
    assert in_order.shape == (6 * 8 * 196,)
    assert (in_order.diff() > 0).all()


@pytest.mark.parametrize('since_ns', [1 - LONGEST_NS, -12345, 0, 987654321, LONGEST_NS - 1])
def test_an_id_tells_stamp_and_lane_and_frame(ids: TokenIds, since_ns: int) -> None:
    refs = _refs(since_ns)
    ids.check(refs)
    for lane, ref in enumerate(refs):
        tokens = ids.of_frame(ref)
        (frame,) = ids.frames(tokens).unique()
        assert frame == ids.frame(ref)
        assert (ids.since_ns(frame), ids.lanes(frame)) == (since_ns, lane)
        assert torch.equal(ids.of_frames(frame[None]), tokens[None])


def test_lanes_are_those_of_the_cameras(ids: TokenIds) -> None:
    assert ids.lanes_of(['camera_5', 'camera_0']).tolist() == [5, 0]
    assert ids.lane('camera_5') == 5


@pytest.mark.parametrize('since_ns', [-LONGEST_NS, LONGEST_NS])
def test_a_frame_too_far_from_the_start_is_refused(ids: TokenIds, since_ns: int) -> None:
    with pytest.raises(OutOfSpan, match='can tell apart at most 2251800 s: clear it') as error:
        ids.check(_refs(0, since_ns))
    assert error.value.ref == _refs(since_ns)[0]
    assert error.value.ahead == (since_ns > 0)


def test_a_stream_that_has_not_started_starts_with_the_first_frame_given() -> None:
    ids = TokenIds(CAMERAS, 196)
    ids.check(_refs(0, LONGEST_NS - 1))
    with pytest.raises(ValueError, match="camera 'camera_0': stamp"):
        ids.check(_refs(0, LONGEST_NS))
    assert ids.origin_ns is None


def test_a_stream_starts_once_and_anew_after_clear(ids: TokenIds) -> None:
    ids.start(5)
    assert ids.origin_ns == ORIGIN_NS
    ids.clear()
    ids.start(5)
    assert ids.origin_ns == 5


def test_one_camera_with_frames_of_one_token_needs_no_bits_for_either() -> None:
    ids = TokenIds(('front',), 1)
    ids.start(0)
    tokens = ids.of_frame(FrameRef('front', 77))
    assert tokens.tolist() == ids.frames(tokens).tolist() == [77]
    assert (ids.lanes(tokens), ids.since_ns(tokens)) == (0, 77)


def _tokens(*numbers: int) -> Tokens:
    """Tokens whose keys are their ids, [3 layers, 2 kv_heads, tokens, 4]."""
    ids = torch.tensor(numbers)
    keys = ids[:, None].expand(3, 2, -1, 4).float()
    return Tokens(keys, -keys, ids)


def _check_whole(tokens: Tokens, *numbers: int) -> None:
    assert tokens.ids.tolist() == list(numbers)
    assert len(tokens) == len(numbers)
    expected = _tokens(*numbers)
    assert torch.equal(tokens.keys, expected.keys)
    assert torch.equal(tokens.values, expected.values)


@pytest.mark.parametrize(
    ('parts', 'joined'),
    [
        ([(1, 2), (3, 4)], (1, 2, 3, 4)),
        ([(3, 9), (1, 4), (2,)], (1, 2, 3, 4, 9)),
        ([(), (2, 1), ()], (1, 2)),
        ([(), ()], ()),
        ([(7,)], (7,)),
    ],
)
def test_tokens_that_parted_ways_come_together_by_time_and_whole(parts, joined) -> None:
    _check_whole(in_time_order([_tokens(*part) for part in parts]), *joined)


def test_one_part_in_order_is_not_copied() -> None:
    part = _tokens(1, 2, 5)
    assert in_time_order([_tokens(), part]).keys.data_ptr() == part.keys.data_ptr()


def test_chosen_tokens_are_copies_and_a_span_is_a_view() -> None:
    block = in_time_order([_tokens(0, 1, 2, 3), _tokens(4, 5, 6, 7, 8)])
    chosen, span = block.index_select(torch.tensor([1, 4])), block.narrow(3, 2)
    block.copy_(_tokens(70, 80), start=3)
    _check_whole(chosen, 1, 4)
    _check_whole(span, 70, 80)
    _check_whole(block, 0, 1, 2, 70, 80, 5, 6, 7, 8)
