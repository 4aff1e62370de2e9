# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from livevlm_ros.memory import PRESETS, FrameRef, Memory, TooManyTokens


def test_steps_and_question_attend_as_one_causal_sequence(
    make: Callable, tokens: Callable, reference: Callable
) -> None:
    memory: Memory = make(prefix=0, preset='full')
    parts = [tokens(1, 6), tokens(2, 4), tokens(3, 8), tokens(4, 5), tokens(5, 1), tokens(6, 1)]
    with memory.write_prefix() as view:
        got = [parts[0].attend(view)]
    for part, stamps in ((parts[1], [1]), (parts[2], [2, 3])):
        step = memory.step([FrameRef('front', stamp) for stamp in stamps])
        got.append(part.attend(step))
        step.commit()
    question = memory.question(extra_tokens=7)
    got += [part.attend(question) for part in parts[3:]]
    expected = reference(parts)
    written = torch.cat(got[:3], 1)  # a step needs no output of the last layer
    assert len(written) == 1
    torch.testing.assert_close(written[0], expected[0, :18], rtol=0, atol=2e-6)
    torch.testing.assert_close(torch.cat(got[3:], 1), expected[:, 18:], rtol=0, atol=2e-6)


def test_a_ring_that_has_turned_reads_as_if_only_its_frames_had_been(
    make: Callable, see: Callable, ask: Callable, tokens: Callable, reference: Callable
) -> None:
    memory = make(short_term_frames=3)
    seen = [see(memory, FrameRef('front', stamp)) for stamp in range(1, 9)]
    expected = reference([tokens(0, 2), *seen[-3:], tokens(900, 4)])[:, -4:]
    torch.testing.assert_close(ask(memory)[0], expected, rtol=0, atol=2e-6)


def test_cameras_are_read_in_stamp_order_whatever_order_they_came_in(
    make: Callable, see: Callable, ask: Callable, tokens: Callable, reference: Callable
) -> None:
    memory = make('left', 'rear')
    late = see(memory, FrameRef('left', 30))
    early = see(memory, FrameRef('rear', 10))
    middle = see(memory, FrameRef('rear', 20))
    expected = reference([tokens(0, 2), early, middle, late, tokens(900, 4)])[:, -4:]
    torch.testing.assert_close(ask(memory)[0], expected, rtol=0, atol=2e-6)


def test_a_late_frame_reads_what_the_memory_held_when_it_came_even_newer_stamps(
    make: Callable, see: Callable, ask: Callable, tokens: Callable, reference: Callable
) -> None:
    memory = make('left', 'rear')
    newer = see(memory, FrameRef('left', 20))
    late = tokens(17, 4)
    step = memory.step([FrameRef('rear', 17)])
    (got,) = late.attend(step)
    step.commit()
    expected = reference([tokens(0, 2), newer, late])[0, -4:]
    torch.testing.assert_close(got, expected, rtol=0, atol=2e-6)
    expected = reference([tokens(0, 2), late, newer, tokens(900, 4)])[:, -4:]
    torch.testing.assert_close(ask(memory)[0], expected, rtol=0, atol=2e-6)


def test_frames_of_one_step_read_like_frames_of_several(make: Callable, tokens: Callable) -> None:
    together, apart = make(), make()
    refs = [FrameRef('front', 1), FrameRef('front', 2)]
    both = tokens(7, 8)
    step = together.step(refs)
    expected = both.attend(step)
    step.commit()
    for number, ref in enumerate(refs):
        one, rows = tokens(7, 8), slice(4 * number, 4 * number + 4)
        one.q, one.k, one.v = one.q[:, :, rows], one.k[:, :, rows], one.v[:, :, rows]
        step = apart.step([ref])
        torch.testing.assert_close(one.attend(step), expected[:, rows], rtol=0, atol=2e-6)
        step.commit()


def test_more_tokens_than_the_question_asked_room_for_are_refused(
    make: Callable, tokens: Callable
) -> None:
    view = make().question(extra_tokens=4)
    tokens(1, 4).attend(view)
    with pytest.raises(TooManyTokens, match='room for 4 new tokens, got 5'):
        tokens(2, 1).attend(view)


def _by_head_last(query: Tensor, key: Tensor, value: Tensor, **named) -> Tensor:
    """Attention whose output lies in memory token by token, as some kernels leave it."""
    out = scaled_dot_product_attention(query, key, value, **named)  # [batch, heads, rows, dim]
    return out.transpose(1, 2).contiguous().transpose(1, 2)


def _spread(query: Tensor, key: Tensor, value: Tensor, **named) -> Tensor:
    """Attention whose output lies in every other number of a larger block."""
    out = scaled_dot_product_attention(query, key, value, **named)
    return torch.stack((out, torch.full_like(out, torch.nan)), dim=-1)[..., 0]


def _reversed(query: Tensor, key: Tensor, value: Tensor, **named) -> Tensor:
    """Attention whose output lies in memory with all axes in reverse."""
    out = scaled_dot_product_attention(query, key, value, **named)
    return out.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)


LAYOUTS = [_by_head_last, _spread, _reversed]


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('preset', PRESETS)
def test_answers_are_the_same_whatever_layout_attention_leaves_its_output_in(
    small: Callable, watch: Callable, ask: Callable, monkeypatch, preset: str, layout: Callable
) -> None:
    answers = []
    for patched in (False, True):
        with monkeypatch.context() as patch:
            if patched:
                name = 'livevlm_ros.memory.views.view.scaled_dot_product_attention'
                patch.setattr(name, layout)
            memory = small(preset)
            watch(memory, range(12), 'left', 'right')
            answer, views = ask(memory, answer=(3,))
            answers.append((answer, views[-1].ids(0), views[-1].ids(1)))
    assert all(torch.equal(*pair) for pair in zip(*answers, strict=True))


@pytest.mark.parametrize('preset', PRESETS)
def test_answers_are_the_same_whatever_layout_queries_keys_and_values_come_in(
    small: Callable, watch: Callable, tokens: Callable, preset: str
) -> None:
    """As projections leave them: [tokens, heads, head_dim], seen as [heads, tokens, head_dim]."""

    def laid_out(new, strided: bool):
        if strided:
            new.q, new.k, new.v = (
                part.transpose(1, 2).contiguous().transpose(1, 2) for part in (new.q, new.k, new.v)
            )
        return new

    answers = []
    for strided in (False, True):
        memory = small(preset, 'front')
        for stamp in range(12):
            step = memory.step([FrameRef('front', stamp)])
            laid_out(tokens(stamp, 4), strided).attend(step)
            step.commit()
        memory.settle()
        for view in memory.readings(tokens=4, extra_tokens=4):
            answer = laid_out(tokens(900, 4), strided).attend(view)
        answers.append((answer, view.ids(0), torch.tensor([s for _, s in view.evidence()])))
    for mine, theirs in zip(*answers, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=2e-6)
