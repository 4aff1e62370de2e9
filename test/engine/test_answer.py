# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What of the memory answers are read from."""

import re
import threading
import time
from dataclasses import replace

import pytest

from livevlm_ros.engine import Question, Rung, Scope, Source, Status
from livevlm_ros.engine.budget import Deadline
from livevlm_ros.engine.questions import PendingQuestion
from livevlm_ros.memory import MemoryConfig


@pytest.fixture
def remembering(make_engine, model, frame):
    """Give an engine that has four of twelve frames in its ring, the others one a page."""
    model.memory_settings = {'retrieval': {'page_tokens': 2}}
    memory = MemoryConfig(
        preset='livevlm', short_term_frames=4, long_term_frames=8, retrieval_frames=3
    )
    engine = make_engine(memory=memory, target_fps=1000.0)
    engine.load()
    for second in range(1, 13):
        engine.see(frame(second))
        engine.turn()
    return engine


@pytest.mark.parametrize(
    ('budget_s', 'rung', 'scope', 'frames'),
    [
        (28.0, Rung.ALL, Scope.ALL, 4 + 3),
        (15.0, Rung.FEWER_PAGES, Scope.ALL, 4 + 1),
        (5.0, Rung.SHORT_TERM, Scope.SHORT_TERM, 4),
    ],
)
def test_a_budget_too_small_to_retrieve_all_is_answered_from_less_and_says_so(
    remembering, budget_s, rung, scope, frames
):
    remembering._loop.parts.costs.retrieval.value = 20.0
    answer = remembering.ask_now(Question('what drove by ?', budget_s=budget_s, max_tokens=15))
    assert (answer.status, answer.degradation, answer.scope_used) == (Status.OK, rung, scope)
    assert answer.frames_considered == frames


@pytest.mark.parametrize('allow_partial', [False, True])
def test_a_hurried_question_about_what_left_short_term_is_not_answered_from_nothing(
    remembering, model, allow_partial
):
    remembering._loop.parts.costs.retrieval.value = 20.0
    past = {'time_start_ns': 2 * 10**9, 'time_end_ns': 4 * 10**9}
    asked = Question('what drove by ?', budget_s=5.0, allow_partial=allow_partial, **past)
    answer = remembering.ask_now(asked)
    assert (answer.status, answer.text) == (Status.DEADLINE, '')
    assert 'too short to retrieve' in answer.message
    least_s = float(re.search(r'latency_budget of ([\d.]+) s', answer.message).group(1))
    assert 20.0 < least_s < 21.0
    assert remembering.ask_now(replace(asked, budget_s=least_s + 0.1)).status is Status.OK


def test_what_was_once_too_dear_to_retrieve_is_measured_again(remembering):
    costs = remembering._loop.parts.costs
    costs.retrieval.value = 20.0
    asked = Question('what drove by ?', budget_s=5.0, max_tokens=15)
    assert remembering.ask_now(asked).degradation is Rung.SHORT_TERM
    for _ in range(20):
        remembering._loop._measure_from_s = 0.0  # as if time had passed
        remembering.ask_now(asked)
        remembering.turn()
    assert remembering.ask_now(asked).degradation is Rung.ALL


def test_a_question_for_short_term_is_not_degraded_by_an_archive_that_lags(
    make_engine, frame, monkeypatch
):
    memory = MemoryConfig(preset='balanced', short_term_frames=4, long_term_frames=8)
    engine = make_engine(memory=memory, target_fps=1000.0)
    engine.load()
    archive, written = engine._loop.parts.memory._tiers.archive, threading.Event()
    put = archive.put
    monkeypatch.setattr(archive, 'put', lambda frame: written.wait(20) and put(frame))
    for second in range(1, 15):
        engine.see(frame(second))
        engine._loop.turn()
    for scope in (Scope.NOW, Scope.SHORT_TERM):
        answer = engine.ask_now(Question('what drove by ?', scope=scope, budget_s=10.0))
        assert (answer.status, answer.degradation) == (Status.OK, Rung.ALL)
        assert answer.latency.total_ms < 1000
    written.set()


@pytest.mark.parametrize(
    ('fields', 'allowed', 'newest'),
    [
        ({'time_start_ns': 2, 'time_end_ns': 4}, {2, 3, 4}, 4),
        ({'as_of_ns': 3}, {1, 2, 3}, 3),
        ({'lookback_s': 2.0, 'as_of_ns': 4}, {2, 3, 4}, 4),
        ({'lookback_s': 1.0}, {11, 12}, 12),
        ({'scope': Scope.NOW}, {12}, 12),
        ({'scope': Scope.NOW, 'as_of_ns': 10}, {10}, 10),
        ({'scope': Scope.SHORT_TERM}, {9, 10, 11, 12}, 12),
    ],
)
def test_a_question_about_a_time_is_answered_from_frames_of_that_time(
    remembering, fields, allowed, newest
):
    fields = {name: at * 10**9 if name.endswith('_ns') else at for name, at in fields.items()}
    answer = remembering.ask_now(Question('what drove by ?', max_evidence=20, **fields))
    assert {evidence.stamp_ns // 10**9 for evidence in answer.evidence} == allowed
    assert answer.frames_considered == len(allowed)
    assert answer.newest_stamp_ns == newest * 10**9


def test_evidence_says_which_tier_it_was_found_in(remembering):
    answer = remembering.ask_now(Question('what drove by ?', max_evidence=20))
    for evidence in answer.evidence:
        old = evidence.stamp_ns <= 8 * 10**9
        assert evidence.source is (Source.LONG_TERM if old else Source.SHORT_TERM)
    assert {evidence.source for evidence in answer.evidence} == set(Source)
    answer = remembering.ask_now(Question('what drove by ?', scope=Scope.LONG_TERM))
    assert {evidence.source for evidence in answer.evidence} == {Source.LONG_TERM}
    assert answer.scope_used is Scope.LONG_TERM


@pytest.mark.parametrize(
    'fields',
    [
        {'time_start_ns': 50 * 10**9},
        {'time_end_ns': 5},
        {'scope': Scope.NOW, 'as_of_ns': 3 * 10**9},
        {'scope': Scope.SHORT_TERM, 'time_end_ns': 3 * 10**9},
        {'scope': Scope.LONG_TERM, 'time_start_ns': 9 * 10**9},
    ],
)
def test_a_question_about_what_cannot_be_read_is_no_evidence(remembering, fields):
    answer = remembering.ask_now(Question('what drove by ?', **fields))
    assert (answer.status, answer.text) == (Status.NO_EVIDENCE, '')
    assert 'no frame in the memory is of these cameras and this time' in answer.message


def test_only_the_cameras_asked_for_are_read(make_engine, frame):
    engine = make_engine(cameras=('left', 'right'))
    engine.load()
    for camera in ('left', 'right'):
        engine.see(frame(2 if camera == 'left' else 1, camera=camera))
    engine.turn()
    answer = engine.ask_now(Question('now ?', cameras=('right',)))
    assert [evidence.camera for evidence in answer.evidence] == ['right']
    assert answer.newest_stamp_ns == 10**9


@pytest.mark.parametrize(('again', 'learns'), [('what drove by ?', False), ('now ?', True)])
def test_a_standing_question_teaches_the_costs_nothing(make_engine, frame, again, learns):
    """What is chosen ahead of a question says nothing of what choosing costs."""
    memory = MemoryConfig(preset='balanced', short_term_frames=4, long_term_frames=8)
    engine = make_engine(memory=memory, target_fps=1000.0)
    engine.load()
    for second in range(1, 13):
        engine.see(frame(second))
        engine.turn()
    costs = engine._loop.parts.costs

    def known() -> list[float]:
        return [each.value for each in (costs.prompt, costs.prefill, costs.retrieval, costs.rank)]

    engine.ask_now(Question('what drove by ?'))
    before = known()
    engine.ask_now(Question(again))
    assert engine.stats().memory.recall.questions == (not learns)
    assert (known() != before) == learns


def test_a_question_does_not_wait_for_the_archive_longer_than_its_budget_allows(
    make_engine, model, frame, monkeypatch
):
    model.memory_settings = {'retrieval': {'page_tokens': 2}}
    memory = MemoryConfig(preset='balanced', short_term_frames=4, long_term_frames=8)
    engine = make_engine(memory=memory, target_fps=1000.0)
    engine.load()
    archive, written = engine._loop.parts.memory._tiers.archive, threading.Event()
    put = archive.put
    monkeypatch.setattr(archive, 'put', lambda frame: written.wait(20) and put(frame))
    for second in range(1, 15):
        engine.see(frame(second))
        engine._loop.turn()
    costs = engine._loop.parts.costs
    for _ in range(3):
        answer = engine.ask_now(Question('what drove by ?', budget_s=0.3, max_tokens=15))
        assert (answer.status, answer.degradation) == (Status.OK, Rung.FEWER_PAGES)
        assert answer.latency.total_ms < 300
        assert answer.latency.retrieval_ms > 100 > answer.latency.prefill_ms >= 0
        assert 0 <= costs.prefill.value < 0.1 and costs.retrieval.value < 0.1
    written.set()
    answer = engine.ask_now(Question('what drove by ?', budget_s=5.0, max_tokens=15))
    assert answer.degradation == Rung.ALL


def test_a_question_is_dropped_between_its_reads_when_its_caller_leaves(remembering, model):
    pending = PendingQuestion(
        Question('what drove by ?', max_tokens=15), Deadline(time.monotonic(), 60.0)
    )
    lengths, read = [], model.read

    def leave(embeds, view):
        lengths.append(len(embeds))
        pending.cut(Status.DEADLINE, 'late')
        return read(embeds, view)

    model.read = leave
    remembering._loop.answer(pending, pause=lambda: 0.0)
    assert len(lengths) == 1  # the probe alone
    assert pending.wait().message == 'late'
