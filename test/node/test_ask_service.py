# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import math
import threading
from typing import Any

import pytest

from livevlm_interfaces.srv import Ask
from livevlm_ros.engine.messages import (
    Answer,
    Evidence,
    Finish,
    Latency,
    Priority,
    Question,
    Scope,
    Status,
)
from livevlm_ros.node.ask_service import BadRequest, fill_response, to_question
from livevlm_ros.node.client import Client
from livevlm_ros.node.parameters import table

DEFAULTS = {name: row.default for name, row in table().items()}


def request(**fields: Any) -> Any:
    made = Ask.Request(question='what color was the truck ?')
    for name, value in fields.items():
        target, _, attribute = name.partition('__')
        if attribute:
            setattr(getattr(made, target), attribute, value)
        else:
            setattr(made, name, value)
    return made


def test_a_bare_question_gets_the_parameters() -> None:
    assert to_question(request(), DEFAULTS) == Question(
        'what color was the truck ?',
        budget_s=0.0,
        max_tokens=64,
        temperature=0.0,
        scope=Scope.AUTO,
        max_evidence=3,
        min_confidence=0.3,
        max_doubt=1.0,
    )


def test_set_fields_win_over_the_parameters() -> None:
    asked = request(
        request_id='a7',
        latency_budget__sec=1,
        latency_budget__nanosec=500_000_000,
        max_tokens=5,
        temperature=0.5,
        allow_partial=False,
        memory_scope=Ask.Request.SCOPE_SHORT_TERM,
        priority=Ask.Request.PRIORITY_HIGH,
        max_evidence=1,
        attach_evidence_images=True,
    )
    assert to_question(asked, DEFAULTS) == Question(
        'what color was the truck ?',
        request_id='a7',
        budget_s=1.5,
        max_tokens=5,
        temperature=0.5,
        allow_partial=False,
        scope=Scope.SHORT_TERM,
        priority=Priority.HIGH,
        max_evidence=1,
        attach_images=True,
        min_confidence=0.3,
        max_doubt=1.0,
    )


def test_a_negative_budget_and_a_temperature_that_is_no_number_reach_the_engines_check() -> None:
    assert to_question(request(latency_budget__sec=-1), DEFAULTS).budget_s == -1.0
    assert math.isnan(to_question(request(temperature=math.nan), DEFAULTS).temperature or 0)


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('priority', 2),
        ('memory_scope', 77),
    ],
)
def test_what_a_question_cannot_say_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(BadRequest, match=field.partition('__')[0]):
        to_question(request(**{field: value}), DEFAULTS)


def test_a_request_says_which_part_of_the_memory_is_read() -> None:
    question = to_question(
        request(
            cameras=['front'],
            time_start__sec=5,
            time_end__sec=9,
            time_end__nanosec=1,
            lookback__sec=2,
            lookback__nanosec=500_000_000,
            as_of__sec=30,
            memory_scope=Ask.Request.SCOPE_LONG_TERM,
        ),
        DEFAULTS,
    )
    assert question.cameras == ('front',)
    assert (question.time_start_ns, question.time_end_ns) == (5 * 10**9, 9 * 10**9 + 1)
    assert (question.lookback_s, question.as_of_ns) == (2.5, 30 * 10**9)
    assert question.scope is Scope.LONG_TERM


def test_choices_are_asked_for_and_the_chosen_one_is_named() -> None:
    assert to_question(request(choices=['yes', 'no']), DEFAULTS).choices == ('yes', 'no')
    response = Ask.Response()
    answer = Answer(Status.NOT_SEEN, text='no', confidence=0.25, choice_index=1)
    fill_response(response, answer, asked_at_ns=0)
    assert (response.status, response.choice_index) == (Ask.Response.STATUS_NOT_SEEN, 1)
    assert response.confidence == 0.25


def test_bytes_that_are_no_utf8_are_refused() -> None:
    as_rclpy_reads_it = b'what \xff\xfe color ?'.decode('utf-8', 'replace')
    with pytest.raises(BadRequest, match='question is not valid UTF-8'):
        to_question(request(question=as_rclpy_reads_it), DEFAULTS)
    with pytest.raises(BadRequest, match='choices is not valid UTF-8'):
        to_question(request(choices=['red', as_rclpy_reads_it]), DEFAULTS)


def test_an_answer_fills_every_field_of_the_response() -> None:
    answer = Answer(
        Status.PARTIAL,
        message='cut by the budget',
        request_id='a7',
        text='red and',
        confidence=0.5,
        evidence=(
            Evidence(
                'front', 12_000_000_001, 'front_optical', 'front/12', 0.75, thumbnail_jpeg=b'jp'
            ),
        ),
        truncated=True,
        finish=Finish.BUDGET,
        scope_used=Scope.SHORT_TERM,
        newest_stamp_ns=13_500_000_000,
        prompt_tokens=9,
        completion_tokens=2,
        frames_considered=4,
        retry_after_s=0.25,
        model_id='tiny',
        degradation=4,
        latency=Latency(total_ms=7.0, prefill_ms=3.0, budget_ms=100.0),
    )
    response = Ask.Response()
    fill_response(response, answer, asked_at_ns=15_000_000_000)
    assert response.status == Ask.Response.STATUS_PARTIAL
    assert response.finish_reason == Ask.Response.FINISH_BUDGET
    assert (response.answer, response.truncated, response.confidence) == ('red and', True, 0.5)
    assert (response.newest_frame.sec, response.newest_frame.nanosec) == (13, 500_000_000)
    assert (response.staleness.sec, response.staleness.nanosec) == (1, 500_000_000)
    assert response.retry_after.nanosec == 250_000_000
    assert response.latency.prefill_ms == 3.0
    assert response.degradation_level == 4
    assert response.choice_index == -1
    (found,) = response.evidence
    assert (found.header.stamp.sec, found.header.stamp.nanosec) == (12, 1)
    assert (found.header.frame_id, found.camera, found.frame_key) == (
        'front_optical',
        'front',
        'front/12',
    )
    assert bytes(found.thumbnail.data) == b'jp'
    assert found.thumbnail.header.stamp == found.header.stamp


def test_no_frame_means_no_newest_frame_and_no_staleness() -> None:
    response = Ask.Response()
    fill_response(response, Answer(Status.NO_EVIDENCE), asked_at_ns=15_000_000_000)
    assert (response.newest_frame.sec, response.staleness.sec) == (0, 0)
    assert (response.confidence, response.choice_index) == (0.0, -1)


def test_without_a_clock_nothing_is_said_of_staleness() -> None:
    response = Ask.Response()
    fill_response(response, Answer(Status.OK, newest_stamp_ns=13_500_000_000), asked_at_ns=0)
    assert (response.newest_frame.sec, response.staleness.sec) == (13, 0)


def test_the_service_always_answers(live_node: Any, fake_engine: Any, client: Client) -> None:
    node = live_node()

    def ask(**fields: Any) -> Any:
        response = client.send('what color was the truck ?', **fields).wait(60)
        assert response is not None
        return response

    assert client.wait_for_server(60)
    early = ask(request_id='r1')
    assert (early.status, early.request_id) == (Ask.Response.STATUS_NOT_ACTIVE, 'r1')
    assert 'unconfigured' in early.status_message
    node.trigger_configure()
    assert 'activate' in ask().status_message
    node.trigger_activate()
    good = ask(request_id='r2')
    assert (good.status, good.answer, good.request_id) == (Ask.Response.STATUS_OK, 'red', 'r2')
    assert good.latency.total_ms > 0

    def broken(question: Question) -> Answer:
        raise RuntimeError('the device is gone')

    fake_engine.answer = broken
    failed = ask(request_id='r3')
    assert (failed.status, failed.request_id) == (Ask.Response.STATUS_ERROR, 'r3')
    assert 'the device is gone' in failed.status_message
    fake_engine.answer = lambda question: Answer(Status.OK, text='red', finish='odd')
    unsaid = ask(request_id='r4')
    assert (unsaid.status, unsaid.request_id) == (Ask.Response.STATUS_ERROR, 'r4')
    assert unsaid.status_message.startswith('ValueError') and unsaid.answer == ''
    assert ask(memory_scope=77).status == Ask.Response.STATUS_INVALID
    fake_engine.answer = None
    assert ask().status == Ask.Response.STATUS_OK


def test_refusals_of_the_node_have_an_id_and_a_budget_and_are_counted(
    live_node: Any, fake_engine: Any, client: Client
) -> None:
    node = live_node()
    assert client.wait_for_server(60)

    def refused(budget_s: float = 0.0, **fields: Any) -> Any:
        return client.send('what color was the truck ?', budget_s=budget_s, **fields).wait(60)

    early = [refused(), refused(budget_s=0.5), refused(budget_s=99.0)]
    assert [r.latency.budget_ms for r in early] == [0.0, 500.0, 30000.0]
    node.trigger_configure()
    node.trigger_activate()
    fake_engine.answer = lambda question: 1 / 0
    late = [refused(memory_scope=77), refused()]
    ids = {r.request_id for r in early + late}
    assert len(ids) == 5 and '' not in ids
    assert node.refused() == {Status.NOT_ACTIVE: 3, Status.INVALID: 1, Status.ERROR: 1}
    fake_engine.answer = None
    assert refused().request_id not in {'', *ids}
    assert sum(node.refused().values()) == 5


def test_fifty_questions_at_once_are_all_answered(
    live_node: Any, fake_engine: Any, client: Client
) -> None:
    node = live_node()
    node.trigger_configure()
    node.trigger_activate()
    room = threading.Semaphore(9)

    def slow(question: Question) -> Answer:
        if not room.acquire(blocking=False):
            return Answer(Status.OVERLOADED, retry_after_s=0.1)
        threading.Event().wait(0.05)
        room.release()
        return Answer(Status.OK)

    fake_engine.answer = slow
    assert client.wait_for_server(60)
    replies = [client.send(f'question {n} ?') for n in range(50)]
    statuses = [reply.wait(60).status for reply in replies]
    assert len(fake_engine.questions) == 50
    assert set(statuses) <= {Ask.Response.STATUS_OK, Ask.Response.STATUS_OVERLOADED}
