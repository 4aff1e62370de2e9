# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import pytest
import torch

from livevlm_ros.memory import FrameRef, Memory, Reach

EVERYTHING = {'short_term_frames': 4, 'long_term_frames': 40, 'retrieval': 'fixed', 'ratio': 1.0}
LEFT = [FrameRef('left', stamp) for stamp in range(10, 130, 10)]
RIGHT = [FrameRef('right', stamp + 3) for stamp in range(10, 130, 10)]
FRAMES = sorted([*LEFT, *RIGHT], key=lambda ref: ref.stamp_ns)
RING = FRAMES[-4:]  # two of each camera


def _answer(memory: Memory, tokens: Callable, reach: Reach | None = None):
    """Ask in two parts, as a question and a first word of the answer."""
    view = memory.question(extra_tokens=5, reach=reach)
    got = [tokens(50, 4).attend(view), tokens(51, 1).attend(view)]
    return torch.cat(got, 1), view


@pytest.fixture
def expected(tokens: Callable, reference: Callable) -> Callable:
    """Attention of `_answer` over just these frames."""
    return lambda seen: reference([tokens(0, 2), *seen, tokens(50, 4), tokens(51, 1)])[:, -5:]


@pytest.mark.parametrize('page_tokens', [4, 16])
@pytest.mark.parametrize('preset', ['livevlm', 'balanced'])
def test_with_nothing_evicted_and_all_retrieved_cameras_are_read_as_one_sequence(
    make: Callable, see: Callable, tokens: Callable, expected: Callable, preset, page_tokens
) -> None:
    memory = make('left', 'right', preset=preset, page_tokens=page_tokens, **EVERYTHING)
    seen = [see(memory, ref) for ref in FRAMES]
    got, view = _answer(memory, tokens)
    torch.testing.assert_close(got, expected(seen), rtol=0, atol=5e-6)
    assert view.tokens_read == [3 * 24] * 2
    assert view.frames() == FRAMES


def test_frames_of_one_stamp_are_read_one_camera_after_the_other(
    make: Callable, see: Callable, tokens: Callable, expected: Callable
) -> None:
    memory = make('left', 'right', preset='livevlm', page_tokens=4, **EVERYTHING)
    seen = []
    for stamp in range(10, 100, 10):
        right = see(memory, FrameRef('right', stamp))
        seen += [see(memory, FrameRef('left', stamp)), right]
    got, _ = _answer(memory, tokens)
    torch.testing.assert_close(got, expected(seen), rtol=0, atol=5e-6)


def test_frames_from_before_the_first_that_came_are_read_first(
    make: Callable, see: Callable, tokens: Callable, expected: Callable
) -> None:
    memory = make('left', 'right', preset='livevlm', page_tokens=4, **EVERYTHING)
    left = [see(memory, FrameRef('left', 1000 + number)) for number in range(5)]
    right = [see(memory, FrameRef('right', 1 + number)) for number in range(5)]
    got, view = _answer(memory, tokens)
    torch.testing.assert_close(got, expected([*right, *left]), rtol=0, atol=5e-6)
    assert [ref.stamp_ns for ref in view.frames()] == [1, 2, 3, 4, 5, *range(1000, 1005)]


def test_rekv_reads_every_frame_of_a_short_stream(
    make: Callable, see: Callable, tokens: Callable, expected: Callable
) -> None:
    memory = make('left', 'right', preset='rekv', short_term_frames=4)
    seen = [see(memory, ref) for ref in FRAMES]
    got, view = _answer(memory, tokens)
    torch.testing.assert_close(got, expected(seen), rtol=0, atol=5e-3)  # it keeps half precision
    assert view.frames() == FRAMES


LEFT_ONLY = frozenset({'left'})


@pytest.mark.parametrize(
    ('reach', 'read'),
    [
        (Reach(cameras=LEFT_ONLY), LEFT),
        (Reach(first_ns=63), FRAMES[11:]),
        (Reach(first_ns=113), FRAMES[-3:]),
        (Reach(last_ns=70), FRAMES[:13]),
        (Reach(last_ns=115), FRAMES[:-2]),
        (Reach(cameras=LEFT_ONLY, first_ns=25, last_ns=111), LEFT[2:11]),
        (Reach(short_term=False), FRAMES[:-4]),
        (Reach(short_term=False, last_ns=115), FRAMES[:-4]),
        (Reach(long_term=False), RING),
        (Reach(long_term=False, last_ns=113), RING[:2]),
        (Reach(long_term=False, newest_only=True), RING[2:]),
        (Reach(long_term=False, newest_only=True, last_ns=115), RING[:2]),
        (Reach(long_term=False, newest_only=True, last_ns=120), [RING[1], RING[2]]),
        (Reach(long_term=False, newest_only=True, cameras=LEFT_ONLY), [LEFT[-1]]),
        (Reach(newest_only=True), [*FRAMES[:-4], *RING[2:]]),
        (Reach(first_ns=200), []),
    ],
)
def test_a_question_reads_what_is_within_reach_and_nothing_else(
    make: Callable, see: Callable, tokens: Callable, expected: Callable, reach: Reach, read: list
) -> None:
    memory = make('left', 'right', preset='livevlm', page_tokens=4, **EVERYTHING)
    seen = {ref: see(memory, ref) for ref in FRAMES}
    got, view = _answer(memory, tokens, reach)
    wanted = expected([seen[ref] for ref in read])
    torch.testing.assert_close(got, wanted, rtol=0, atol=5e-6)
    assert view.tokens_read == [3 * len(read)] * 2
    assert view.frames() == read
    evidence = view.evidence()
    assert {ref for ref, _ in evidence} == set(read)
    assert sum(share for _, share in evidence) == pytest.approx(1.0 if read else 0.0)


def test_evidence_is_of_frames_that_were_read_and_only_of_those(
    make: Callable, see: Callable, tokens: Callable
) -> None:
    settings = {**EVERYTHING, 'ratio': 0.1}
    memory = make('left', 'right', preset='livevlm', page_tokens=4, **settings)
    for ref in FRAMES:
        see(memory, ref)
    _, view = _answer(memory, tokens)
    evidence = view.evidence()
    assert {ref for ref, _ in evidence} == set(view.frames()) < set(FRAMES)
    assert sum(share for _, share in evidence) == pytest.approx(1.0)


def test_layers_read_as_much_as_each_needs(
    make: Callable, see: Callable, tokens: Callable
) -> None:
    settings = {**EVERYTHING, 'retrieval': 'adaptive', 'ratio': 0.5}
    memory = make(preset='balanced', page_tokens=4, **settings)
    for stamp in range(34):
        see(memory, FrameRef('front', stamp))
    question = tokens(50, 4)
    question.q[0] *= 100.0
    question.q[1] = 0.0
    view = memory.question(extra_tokens=4)
    question.attend(view)
    least, most = (4 * 3 + tokens // 10 // 4 * 4 + 2 for tokens in (120, 600))
    assert view.tokens_read[1] == most
    assert least <= view.tokens_read[0] < most


@pytest.mark.parametrize(
    ('preset', 'reach', 'retrieves'),
    [
        ('recent', Reach(), False),
        ('full', Reach(), False),
        ('livevlm', Reach(), True),
        ('livevlm', Reach(long_term=False), False),
        ('rekv', Reach(), True),
    ],
)
def test_a_view_tells_whether_it_retrieves_and_how_long_that_took(
    make: Callable, see: Callable, tokens: Callable, preset: str, reach: Reach, retrieves: bool
) -> None:
    memory = make(preset=preset)
    for stamp in range(20):
        see(memory, FrameRef('front', stamp))
    _, view = _answer(memory, tokens, reach)
    assert view.retrieves == retrieves
    assert (view.retrieval_s > 0) == retrieves


def test_steps_while_an_answer_is_spoken_do_not_change_what_it_reads(
    make: Callable, see: Callable, tokens: Callable
) -> None:
    def answer(interrupted: bool) -> torch.Tensor:
        memory = make(preset='livevlm', short_term_frames=2, long_term_frames=2, page_tokens=4)
        for stamp in range(12):
            see(memory, FrameRef('front', stamp))
        view = memory.question(extra_tokens=6)
        rows = [tokens(20, 4).attend(view)]
        for token in (21, 22):
            if interrupted:
                see(memory, FrameRef('front', token))  # it buckets long-term
            rows.append(tokens(token, 1).attend(view))
        return torch.cat(rows, 1)

    assert torch.equal(answer(interrupted=True), answer(interrupted=False))
