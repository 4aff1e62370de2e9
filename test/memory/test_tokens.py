# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import itertools

import pytest
import torch

from livevlm_ros.memory import FrameRef
from livevlm_ros.memory.naming import OutOfSpan, TokenNames

CAMERAS = tuple(f'camera_{number}' for number in range(8))
ORIGIN_NS = 1_700_000_000 * 10**9
LONGEST_NS = 2**51  # 62 bits less 3 of the lane and 8 of the place


@pytest.fixture
def names() -> TokenNames:
    """Names of a stream of eight cameras with the frames of the real model."""
    names = TokenNames(CAMERAS, 196)
    names.begin(ORIGIN_NS)
    return names


def _refs(*since_ns: int) -> list[FrameRef]:
    """One frame of every camera at each time."""
    moments = itertools.product(since_ns, CAMERAS)
    return [FrameRef(camera, ORIGIN_NS + since) for since, camera in moments]


def test_names_sort_by_stamp_then_camera_then_place_late_frames_too(names: TokenNames) -> None:
    refs = _refs(-(10**9), -1, 0, 1, 2, 3600 * 10**9)
    in_order = torch.cat([names.of_frame(ref) for ref in refs])
    assert in_order.shape == (6 * 8 * 196,)
    assert (in_order.diff() > 0).all()


@pytest.mark.parametrize('since_ns', [1 - LONGEST_NS, -12345, 0, 987654321, LONGEST_NS - 1])
def test_a_name_tells_stamp_and_lane_and_frame(names: TokenNames, since_ns: int) -> None:
    refs = _refs(since_ns)
    names.check(refs)
    for lane, ref in enumerate(refs):
        tokens = names.of_frame(ref)
        assert names.since_ns(tokens).unique().tolist() == [since_ns]
        assert names.lanes(tokens).unique().tolist() == [lane]
        assert names.frames(tokens).unique().tolist() == [names.frame(ref)]


def test_lanes_are_those_of_the_cameras(names: TokenNames) -> None:
    assert names.lanes_of(['camera_5', 'camera_0']) == [5, 0]


@pytest.mark.parametrize('since_ns', [-LONGEST_NS, LONGEST_NS])
def test_a_frame_too_far_from_the_begin_is_refused(names: TokenNames, since_ns: int) -> None:
    with pytest.raises(OutOfSpan, match='can tell apart at most 2251800 s: clear it') as error:
        names.check(_refs(0, since_ns))
    assert error.value.ref == _refs(since_ns)[0]
    assert error.value.ahead == (since_ns > 0)


def test_a_stream_that_has_not_begun_begins_with_the_first_frame_given() -> None:
    names = TokenNames(CAMERAS, 196)
    names.check(_refs(0, LONGEST_NS - 1))
    with pytest.raises(ValueError, match="camera 'camera_0': stamp"):
        names.check(_refs(0, LONGEST_NS))
    assert names.origin_ns is None


def test_a_stream_begins_once_and_anew_after_clear(names: TokenNames) -> None:
    names.begin(5)
    assert names.origin_ns == ORIGIN_NS
    names.clear()
    names.begin(5)
    assert names.origin_ns == 5


def test_one_camera_with_frames_of_one_token_needs_no_bits_for_either() -> None:
    names = TokenNames(('front',), 1)
    names.begin(0)
    tokens = names.of_frame(FrameRef('front', 77))
    assert tokens.tolist() == [77]
    assert (names.lanes(tokens), names.since_ns(tokens)) == (0, 77)
