# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Tensor

from livevlm_ros.memory import CacheShape, FrameRef, Memory
from livevlm_ros.memory.bucketing import WINDOW, window_scores
from livevlm_ros.memory.long_term import LongTerm
from livevlm_ros.memory.views.rotary import RotaryTable

CAMERAS = ('left', 'right')


@pytest.mark.parametrize('preset', ['livevlm', 'balanced'])
@pytest.mark.parametrize('cameras', [('front',), CAMERAS])
def test_steps_read_long_term_and_ring_as_one_causal_sequence_while_nothing_is_evicted(
    small: Callable, tokens: Callable, reference: Callable, preset: str, cameras: tuple[str, ...]
) -> None:
    memory = small(preset, *cameras, long_term_frames=20)
    parts, got = [tokens(0, 2)], []
    for stamp in range(10, 130, 10):
        apart = stamp // 10 % 2  # every other step brings frames of one stamp
        refs = [FrameRef(camera, stamp + lane * apart) for lane, camera in enumerate(cameras)]
        parts.append(tokens(stamp, 4 * len(refs)))
        step = memory.step(refs)
        got.append(parts[-1].attend(step))
        step.commit()
    assert memory.sizes().long_term_tokens == 4 * (12 * len(cameras) - 4)
    expected = reference(parts)[:1, 2:]
    torch.testing.assert_close(torch.cat(got, 1), expected, rtol=0, atol=5e-6)


def test_what_a_step_reads_is_what_bucketing_has_left(
    small: Callable, see: Callable, tokens: Callable, reference: Callable
) -> None:
    memory = small('livevlm', 'front', short_term_frames=2, long_term_frames=2, eviction='fifo')
    seen = [see(memory, FrameRef('front', stamp)) for stamp in range(14)]
    assert memory.sizes().long_term_tokens == 8
    new = tokens(99, 4)
    expected = reference([tokens(0, 2), *seen[-4:], new])[:1, -4:]
    got = new.attend(memory.step([FrameRef('front', 14)]))
    torch.testing.assert_close(got, expected, rtol=0, atol=5e-6)


def test_a_step_reads_the_ring_before_it_lets_the_oldest_go(
    make: Callable, see: Callable, tokens: Callable, reference: Callable
) -> None:
    memory = make(short_term_frames=2)
    seen = [see(memory, FrameRef('front', stamp)) for stamp in (1, 2)]
    new = tokens(9, 4)
    got = new.attend(memory.step([FrameRef('front', 3)]))
    expected = reference([tokens(0, 2), *seen, new])[:1, -4:]
    torch.testing.assert_close(got, expected, rtol=0, atol=2e-6)


def _scores_by_time(watched: dict, new, prefix, shape: CacheShape) -> Tensor:
    """Scores of all that was seen, frames by time, from the tokens of a step: means of layers."""
    keys = torch.cat([part.k for part in (prefix, *watched.values(), new)], 2)
    seen = keys.shape[2]
    table = RotaryTable(shape, device=torch.device('cpu'), dtype=torch.float32)
    table.reserve(seen)
    total = torch.zeros(seen - 2 - new.q.shape[2])
    for layer in range(shape.layers):
        k, q = keys[layer], new.q[layer]
        k = table.rotate(k, first=0, out=torch.empty_like(k))
        q = table.rotate(q, first=seen - q.shape[1], out=torch.empty_like(q))
        total += window_scores(q[:, -WINDOW:], k, first=2, last=seen - q.shape[1])
    return total / shape.layers


@pytest.mark.parametrize('preset', ['livevlm', 'balanced'])
def test_scores_reach_the_tokens_they_are_of_in_every_lane_and_the_ring(
    small: Callable, see: Callable, tokens: Callable, shape: CacheShape, monkeypatch, preset: str
) -> None:
    memory = small(preset, long_term_frames=4)  # two frames a lane, and one between
    moments = product(range(10, 60, 10), enumerate(CAMERAS))
    refs = [FrameRef(camera, stamp + 3 * lane) for stamp, (lane, camera) in moments]
    watched = {ref: see(memory, ref) for ref in refs}  # both lanes are full
    staged, stage = [], LongTerm.stage

    def note(lane: LongTerm, new, times, scores):
        staged.append((torch.cat((lane.tokens.ids, new.ids)), scores))
        return stage(lane, new, times, scores)

    monkeypatch.setattr(LongTerm, 'stage', note)
    new = tokens(999, 8)
    step = memory.step([FrameRef('left', 130), FrameRef('right', 131)])
    new.attend(step)
    step.commit()
    by_time = _scores_by_time(watched, new, tokens(0, 2), shape)
    every = torch.cat([memory.ids.of_frame(ref) for ref in refs])
    expected = dict(zip(every.tolist(), by_time, strict=True))
    assert [len(ids) for ids, _ in staged] == [16, 16]
    for ids, scores in staged:
        wanted = torch.stack([expected[number] for number in ids.tolist()])
        torch.testing.assert_close(scores, wanted)


@pytest.mark.parametrize(
    ('eviction', 'scored'), [('vsb', [13, 16]), ('fifo', []), ('uniform', [])]
)
def test_only_a_step_with_a_bucketing_that_looks_at_scores_pays_for_them(
    small: Callable, see: Callable, monkeypatch, eviction: str, scored: list[int]
) -> None:
    settings = {'short_term_frames': 2, 'long_term_frames': 9, 'eviction': eviction}
    memory: Memory = small('livevlm', 'front', **settings)  # eleven frames in long-term
    paid: list[int] = []

    def note(*given: Tensor, **named: int) -> Tensor:
        paid.append(stamp)
        return window_scores(*given, **named)

    monkeypatch.setattr('livevlm_ros.memory.views.step.window_scores', note)
    for stamp in range(17):
        see(memory, FrameRef('front', stamp))
    assert paid == [stamp for stamp in scored for _ in range(2)]  # in both layers


def test_a_step_visits_each_layer_once_and_in_order(make: Callable, tokens: Callable) -> None:
    new = tokens(1, 4)
    view = make().step([FrameRef('front', 1)])
    with pytest.raises(ValueError, match='expected layer 0, got 1'):
        view.attend(1, new.q[1], new.k[1], new.v[1])
    view.attend(0, new.q[0], new.k[0], new.v[0])
    with pytest.raises(ValueError, match='expected layer 1, got 0'):
        view.attend(0, new.q[0], new.k[0], new.v[0])
    with pytest.raises(RuntimeError, match='1 of 2 layers'):
        view.commit()


def test_a_step_that_is_not_committed_leaves_no_trace(
    small: Callable, see: Callable, tokens: Callable, held: Callable
) -> None:
    memory = small('balanced')
    for stamp in range(8):
        see(memory, FrameRef('left', stamp), FrameRef('right', stamp))
    before = held(memory)
    tokens(9, 8).attend(memory.step([FrameRef('left', 9), FrameRef('right', 9)]))
    assert held(memory) == before


@pytest.mark.parametrize('preset', ['recent', 'livevlm', 'balanced'])
def test_a_step_of_another_number_of_tokens_than_its_frames_have_is_refused(
    small: Callable, watch: Callable, tokens: Callable, held: Callable, preset: str
) -> None:
    memory = small(preset)
    watch(memory, range(6), *CAMERAS)
    before = held(memory)
    view = memory.step([FrameRef('left', 9), FrameRef('right', 9)])
    tokens(1, 4).attend(view)
    with pytest.raises(RuntimeError, match='multiply up'):
        view.commit()
    assert held(memory) == before


@pytest.mark.parametrize(
    ('preset', 'settings'),
    [
        ('recent', {}),
        ('full', {}),
        ('rekv', {}),
        ('balanced', {}),
        *(('livevlm', {'eviction': way}) for way in ('vsb', 'fifo', 'uniform', 'infinipot')),
    ],
)
@pytest.mark.parametrize('cameras', [('front',), CAMERAS])
def test_a_memory_that_keeps_what_another_wrote_holds_the_same_bits(
    small: Callable,
    tokens: Callable,
    held: Callable,
    preset: str,
    settings: dict[str, str],
    cameras: tuple[str, ...],
) -> None:
    one, other = (small(preset, *cameras, **settings) for _ in range(2))
    for stamp in range(10, 700, 10):
        refs = [FrameRef(camera, stamp + lane) for lane, camera in enumerate(cameras)]
        step = one.step(refs)
        tokens(stamp, 4 * len(refs)).attend(step)
        other.step(refs).keep(step.commit())
        one.settle()
        other.settle()
    assert held(one) == held(other)
