# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import math
import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from livevlm_ros.memory import FrameRef, Memory, QuestionView, Reach
from livevlm_ros.memory.archive import Archive
from livevlm_ros.memory.recall import KEPT_UP_FRAMES, WRITES

SMALL = {
    'preset': 'balanced',
    'short_term_frames': 4,
    'long_term_frames': 8,
    'retrieval': 'fixed',
    'ratio': 1.0,
    'page_tokens': 4,
}
NEEDLE = 5.0
"""Keys that queries of the same sign find among random ones."""


@pytest.fixture
def watch(tokens: Callable) -> Callable[..., None]:
    def watch(memory: Memory, stamps: range, *, needles: tuple[int, ...] = ()) -> None:
        for stamp in stamps:
            new = tokens(stamp, 3)
            if stamp in needles:
                new.k[:] = NEEDLE
            step = memory.step([FrameRef('front', stamp)])
            new.attend(step)
            step.commit()

    return watch


@pytest.fixture
def ask(tokens: Callable) -> Callable[..., tuple[Tensor, QuestionView]]:
    """Ask with random queries, or with all of them equal to `want`; then decode some tokens."""

    def ask(
        memory: Memory,
        words: str | None = 'what is it',
        *,
        want: float | None = None,
        seed: int = 900,
        answer: int = 0,
        reach: Reach | None = None,
    ) -> tuple[Tensor, QuestionView]:
        view = memory.question(extra_tokens=4 + answer, reach=reach, asked=words)
        question = tokens(seed, 4)
        if want is not None:
            question.q[:] = want
        out = [question.attend(view)]
        out += [tokens(seed + n, 1).attend(view) for n in range(1, answer + 1)]
        return torch.cat(out, dim=1), view

    return ask


def _stamps(memory: Memory, view: QuestionView, layer: int = 0) -> set[int]:
    origin_ns = memory._names.origin_ns or 0
    return set((memory._names.since_ns(view._read[layer]) + origin_ns).flatten().tolist())


def _without_fetching(monkeypatch: pytest.MonkeyPatch, memory: Memory) -> Memory:
    monkeypatch.setattr(memory._recall, '_fetch', lambda layer, q, reach: None)
    return memory


@pytest.mark.parametrize('retrieval', ['fixed', 'adaptive'])
def test_above_one_nothing_fetched_ahead_is_trusted_and_answers_are_those_of_blocking_retrieval(
    make: Callable, watch: Callable, ask: Callable, monkeypatch, retrieval: str
) -> None:
    settings = {**SMALL, 'retrieval': retrieval, 'tau': 1.01}
    ahead, blocking = make(**settings), _without_fetching(monkeypatch, make(**settings))
    for first in range(0, 60, 6):
        for memory in (ahead, blocking):
            watch(memory, range(first, first + 6))
        for seed in (900, 900, 901):
            assert torch.equal(
                ask(ahead, seed=seed, answer=3)[0], ask(blocking, seed=seed, answer=3)[0]
            )
    assert ahead._recall.counts.corrected == ahead._recall.counts.speculated > 0


def test_below_minus_one_nothing_is_read_from_the_archive_while_a_question_waits(
    make: Callable, watch: Callable, ask: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = make(**SMALL, tau=-1.01)
    watch(memory, range(40))
    ask(memory)
    memory.settle()
    monkeypatch.setattr(Archive, 'read_into', _never)
    ask(memory, seed=901, answer=3)
    counts = memory._recall.counts
    assert counts.corrected == 0 < counts.speculated
    assert counts.correction_rate == 0.0


def _never(*arguments, **named) -> None:
    raise AssertionError('the archive was read')


def test_a_question_that_comes_back_finds_what_it_found_without_a_correction(
    make: Callable, watch: Callable, ask: Callable
) -> None:
    memory = make(**SMALL)
    watch(memory, range(60), needles=(7,))
    _, first = ask(memory, want=1.0)
    _, again = ask(memory, want=1.0)
    assert 7 in _stamps(memory, first)
    assert 7 in _stamps(memory, again)
    assert memory._recall.counts.speculated and not memory._recall.counts.corrected


def test_a_question_that_comes_back_finds_what_was_archived_meanwhile(
    make: Callable, watch: Callable, ask: Callable
) -> None:
    memory = make(**SMALL)
    watch(memory, range(40))
    ask(memory, want=1.0)
    watch(memory, range(40, 48), needles=(40,))
    watch(memory, range(48, 56))
    _, again = ask(memory, want=1.0)
    assert 40 in _stamps(memory, again)
    assert not memory._recall.counts.corrected


def test_only_heads_whose_queries_have_moved_read_anew(
    make: Callable, watch: Callable, ask: Callable, tokens: Callable, monkeypatch
) -> None:
    def turned(memory: Memory) -> tuple[Tensor, QuestionView]:
        view = memory.question(extra_tokens=4, asked='what is it')
        question = tokens(900, 4)
        question.q[:, 2:] *= -1  # the group of kv head 1
        return question.attend(view), view

    memory, blocking = make(**SMALL), make(**SMALL, tau=2.0)
    for other in (memory, blocking):
        watch(other, range(80))
        ask(other)
    before, _ = ask(memory)
    heads = []
    read = Archive.read
    monkeypatch.setattr(
        Archive, 'read', lambda *args, heads=None: _note(read, args, heads, heads_read)
    )
    heads_read = heads
    out, view = turned(memory)
    wanted, _ = turned(blocking)
    own = memory._shape.q_heads // 2 * memory._shape.head_dim
    assert torch.allclose(out[0, :, own:], wanted[0, :, own:], atol=1e-6)
    assert not torch.allclose(out[0, :, :own], wanted[0, :, :own], atol=1e-3)
    assert [1] in heads and [0] not in heads
    assert view._read[0].shape[0] == 2 and view.evidence()
    assert memory._recall.counts.corrected * 2 == memory._recall.counts.speculated - 4


def _note(read: Callable, arguments: tuple, heads: Tensor, to: list) -> object:
    to.append(None if heads is None else heads.tolist())
    return read(*arguments, heads=heads)


def test_most_of_what_a_question_wants_again_is_not_brought_again(
    make: Callable, watch: Callable, ask: Callable
) -> None:
    memory = make(**SMALL, tau=2.0)
    watch(memory, range(60))
    ask(memory)
    memory.settle()
    brought = memory._recall._pages.brought
    assert brought
    ask(memory)
    memory.settle()
    assert memory._recall._pages.brought - brought <= brought // 4


@pytest.mark.parametrize(
    ('words', 'reach', 'comes_back'),
    [
        ('what is it', None, True),
        ('what is it that you see', None, True),
        ('what', None, False),
        ('where is it', None, False),
        (None, None, False),
        ('what is it', Reach(cameras=frozenset(['front'])), False),
        ('what is it', Reach(first_ns=20), False),
        ('what is it', Reach(share=0.5), True),
        ('what is it', Reach(only_ns=(3, 9)), False),
    ],
)
def test_a_question_comes_back_if_it_begins_with_the_last_ones_words(
    make: Callable, watch: Callable, ask: Callable, words, reach, comes_back: bool
) -> None:
    memory = make(**SMALL)
    watch(memory, range(40))
    ask(memory)
    ask(memory, words, reach=reach)
    assert bool(memory._recall.counts.speculated) == comes_back


def test_within_bounds_nothing_else_is_fetched(
    make: Callable, watch: Callable, ask: Callable
) -> None:
    memory = make(**SMALL)
    watch(memory, range(60))
    for _ in range(2):
        _, view = ask(memory, want=1.0, reach=Reach(first_ns=10, last_ns=30))
        assert _stamps(memory, view) <= set(range(10, 31))
        memory.settle()
        ends = memory._recall.ready(0).ends
        assert len(ends) and Reach(first_ns=10, last_ns=30).reaches(ends, memory._names).all()
    assert memory._recall.counts.speculated > memory._recall.counts.corrected


@pytest.mark.parametrize('bounds', [(50, 58), (None, None), (5, 20)])
def test_the_same_words_within_other_bounds_read_as_much_as_without_fetching_ahead(
    make: Callable, watch: Callable, ask: Callable, bounds: tuple
) -> None:
    first, last = bounds
    read = []
    for tau in (0.8, 2.0):
        memory = make(**SMALL, tau=tau)
        watch(memory, range(70))
        ask(memory, reach=Reach(first_ns=21, last_ns=40))
        _, view = ask(memory, reach=Reach(first_ns=first, last_ns=last))
        read.append(view.tokens_read)
    assert read[0] == read[1]


@pytest.mark.parametrize('ratio', [0.5, 4.0])
def test_no_token_is_read_twice_while_the_archive_changes(
    make: Callable, watch: Callable, ask: Callable, ratio: float
) -> None:
    memory = make(**{**SMALL, 'ratio': ratio, 'retrieval': 'adaptive'})
    for stamp in range(60):
        watch(memory, range(stamp, stamp + 1))
        _, view = ask(memory)
        for layer in range(2):
            for names in view._read[layer].view(-1, view._read[layer].shape[-1]):
                assert len(names.unique()) == len(names)
    assert memory._recall.counts.speculated > memory._recall.counts.corrected


def test_a_question_of_the_engines_own_does_not_disturb_the_one_that_comes_back(
    make: Callable, watch: Callable, ask: Callable
) -> None:
    memory = make(**SMALL)
    watch(memory, range(40))
    ask(memory)
    ask(memory, None, seed=901)
    ask(memory)
    assert memory._recall.counts.speculated == 4 and not memory._recall.counts.corrected


@pytest.mark.parametrize(('tau', 'moves'), [(0.8, True), (-1.01, False)])
def test_a_token_of_the_answer_reads_other_pages_when_its_queries_have_moved(
    make: Callable, watch: Callable, ask: Callable, tokens: Callable, tau: float, moves: bool
) -> None:
    memory = make(**{**SMALL, 'ratio': 0.2}, tau=tau)
    watch(memory, range(60), needles=(9,))
    view = memory.question(extra_tokens=6, asked='what is it')
    question = tokens(900, 4)
    question.q[:] = -1.0
    question.attend(view)
    assert 9 not in _stamps(memory, view)
    answer = tokens(901, 1)
    answer.q[:] = 9.0
    answer.k[:] = 0.0
    out = answer.attend(view)[0, 0].view(2, 2, 1, 8)  # by kv head and group
    needles = tokens(9, 3).v[0][:, None]  # [kv_heads, 1, tokens, head_dim]
    nearest = (out - needles).abs().amax(dim=-1).amin(dim=-1)
    assert bool((nearest < 0.1).all()) == moves


def test_what_nobody_asks_again_is_not_fetched_for_ever(
    make: Callable, watch: Callable, ask: Callable
) -> None:
    memory = make(**SMALL)
    watch(memory, range(40))
    ask(memory)
    watch(memory, range(40, 50 + KEPT_UP_FRAMES))
    memory.settle()
    assert memory._recall._asked is None
    ask(memory)
    assert memory._recall.counts.speculated == 0


def test_a_job_that_fails_is_told_and_the_thread_goes_on(
    make: Callable, watch: Callable, ask: Callable, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    memory = make(**SMALL)
    watch(memory, range(40))
    ask(memory, want=1.0)
    memory.settle()
    fetched_s = memory._recall.counts.hidden_s
    monkeypatch.setattr(memory._recall._pages, 'bring', _fail)
    watch(memory, range(40, 44))
    memory.settle()
    assert 'could not be written or read' in caplog.text
    monkeypatch.undo()
    _, view = ask(memory, want=1.0)
    memory.settle()
    assert memory._recall.counts.failed and not memory._recall.counts.speculated
    assert memory._recall.counts.hidden_s > fetched_s


def _fail(*arguments) -> None:
    raise OSError('no such device')


def test_steps_do_not_run_away_from_the_archive(
    make: Callable, watch: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, go_on = make(**SMALL), threading.Event()
    add = memory._archive.add
    monkeypatch.setattr(memory._archive, 'add', lambda *given: go_on.wait(20) and add(*given))
    stepping = threading.Thread(target=watch, args=(memory, range(30)))
    stepping.start()
    stepping.join(0.5)
    assert stepping.is_alive()
    assert len(memory._recall._writes) == WRITES
    go_on.set()
    stepping.join(20)
    assert memory.frame_count == 30


def test_without_a_question_that_came_back_there_is_no_rate(make: Callable) -> None:
    assert math.isnan(make(**SMALL).sizes().recall.correction_rate)


def test_a_question_without_patience_reads_what_is_on_the_device(
    make: Callable, watch: Callable, ask: Callable, tokens: Callable, monkeypatch
) -> None:
    held_up = threading.Event()
    memory, livevlm = make(**SMALL), make(**{**SMALL, 'preset': 'livevlm', 'archive_bits': 0})
    add = memory._archive.add
    monkeypatch.setattr(memory._archive, 'add', lambda *given: held_up.wait(20) and add(*given))
    for other in (memory, livevlm):
        watch(other, range(14))  # one write waits
    out = []
    for other in (memory, livevlm):
        view = other.question(extra_tokens=4, asked='what is it', patience_s=0.0)
        out.append(tokens(900, 4).attend(view))
        assert view.reach.archive == (other is livevlm)
    assert torch.equal(*out)
    held_up.set()
    _, view = ask(memory)
    assert view.reach.archive


def test_tokens_of_an_answer_that_comes_back_are_compared_with_those_in_the_same_place(
    make: Callable, watch: Callable, ask: Callable
) -> None:
    memory = make(**SMALL)
    watch(memory, range(60))
    ask(memory, answer=2)
    fresh = memory.sizes().recall
    ask(memory, answer=2)
    again = memory.sizes().recall
    assert fresh.corrected  # a token wants other things than the question
    assert (again.speculated, again.corrected) == (fresh.speculated + 12, fresh.corrected)
