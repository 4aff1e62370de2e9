# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import pytest
import torch

from livevlm_ros.memory import FrameRef, Memory, TooManyTokens


def test_steps_and_question_attend_as_one_causal_sequence(
    make: Callable, tokens: Callable, reference: Callable
) -> None:
    memory: Memory = make(prefix=0, preset='full')
    parts = [tokens(1, 4), tokens(2, 3), tokens(3, 6), tokens(4, 5), tokens(5, 1), tokens(6, 1)]
    with memory.write_prefix() as view:
        got = [parts[0].attend(view)]
    for part, stamps in ((parts[1], [1]), (parts[2], [2, 3])):
        step = memory.step([FrameRef('front', stamp) for stamp in stamps])
        got.append(part.attend(step))
        step.commit()
    question = memory.question(extra_tokens=7)
    got += [part.attend(question) for part in parts[3:]]
    torch.testing.assert_close(torch.cat(got, 1), reference(parts), rtol=0, atol=2e-6)


def test_a_ring_that_has_turned_reads_as_if_only_its_frames_had_been(
    make: Callable, see: Callable, tokens: Callable, reference: Callable
) -> None:
    memory = make(short_term_frames=3)
    seen = [see(memory, FrameRef('front', stamp)) for stamp in range(1, 9)]
    question = tokens(50, 4)
    expected = reference([tokens(0, 2), *seen[-3:], question])[:, -4:]
    got = question.attend(memory.question(extra_tokens=4))
    torch.testing.assert_close(got, expected, rtol=0, atol=2e-6)


def test_cameras_are_read_in_stamp_order_whatever_order_they_came_in(
    make: Callable, see: Callable, tokens: Callable, reference: Callable
) -> None:
    memory = make('left', 'rear')
    late = see(memory, FrameRef('left', 30))
    early = see(memory, FrameRef('rear', 10))
    middle = see(memory, FrameRef('rear', 20))
    question = tokens(50, 4)
    expected = reference([tokens(0, 2), early, middle, late, question])[:, -4:]
    got = question.attend(memory.question(extra_tokens=4))
    torch.testing.assert_close(got, expected, rtol=0, atol=2e-6)


def test_a_late_frame_reads_what_the_memory_held_when_it_came_even_newer_stamps(
    make: Callable, see: Callable, tokens: Callable, reference: Callable
) -> None:
    memory = make('left', 'rear')
    newer = see(memory, FrameRef('left', 20))
    late = tokens(17, 3)
    step = memory.step([FrameRef('rear', 17)])
    got = late.attend(step)
    step.commit()
    expected = reference([tokens(0, 2), newer, late])[:, -3:]
    torch.testing.assert_close(got, expected, rtol=0, atol=2e-6)

    question = tokens(50, 4)
    got = question.attend(memory.question(extra_tokens=4))
    expected = reference([tokens(0, 2), late, newer, question])[:, -4:]
    torch.testing.assert_close(got, expected, rtol=0, atol=2e-6)


def test_a_step_reads_the_ring_before_it_lets_the_oldest_go(
    make: Callable, see: Callable, tokens: Callable, reference: Callable
) -> None:
    memory = make(short_term_frames=2)
    seen = [see(memory, FrameRef('front', stamp)) for stamp in (1, 2)]
    new = tokens(9, 3)
    got = new.attend(memory.step([FrameRef('front', 3)]))
    expected = reference([tokens(0, 2), *seen, new])[:, -3:]
    torch.testing.assert_close(got, expected, rtol=0, atol=2e-6)


def test_frames_of_one_step_read_like_frames_of_several(make: Callable, tokens: Callable) -> None:
    together, apart = make(), make()
    refs = [FrameRef('front', 1), FrameRef('front', 2)]
    both = tokens(7, 6)
    step = together.step(refs)
    expected = both.attend(step)
    step.commit()
    for number, ref in enumerate(refs):
        one = tokens(7, 6)
        rows = slice(3 * number, 3 * number + 3)
        one.q, one.k, one.v = one.q[:, :, rows], one.k[:, :, rows], one.v[:, :, rows]
        step = apart.step([ref])
        torch.testing.assert_close(one.attend(step), expected[:, rows], rtol=0, atol=2e-6)
        step.commit()


def test_an_open_question_reads_on_unmoved_while_steps_go_on(
    make: Callable, see: Callable, tokens: Callable
) -> None:
    def answers(interrupted: bool) -> torch.Tensor:
        memory = make(short_term_frames=2)
        for stamp in (1, 2):
            see(memory, FrameRef('front', stamp))
        view = memory.question(extra_tokens=6)
        rows = [tokens(20, 4).attend(view)]
        for token in (21, 22):
            if interrupted:
                see(memory, FrameRef('front', token))
            rows.append(tokens(token, 1).attend(view))
        return torch.cat(rows, 1)

    assert torch.equal(answers(interrupted=True), answers(interrupted=False))


def test_more_tokens_than_the_question_asked_room_for_are_refused(
    make: Callable, tokens: Callable
) -> None:
    view = make().question(extra_tokens=4)
    tokens(1, 4).attend(view)
    with pytest.raises(TooManyTokens, match='room for 4 new tokens, got 5'):
        tokens(2, 1).attend(view)


def test_a_step_visits_each_layer_once_and_in_order(make: Callable, tokens: Callable) -> None:
    new = tokens(1, 3)
    view = make().step([FrameRef('front', 1)])
    with pytest.raises(ValueError, match='expected layer 0, got 1'):
        view.attend(1, new.q[1], new.k[1], new.v[1])
    view.attend(0, new.q[0], new.k[0], new.v[0])
    with pytest.raises(RuntimeError, match='1 of 2 layers'):
        view.commit()
