# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A question that comes back reads what was chosen ahead, and is corrected when it has moved."""

import math
import threading
from collections.abc import Callable

import pytest
import torch

from livevlm_ros.memory import FrameRef, Memory, ReadFilter
from livevlm_ros.memory.archive.archive import Archive
from livevlm_ros.memory.recall import HOT_FRAMES
from livevlm_ros.memory.retrieval import Retrieval

CHOSEN = 3 * 4  # tokens of three frames


def _read(views: list) -> list[int]:
    return views[-1].ids(0).tolist()


@pytest.fixture
def memory(small: Callable, watch: Callable) -> Memory:
    memory = small('balanced', 'front')
    watch(memory, range(40))
    return memory


def test_a_question_that_comes_back_reads_the_same_pages_without_a_probe_for_ever(
    memory: Memory, ask: Callable
) -> None:
    first, views = ask(memory, key='what')
    assert len(views) == 2 and not views[1].speculated
    for _ in range(50):
        again, others = ask(memory, key='what')
        assert len(others) == 1 and others[0].speculated
        assert _read(others) == _read(views)
        assert torch.equal(again, first)
    counts = memory.sizes().recall
    assert (counts.questions, counts.questions_corrected) == (50, 0)
    assert (counts.speculated, counts.corrected, counts.failed) == (50 * 4, 0, 0)
    assert counts.correction_rate == 0.0
    assert counts.hidden_s > 0


def test_no_page_is_ranked_while_a_question_that_comes_back_waits(
    memory: Memory, ask: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(memory, key='what')
    memory.settle()

    def never(*given: object) -> None:
        raise AssertionError('pages were chosen')

    monkeypatch.setattr(Retrieval, 'choose', never)
    _, views = ask(memory, key='what')
    assert views[0].speculated and len(_read(views)) == CHOSEN + 4 * 4


@pytest.mark.parametrize(
    ('heads', 'turned', 'moved'),
    [
        ({}, (0, 1, 2, 3), 4),
        ({}, (2, 3), 2),
        ({1: (0, 3)}, (0, 1, 2, 3), 2),
        ({1: (0, 1)}, (2, 3), 0),  # of a kv head that does not choose
        ({0: (3,)}, (3,), 1),
        ({0: (3,)}, (0, 1), 0),
        ({0: (2,)}, (3,), 0),
    ],
)
def test_queries_that_turn_away_in_heads_that_choose_are_corrected(
    small, watch, tokens, heads: dict, turned: tuple[int, ...], moved: int
) -> None:
    memory, blocking = (
        small('balanced', 'front', heads=heads),
        small('balanced', 'front', heads=heads),
    )

    def ask(either: Memory, key: str | None, *, turn: bool) -> list:
        question, views = tokens(900, 4), []
        if turn:
            question.q[:, list(turned)] *= -1
        for view in either.readings(tokens=4, extra_tokens=4, key=key):
            question.attend(view)
            views.append(view)
        return views

    for either in (memory, blocking):
        watch(either, range(60))
    ask(memory, 'what', turn=False)
    views = ask(memory, 'what', turn=True)
    assert len(views) == (3 if moved else 1)  # what was ahead, a probe, and what it chose
    assert views[0].speculated
    if moved:
        assert not views[-1].speculated
        assert _read(views) == _read(ask(blocking, None, turn=True))
    counts = memory.sizes().recall
    assert (counts.questions, counts.questions_corrected) == (1, int(bool(moved)))
    assert counts.corrected == moved
    choosing = len({(layer, head // 2) for layer, of in heads.items() for head in of}) or 4
    assert counts.speculated == choosing
    assert counts.correction_rate == moved / choosing
    again = ask(memory, 'what', turn=True)  # it is known by its new queries
    assert len(again) == 1 and _read(again) == _read(views)


@pytest.mark.parametrize(('tau', 'views'), [(1.01, 2), (-1.01, 1)])
def test_tau_says_whether_what_is_ahead_is_trusted(
    small: Callable, watch: Callable, ask: Callable, tau: float, views: int
) -> None:
    memory = small('balanced', 'front', tau=tau)
    watch(memory, range(40))
    ask(memory, key='what')
    _, read = ask(memory, key='what', want=-1.0)
    assert len(read) == views
    assert memory.sizes().recall.questions == (0 if tau > 1 else 1)
    assert memory.sizes().recall.corrected == 0


def test_a_question_that_comes_back_finds_what_was_archived_meanwhile(
    memory: Memory, watch: Callable, ask: Callable, see: Callable
) -> None:
    _, views = ask(memory, key='what', want=1.0)
    watch(memory, range(40, 48), needles=(40,))
    see(memory, FrameRef('front', 48))  # which may still be on its way to the archive
    _, again = ask(memory, key='what', want=1.0)
    assert again[-1].speculated and again[-1].complete
    assert FrameRef('front', 40) in again[-1].frames()
    assert FrameRef('front', 40) not in views[-1].frames()


def test_what_is_read_ahead_is_what_a_question_would_choose_now(
    small: Callable, watch: Callable, ask: Callable
) -> None:
    ahead, blocking = small('balanced', 'front'), small('balanced', 'front', tau=2.0)
    for first in range(0, 60, 4):
        for memory in (ahead, blocking):
            watch(memory, range(first, first + 4))
        mine, views = ask(ahead, key='what')
        theirs, others = ask(blocking, key='what')
        assert views[-1].speculated == (first > 4)
        assert _read(views) == _read(others)
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize(
    ('key', 'reading', 'comes_back'),
    [
        ('what', None, True),
        ('where', None, False),
        (None, None, False),
        ('what', ReadFilter(cameras=frozenset({'front'})), False),
        ('what', ReadFilter(first_ns=20), False),
        ('what', ReadFilter(share=0.5), False),
        ('what', ReadFilter(only_ns=((3, 9),)), False),
        ('what', ReadFilter(), True),
    ],
)
def test_another_key_or_filter_starts_anew(
    memory: Memory, ask: Callable, key: str | None, reading: ReadFilter | None, comes_back: bool
) -> None:
    ask(memory, key='what')
    answer, views = ask(memory, key=key, reading=reading)
    assert views[0].speculated == comes_back
    alone, others = ask(memory, reading=reading)
    assert _read(views) == _read(others) and torch.equal(answer, alone)
    assert memory.sizes().recall.questions == int(comes_back)


def test_the_question_asked_last_is_the_one_that_is_chosen_for(
    memory: Memory, ask: Callable
) -> None:
    ask(memory, key='what')
    ask(memory, key='where', seed=901)
    assert ask(memory, key='where', seed=901)[1][0].speculated
    assert not ask(memory, key='what')[1][0].speculated


def test_a_question_without_a_key_does_not_disturb_the_one_that_comes_back(
    memory: Memory, ask: Callable
) -> None:
    ask(memory, key='what')
    ask(memory, seed=901)
    ask(memory, key='what', reading=ReadFilter(only_ns=((0, 9),)))
    _, views = ask(memory, key='what')
    assert len(views) == 1 and views[0].speculated


def test_within_bounds_nothing_else_is_chosen_ahead(
    memory: Memory, watch: Callable, ask: Callable
) -> None:
    reading = ReadFilter(first_ns=10, last_ns=20)
    ask(memory, key='what', reading=reading)
    watch(memory, range(40, 44))
    _, views = ask(memory, key='what', reading=reading)
    assert views[0].speculated
    assert {ref.stamp_ns for ref in views[0].frames()} <= set(range(10, 21))


@pytest.mark.parametrize('more', [0, 1])
def test_nothing_is_chosen_ahead_for_a_question_that_stays_away(
    memory: Memory, watch: Callable, ask: Callable, more: int
) -> None:
    nothing_ahead = memory.sizes().read_bytes
    ask(memory, key='what')
    watch(memory, range(40, 40 + HOT_FRAMES - 1))
    ask(memory, key='what')  # it has come back
    watch(memory, range(200, 200 + HOT_FRAMES + more))
    assert (memory.sizes().read_bytes > nothing_ahead) == (more == 0)
    _, views = ask(memory, key='what')
    assert views[0].speculated == (more == 0)
    assert memory.sizes().recall.questions == 2 - more


def test_a_question_may_go_cold_while_it_is_being_read(
    memory: Memory, watch: Callable, tokens: Callable, ask: Callable
) -> None:
    ask(memory, key='what')
    readings = memory.readings(tokens=4, extra_tokens=8, key='what')
    view = next(readings)
    tokens(900, 4).attend(view)
    watch(memory, range(40, 42 + HOT_FRAMES))
    assert view.speculated and next(readings, None) is None
    assert memory.sizes().recall.corrected == 0
    assert not ask(memory, key='what')[1][0].speculated


def test_an_error_while_choosing_ahead_costs_nothing_but_the_speculation(
    memory: Memory, watch: Callable, ask: Callable, monkeypatch, caplog
) -> None:
    choose = Retrieval.choose

    def fail_ahead(*given: object) -> object:
        if threading.current_thread().name.startswith('livevlm-recall'):
            raise OSError('no such device')
        return choose(*given)

    ask(memory, key='what')
    memory.settle()
    with monkeypatch.context() as patch:
        patch.setattr(Retrieval, 'choose', fail_ahead)
        watch(memory, range(40, 42))
        answer, views = ask(memory, key='what')
        assert len(views) == 2 and not views[0].speculated
        alone, others = ask(memory)
        assert _read(views) == _read(others) and torch.equal(answer, alone)
        memory.settle()
    counts = memory.sizes().recall
    assert counts.failed >= 2 and counts.questions == 0
    assert 'pages could not be chosen ahead' in caplog.text
    ask(memory, key='what')
    assert ask(memory, key='what')[1][0].speculated


def test_a_step_never_waits_for_what_is_chosen_ahead(
    memory: Memory, see: Callable, ask: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose, begun, go_on = Retrieval.choose, threading.Event(), threading.Event()

    def held_up(*given: object) -> object:
        if threading.current_thread().name.startswith('livevlm-recall'):
            begun.set()
            assert go_on.wait(60)
        return choose(*given)

    monkeypatch.setattr(Retrieval, 'choose', held_up)
    ask(memory, key='what')
    assert begun.wait(60)
    for stamp in range(40, 45):
        see(memory, FrameRef('front', stamp))
    assert memory.newest().stamp_ns == 44
    assert memory.sizes().recall.hidden_s == 0  # it is still being made
    go_on.set()
    memory.settle()
    assert ask(memory, key='what')[1][0].speculated


def test_a_question_without_patience_is_told_that_what_is_ahead_lacks_something(
    memory: Memory, see: Callable, ask: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, go_on = Archive.put, threading.Event()
    ask(memory, key='what')
    memory.settle()
    monkeypatch.setattr(Archive, 'put', lambda *given: go_on.wait(60) and put(*given))
    see(memory, FrameRef('front', 40))
    _, views = ask(memory, key='what', patience_s=0.0)
    assert views[0].speculated and not views[0].complete
    go_on.set()
    _, views = ask(memory, key='what', patience_s=60.0)
    assert views[0].speculated and views[0].complete


def test_what_was_chosen_ahead_is_forgotten_with_the_stream(
    memory: Memory, watch: Callable, ask: Callable
) -> None:
    ask(memory, key='what')
    memory.clear()
    watch(memory, range(1000, 1040))
    _, views = ask(memory, key='what')
    assert not views[0].speculated
    assert {ref.stamp_ns for ref in views[-1].frames()} <= set(range(1000, 1040))


def test_pages_chosen_ahead_are_counted_as_read_bytes(
    memory: Memory, ask: Callable, shape
) -> None:
    before = memory.sizes().read_bytes
    ask(memory, key='what')
    memory.settle()
    assert memory.sizes().read_bytes - before == CHOSEN * shape.token_bytes(4)


@pytest.mark.parametrize('preset', ['recent', 'full', 'rekv', 'livevlm'])
def test_presets_without_one_choice_from_an_archive_choose_nothing_ahead(
    small: Callable, watch: Callable, ask: Callable, preset: str
) -> None:
    memory = small(preset, 'front')
    watch(memory, range(20))
    for _ in range(3):
        _, views = ask(memory, key='what')
        assert not any(view.speculated for view in views)
    assert math.isnan(memory.sizes().recall.correction_rate)
