# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Tensor

from livevlm_ros.memory import CacheShape, FrameRef, Memory
from livevlm_ros.memory.bucketing import WINDOW, window_scores
from livevlm_ros.memory.rotary import RotaryTable

CAMERAS = ('left', 'right')


def _watch(memory: Memory, see: Callable, *, rounds: int) -> dict:
    """See left and right in turn, in ascending order of stamps."""
    moments = product(range(10, 10 * rounds + 10, 10), enumerate(CAMERAS))
    refs = [FrameRef(camera, stamp + 3 * lane) for stamp, (lane, camera) in moments]
    return {ref: see(memory, ref) for ref in refs}


def _scores_by_time(watched: dict, new, prefix, shape: CacheShape) -> Tensor:
    """Scores of all that was seen, frames by time, from the tokens of a step, [layers, tokens]."""
    keys = torch.cat([part.k for part in (prefix, *watched.values(), new)], 2)
    seen = keys.shape[2]
    table = RotaryTable(shape, device=torch.device('cpu'), dtype=torch.float32)
    table.reserve(seen)
    rows = []
    for layer in range(shape.layers):
        k, q = keys[layer], new.q[layer]
        k = table.rotate(k, first=0, out=torch.empty_like(k))
        q = table.rotate(q, first=seen - q.shape[1], out=torch.empty_like(q))
        rows.append(window_scores(q[:, -WINDOW:], k, first=2, last=seen - q.shape[1]))
    return torch.stack(rows)


@pytest.mark.parametrize('preset', ['livevlm', 'balanced'])
@pytest.mark.parametrize('cameras', [('front',), CAMERAS])
def test_steps_read_long_term_and_ring_as_one_causal_sequence_while_nothing_is_evicted(
    make: Callable, tokens: Callable, reference: Callable, preset: str, cameras: tuple[str, ...]
) -> None:
    memory = make(*cameras, preset=preset, short_term_frames=4, long_term_frames=20)
    parts, got = [tokens(0, 2)], []
    for stamp in range(10, 130, 10):
        apart = stamp // 10 % 2  # every other step brings frames of one stamp
        refs = [FrameRef(camera, stamp + lane * apart) for lane, camera in enumerate(cameras)]
        parts.append(tokens(stamp, 3 * len(refs)))
        step = memory.step(refs)
        got.append(parts[-1].attend(step))
        step.commit()
    assert memory.sizes().long_term_tokens == 3 * (12 * len(cameras) - 4)
    expected = reference(parts)[:, 2:]
    torch.testing.assert_close(torch.cat(got, 1), expected, rtol=0, atol=5e-6)


def test_scores_reach_the_tokens_they_are_of_in_every_lane_and_the_ring(
    make: Callable, see: Callable, tokens: Callable, shape: CacheShape
) -> None:
    memory = make(*CAMERAS, preset='livevlm', short_term_frames=4, long_term_frames=4)
    watched = _watch(memory, see, rounds=5)  # left is full: there is room for three frames
    assert [lane.count for lane in memory._long_term] == [9, 9]
    new = tokens(999, 3)
    step = memory.step([FrameRef('left', 130)])
    new.attend(step)
    step.commit()
    expected = _scores_by_time(watched, new, tokens(0, 2), shape)

    place = {ref: index for index, ref in enumerate(watched)}
    namer, (left, right) = memory._names, (lane.tokens for lane in memory._long_term)
    assert (left.count, right.count) == (6 + 3, 9)
    for camera, lane in zip(CAMERAS, (left, right), strict=True):
        stamps = namer.since_ns(lane.names) + 10
        frames = stamps.apply_(lambda stamp, camera=camera: place[FrameRef(camera, stamp)])
        at = frames * 3 + (lane.names & 3)
        torch.testing.assert_close(lane.scores, expected.gather(1, at))
    ring = memory._short_term
    held = ring.scores.index_select(1, ring.slots())
    at = torch.tensor([place[ref] for ref in ring.refs()[:-1]])
    torch.testing.assert_close(held[:, :-1], expected.unflatten(1, (-1, 3))[:, at])
    assert (held[:, -1] == 0).all()


@pytest.mark.parametrize(('eviction', 'scored'), [('vsb', [13]), ('fifo', []), ('uniform', [])])
def test_only_a_step_before_a_bucketing_that_looks_at_scores_pays_for_them(
    make: Callable, see: Callable, eviction: str, scored: list[int]
) -> None:
    settings = {'short_term_frames': 2, 'long_term_frames': 9, 'eviction': eviction}
    memory = make(preset='livevlm', **settings)  # two frames in the ring, eleven in long-term
    paid = []
    for stamp in range(15):
        memory._short_term.scores.fill_(-1.0)
        see(memory, FrameRef('front', stamp))
        if (memory._short_term.scores > 0).any():
            paid.append(stamp)
    assert paid == scored


def test_what_a_step_reads_is_what_bucketing_has_left(
    make: Callable, see: Callable, tokens: Callable, reference: Callable
) -> None:
    settings = {'short_term_frames': 2, 'long_term_frames': 2, 'eviction': 'fifo'}
    memory = make(preset='livevlm', **settings)
    seen = [see(memory, FrameRef('front', stamp)) for stamp in range(13)]
    assert memory.sizes().long_term_tokens == 9
    new = tokens(99, 3)
    expected = reference([tokens(0, 2), *seen[-5:], new])[:, -3:]
    got = new.attend(memory.step([FrameRef('front', 13)]))
    torch.testing.assert_close(got, expected, rtol=0, atol=5e-6)
