# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from livevlm_ros.memory import FrameRef, ReadFilter

PRESETS = ['full', 'rekv', 'livevlm', 'balanced']
EVERYTHING = {  # nothing is evicted for good, and all of it is retrieved
    'full': {},
    'rekv': {'short_term_frames': 4, 'retrieval_frames': 40},
    'livevlm': {'short_term_frames': 4, 'long_term_frames': 40, 'retrieval_frames': 40},
    'balanced': {'short_term_frames': 4, 'long_term_frames': 8, 'retrieval_frames': 40},
}
LEFT = [FrameRef('left', stamp) for stamp in range(10, 130, 10)]
RIGHT = [FrameRef('right', stamp + 3) for stamp in range(10, 130, 10)]
FRAMES = sorted([*LEFT, *RIGHT], key=lambda ref: ref.stamp_ns)
RING = FRAMES[-4:]  # two of each camera


@pytest.fixture
def everything(small: Callable) -> Callable:
    def everything(preset: str, **settings):
        given = {'full_max_tokens': 1000} if preset == 'full' else {}
        return small(preset, 'left', 'right', **{**given, **EVERYTHING[preset], **settings})

    return everything


@pytest.fixture
def expected(tokens: Callable, reference: Callable) -> Callable[[list], Tensor]:
    """Attention of a question and the first word of its answer over just these frames."""
    return lambda seen: reference([tokens(0, 2), *seen, tokens(900, 4), tokens(51, 1)])[:, -5:]


@pytest.mark.parametrize('page_tokens', [2, 4])
@pytest.mark.parametrize('preset', PRESETS)
def test_with_nothing_evicted_and_all_retrieved_cameras_are_read_as_one_sequence(
    everything, see, ask, expected, preset: str, page_tokens: int
) -> None:
    memory = everything(preset, page_tokens=page_tokens)
    seen = [see(memory, ref) for ref in FRAMES]
    got, views = ask(memory, answer=(51,))
    torch.testing.assert_close(got, expected(seen), rtol=0, atol=5e-6)
    assert views[-1].tokens_read == [4 * 24] * 2
    assert views[-1].frames() == FRAMES
    assert views[-1].complete and not views[-1].speculated


@pytest.mark.parametrize('preset', PRESETS)
def test_frames_of_one_stamp_are_read_one_camera_after_the_other(
    everything, see, ask, expected, preset: str
) -> None:
    memory, seen = everything(preset), []
    for stamp in range(10, 100, 10):
        right = see(memory, FrameRef('right', stamp))
        seen += [see(memory, FrameRef('left', stamp)), right]
    got, _ = ask(memory, answer=(51,))
    torch.testing.assert_close(got, expected(seen), rtol=0, atol=5e-6)


@pytest.mark.parametrize('preset', PRESETS)
def test_frames_from_before_the_first_that_came_are_read_first(
    everything, see, ask, expected, preset: str
) -> None:
    memory = everything(preset)
    left = [see(memory, FrameRef('left', 1000 + number)) for number in range(5)]
    right = [see(memory, FrameRef('right', 1 + number)) for number in range(5)]
    got, views = ask(memory, answer=(51,))
    torch.testing.assert_close(got, expected([*right, *left]), rtol=0, atol=5e-6)
    assert [ref.stamp_ns for ref in views[-1].frames()] == [1, 2, 3, 4, 5, *range(1000, 1005)]


@pytest.mark.parametrize('preset', PRESETS)
def test_a_camera_that_went_quiet_is_read_in_its_place(
    everything, see, ask, expected, preset: str
) -> None:
    """Its frames stay in short-term while newer ones of the other camera have left it."""
    memory = everything(preset)
    quiet = [see(memory, FrameRef('right', stamp)) for stamp in (15, 35)]
    busy = [see(memory, FrameRef('left', stamp)) for stamp in range(40, 120, 10)]
    got, _ = ask(memory, answer=(51,))
    torch.testing.assert_close(got, expected([*quiet, *busy]), rtol=0, atol=5e-6)


LEFT_ONLY = frozenset({'left'})
SOME = frozenset(FRAMES[::3])


@pytest.mark.parametrize('preset', ['rekv', 'livevlm', 'balanced'])
@pytest.mark.parametrize(
    ('reading', 'read'),
    [
        (ReadFilter(cameras=LEFT_ONLY), LEFT),
        (ReadFilter(first_ns=63), FRAMES[11:]),
        (ReadFilter(first_ns=113), FRAMES[-3:]),
        (ReadFilter(last_ns=70), FRAMES[:13]),
        (ReadFilter(last_ns=115), FRAMES[:-2]),
        (ReadFilter(cameras=LEFT_ONLY, first_ns=25, last_ns=111), LEFT[2:11]),
        (ReadFilter(short_term=False), FRAMES[:-4]),
        (ReadFilter(short_term=False, last_ns=115), FRAMES[:-4]),
        (ReadFilter(long_term=False), RING),
        (ReadFilter(long_term=False, last_ns=113), RING[:2]),
        (ReadFilter(long_term=False, newest_only=True), RING[2:]),
        (ReadFilter(long_term=False, newest_only=True, last_ns=115), RING[:2]),
        (ReadFilter(long_term=False, newest_only=True, last_ns=120), [RING[1], RING[2]]),
        (ReadFilter(long_term=False, newest_only=True, cameras=LEFT_ONLY), [LEFT[-1]]),
        (ReadFilter(newest_only=True), [*FRAMES[:-4], *RING[2:]]),
        (ReadFilter(without=SOME), [ref for ref in FRAMES if ref not in SOME]),
        (ReadFilter(without=SOME, last_ns=70), [r for r in FRAMES[:13] if r not in SOME]),
        (ReadFilter(only_ns=((33, 70),)), [*FRAMES[5:13], *RING]),
        (ReadFilter(only_ns=((33, 70),), short_term=False), FRAMES[5:13]),
        (ReadFilter(only_ns=((33, 70),), without=SOME, cameras=LEFT_ONLY), None),
        (ReadFilter(only_ns=((33, 70),), long_term=False), RING),
        (ReadFilter(first_ns=200), []),
        (ReadFilter(short_term=False, long_term=False), []),
    ],
)
def test_a_question_reads_what_its_filter_allows_and_nothing_else(
    everything, see, ask, expected, preset: str, reading: ReadFilter, read: list | None
) -> None:
    if read is None:
        read = [ref for ref in [*FRAMES[5:13], *RING] if ref.camera == 'left' and ref not in SOME]
    memory = everything(preset)
    seen = {ref: see(memory, ref) for ref in FRAMES}
    got, views = ask(memory, reading=reading, answer=(51,))
    wanted = expected([seen[ref] for ref in read])
    torch.testing.assert_close(got, wanted, rtol=0, atol=5e-6)
    assert views[-1].tokens_read == [4 * len(read)] * 2
    assert views[-1].frames() == read
    evidence = views[-1].evidence()
    assert {ref for ref, _ in evidence} == set(read)
    assert sum(share for _, share in evidence) == pytest.approx(1.0 if read else 0.0)


@pytest.mark.parametrize('preset', ['rekv', 'livevlm', 'balanced'])
def test_evidence_is_of_frames_that_were_read_and_only_of_those(
    everything, see, ask, preset: str
) -> None:
    memory = everything(preset, retrieval_frames=2)
    for ref in FRAMES:
        see(memory, ref)
    _, views = ask(memory)
    evidence = views[-1].evidence()
    assert {ref for ref, _ in evidence} == set(views[-1].frames()) < set(FRAMES)
    assert sum(share for _, share in evidence) == pytest.approx(1.0)


def test_a_probe_reads_prefix_and_short_term_and_ends_with_the_last_layer_that_chooses(
    small, watch, tokens, reference, see
) -> None:
    for heads, layers in (({0: (1,)}, 0), ({1: (0, 2)}, 1), ({}, 1)):
        memory = small('balanced', 'front', heads=heads)
        seen = [see(memory, FrameRef('front', stamp)) for stamp in range(9)]
        memory.settle()
        probe, question = memory.probe(tokens=4), tokens(900, 4)
        got = question.attend(probe)
        assert probe.tokens_read == [16] * 2
        expected = reference([tokens(0, 2), *seen[-4:], question])[:layers, -4:]
        torch.testing.assert_close(got, expected, rtol=0, atol=2e-6)
        assert set(probe.queries) == set(heads or (0, 1))
        assert all(torch.equal(q, question.q[layer]) for layer, q in probe.queries.items())


@pytest.mark.parametrize(
    ('preset', 'reading', 'ranked'),
    [
        ('recent', ReadFilter(), 0),
        ('full', ReadFilter(), 0),
        ('livevlm', ReadFilter(), 16),
        ('livevlm', ReadFilter(long_term=False), 0),
        ('balanced', ReadFilter(), 32),
        ('balanced', ReadFilter(last_ns=7), 16),
        ('balanced', ReadFilter(only_ns=((2, 7),)), 12),
        ('rekv', ReadFilter(), 16),
    ],
)
def test_a_view_tells_what_pages_were_chosen_from_and_how_long_that_took(
    small, watch, ask, preset: str, reading: ReadFilter, ranked: int
) -> None:
    memory = small(preset, 'front', page_tokens=2)
    watch(memory, range(20))
    _, views = ask(memory, reading=reading)
    view = views[-1]
    assert view.ranked == ranked
    assert (view.rank_s + view.find_s > 0) == bool(ranked)
    assert (view.find_s > 0) == (preset == 'rekv')
