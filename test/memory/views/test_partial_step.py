# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from livevlm_ros.memory import CacheShape, FramePositions, FrameRef, Memory, ReadFilter
from livevlm_ros.memory.bucketing import window_scores
from livevlm_ros.memory.views.step import StepView

CAMERAS = ('left', 'right')
IN_ROWS = FramePositions(((0, 1, 1, 3), (0, 1, 2, 3)), advance=4, axes=(0, 1, 0, 1))
"""Text, an image of two columns that takes up two positions, text."""


def _only(tokens, where: Tensor):
    """Keep the tokens that are read."""
    tokens.q, tokens.k, tokens.v = (part[:, :, where] for part in (tokens.q, tokens.k, tokens.v))
    return tokens


def _like_before(new, before, changed: Tensor):
    """Give what is not read the keys and values that it had in the frame before."""
    for name in 'kv':
        part = getattr(new, name)
        part[:, :, ~changed] = getattr(before, name)[:, :, ~changed]
    return new


@pytest.mark.parametrize('read', [(0,), (2,), (3,), (0, 3), (1, 2, 3), (0, 1, 2, 3)])
@pytest.mark.parametrize('positions', [None, IN_ROWS])
def test_tokens_that_are_read_see_what_they_would_see_if_all_were(
    make: Callable,
    tokens: Callable,
    shape: CacheShape,
    read: tuple[int, ...],
    positions: FramePositions | None,
) -> None:
    memory: Memory = make(
        short_term_frames=3, page_tokens=4, shape=replace(shape, positions=positions)
    )
    seen = {}
    for stamp in (1, 2):
        view = memory.step([FrameRef('front', stamp)])
        seen[stamp] = tokens(stamp, 4)
        seen[stamp].attend(view)
        view.commit()
    changed = torch.zeros(4, dtype=torch.bool)
    changed[list(read)] = True
    whole = memory.step([FrameRef('front', 3)])
    expected = _like_before(tokens(3, 4), seen[2], changed).attend(whole)[:, changed]
    part = memory.step([FrameRef('front', 3)], changed[None])
    got = _only(tokens(3, 4), changed).attend(part)
    torch.testing.assert_close(got, expected, rtol=0, atol=2e-6)
    for mine, theirs in zip(part.commit(), whole.commit(), strict=True):
        assert mine is theirs is None or torch.equal(mine, theirs)


@pytest.mark.parametrize('preset', ['recent', 'full', 'rekv', 'livevlm', 'balanced'])
def test_a_frame_of_which_a_part_was_read_is_in_the_memory_whole(
    small: Callable, tokens: Callable, preset: str
) -> None:
    memory, whole = small(preset), small(preset)
    source = torch.Generator().manual_seed(7)
    before: dict[str, object] = {}
    for stamp in range(10, 700, 10):
        refs = [FrameRef(camera, stamp + lane) for lane, camera in enumerate(CAMERAS)]
        changed = torch.rand(2, 4, generator=source) < (0.5 if before else 2.0)
        changed[:, 0] = True
        new = tokens(stamp, 8)
        if before:
            new = _like_before(new, before['new'], changed.flatten())
        step = whole.step(refs)
        new.attend(step)
        written = step.commit()
        part = memory.step(refs, changed)
        before['new'] = _copy(new)
        _only(new, changed.flatten()).attend(part)
        mine = part.commit()
        assert torch.equal(mine.keys, written.keys) and torch.equal(mine.values, written.values)
        assert (mine.scores is None) == (written.scores is None)
    memory.settle()
    for tier, there in memory.holds(memory.refs()).items():
        if tier != 'long-term':
            assert bool((there.all(1) | ~there.any(1)).all())  # no frame in parts
    assert memory.sizes().device_bytes == whole.sizes().device_bytes


def _copy(tokens):
    made = object.__new__(type(tokens))
    made.q, made.k, made.v = tokens.q.clone(), tokens.k.clone(), tokens.v.clone()
    return made


def test_a_step_that_reads_all_tokens_is_a_step_as_ever(make: Callable, see: Callable) -> None:
    memory: Memory = make(short_term_frames=3)
    see(memory, FrameRef('front', 1))
    assert (
        type(memory.step([FrameRef('front', 2)], torch.ones(1, 4, dtype=torch.bool))) is StepView
    )


def test_each_camera_goes_on_from_its_own_newest_frame(
    small: Callable, see: Callable, tokens: Callable
) -> None:
    memory = small('recent')
    left, right = see(memory, FrameRef('left', 1)), see(memory, FrameRef('right', 2))
    changed = torch.tensor([[True, False, False, False], [False, False, True, True]])
    part = memory.step([FrameRef('right', 3), FrameRef('left', 4)], changed)
    new = _only(tokens(5, 8), changed.flatten())
    new.attend(part)
    keys = part.commit().keys
    assert torch.equal(keys[:, :, 1:4], right.k[:, :, 1:])
    assert torch.equal(keys[:, :, 4:6], left.k[:, :, :2])
    assert torch.equal(keys[:, :, [0, 6, 7]], new.k)


def test_what_cannot_be_taken_from_a_frame_before_is_refused(
    small: Callable, see: Callable
) -> None:
    memory = small('recent')
    some = torch.tensor([[True, False, True, True]])
    with pytest.raises(ValueError, match="camera 'left' has no frame before"):
        memory.step([FrameRef('left', 1)], some)
    see(memory, FrameRef('left', 1), FrameRef('right', 1))
    with pytest.raises(ValueError, match='at least one token'):
        memory.step([FrameRef('left', 2)], torch.zeros(1, 4, dtype=torch.bool))
    memory.forget(ReadFilter(cameras=frozenset(('left',)))).result()
    with pytest.raises(ValueError, match="camera 'left' has no frame before"):
        memory.step([FrameRef('left', 2)], some)


def test_voters_score_what_they_see_wherever_their_keys_lie() -> None:
    source = torch.Generator().manual_seed(3)
    q, keys = torch.randn(4, 3, 8, generator=source), torch.randn(2, 9, 8, generator=source)
    last = window_scores(q, keys, first=1, last=6)
    assert torch.equal(window_scores(q, keys, first=1, last=6, own=torch.tensor([6, 7, 8])), last)
    own = torch.tensor([6, 8])  # without the middle one
    apart = window_scores(q[:, [0, 2]], keys, first=1, last=6, own=own)
    middle = window_scores(q[:, 1:2], keys[:, :8], first=1, last=6)
    torch.testing.assert_close((2 * apart + middle) / 3, last)
