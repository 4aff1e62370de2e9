# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from itertools import product

import pytest
import torch

from livevlm_ros.memory import FrameRef, ReadFilter
from livevlm_ros.memory.tokens import TokenIds

REF = FrameRef('front', 50)
ORIGIN_NS = 30
FRAMES = [FrameRef(camera, stamp) for stamp in (20, 30, 49, 50, 51, 70) for camera in 'ab']
LONE = frozenset({FrameRef('a', 50), FrameRef('b', 20)})


@pytest.mark.parametrize(
    ('reading', 'contained'),
    [
        (ReadFilter(), True),
        (ReadFilter(cameras=frozenset({'front', 'rear'})), True),
        (ReadFilter(cameras=frozenset({'rear'})), False),
        (ReadFilter(first_ns=50, last_ns=50), True),
        (ReadFilter(first_ns=51), False),
        (ReadFilter(last_ns=49), False),
        (ReadFilter(cameras=frozenset({'front'}), last_ns=49), False),
        (ReadFilter(first_ns=0, last_ns=0), False),
        (ReadFilter(without=frozenset({REF})), False),
        (ReadFilter(without=frozenset({FrameRef('front', 51)})), True),
    ],
)
def test_a_frame_is_read_when_camera_and_both_bounds_allow_it(
    reading: ReadFilter, contained: bool
) -> None:
    assert reading.contains(REF) == contained


@pytest.mark.parametrize(
    ('cameras', 'first_ns', 'last_ns', 'without'),
    [
        *product(
            (None, frozenset('b'), frozenset()),
            (None, 31, 50),
            (None, 29, 50),
            (frozenset(), LONE),
        )
    ],
)
def test_ids_of_frames_are_confined_as_their_references_are(
    cameras, first_ns, last_ns, without
) -> None:
    ids = TokenIds('ab', 4)
    ids.start(ORIGIN_NS)
    reading = ReadFilter(cameras=cameras, first_ns=first_ns, last_ns=last_ns, without=without)
    mask = reading.long_term_mask(torch.tensor([ids.frame(ref) for ref in FRAMES]), ids)
    expected = [reading.contains(ref) for ref in FRAMES]
    assert expected == (mask.tolist() if mask is not None else [True] * len(FRAMES))
    assert (mask is None) == (reading == ReadFilter())


def test_an_oracles_frames_are_those_between_its_stamps_whatever_the_other_bounds() -> None:
    ids = TokenIds('ab', 4)
    ids.start(ORIGIN_NS)
    reading = ReadFilter(only_ns=((30, 50),), first_ns=51, last_ns=20, without=LONE)
    mask = reading.long_term_mask(torch.tensor([ids.frame(ref) for ref in FRAMES]), ids)
    read = [ref for ref, may in zip(FRAMES, mask.tolist(), strict=True) if may]
    assert read == [ref for ref in FRAMES if 30 <= ref.stamp_ns <= 50 and ref not in LONE]


def test_of_an_oracles_stretches_nothing_between_is_read() -> None:
    ids = TokenIds('ab', 4)
    ids.start(ORIGIN_NS)
    frames = torch.tensor([ids.frame(ref) for ref in FRAMES])
    for stretches in (((20, 30), (50, 60)), ()):
        mask = ReadFilter(only_ns=stretches).long_term_mask(frames, ids)
        inside = [any(low <= ref.stamp_ns <= high for low, high in stretches) for ref in FRAMES]
        assert mask.tolist() == inside


@pytest.mark.parametrize(
    ('reading', 'read'),
    [
        (ReadFilter(), FRAMES),
        (ReadFilter(short_term=False), []),
        (ReadFilter(newest_only=True), FRAMES[-2:]),
        (ReadFilter(newest_only=True, last_ns=50), [FRAMES[6], FRAMES[7]]),
        (ReadFilter(newest_only=True, last_ns=50, without=LONE), [FRAMES[4], FRAMES[7]]),
        (ReadFilter(cameras=frozenset('a'), first_ns=49), [FRAMES[4], FRAMES[6], *FRAMES[8::2]]),
    ],
)
def test_of_short_term_what_is_asked_for_is_read_in_order(reading, read) -> None:
    assert [FRAMES[index] for index in reading.short_term_indices(FRAMES)] == read
