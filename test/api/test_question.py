# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fields of a question, on their way to the engine's."""

from typing import Any

import pytest

from livevlm_ros.api.question import Fields, question_of
from livevlm_ros.engine.messages import Priority, Question, Scope
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.seconds import MICROSECOND_NS, Seconds

ZERO = Seconds(5 * 10**9)


def test_without_fields_there_is_no_deadline_and_pictures_come() -> None:
    asked = question_of('why ?', {}, ZERO)
    assert asked == Question('why ?', unlimited=True, attach_images=True)


def test_every_field_of_a_question_can_be_given() -> None:
    given: Any = {
        'budget_s': 1.5,
        'allow_partial': False,
        'max_tokens': 7,
        'temperature': 0.5,
        'scope': 'short-term',
        'cameras': ['front'],
        'time_start_s': 1.0,
        'time_end_s': 2.0,
        'lookback_s': 3.0,
        'as_of_s': 4.0,
        'choices': ['yes', 'no'],
        'min_confidence': 0.1,
        'max_doubt': 2.0,
        'max_evidence': 2,
        'attach_images': False,
        'priority': 'high',
        'request_id': 'mine',
    }
    assert given.keys() == Fields.__annotations__.keys()
    assert question_of('why ?', given, ZERO) == Question(
        'why ?',
        budget_s=1.5,
        allow_partial=False,
        max_tokens=7,
        temperature=0.5,
        scope=Scope.SHORT_TERM,
        cameras=('front',),
        time_start_ns=6 * 10**9 - MICROSECOND_NS,
        time_end_ns=7 * 10**9 + MICROSECOND_NS,
        lookback_s=3.0,
        as_of_ns=9 * 10**9 + MICROSECOND_NS,
        choices=('yes', 'no'),
        min_confidence=0.1,
        max_doubt=2.0,
        max_evidence=2,
        attach_images=False,
        priority=Priority.HIGH,
        request_id='mine',
    )
    own = {'text', 'recalls', 'unlimited'}  # not of a request
    known = {name.replace('_ns', '_s') for name in Question.__slots__} - own
    assert known == given.keys()


def test_a_lone_text_is_not_its_letters() -> None:
    assert question_of('why ?', {'cameras': 'front'}, ZERO).cameras == ('front',)


def test_unknown_fields_and_names_are_refused() -> None:
    unknown: Any = {'budget': 1}
    with pytest.raises(TypeError, match="no field 'budget'; expected some of budget_s, "):
        question_of('why ?', unknown, ZERO)
    wrong: Any = {'priority': 'highest'}
    with pytest.raises(BadInput, match="priority: got 'highest', expected one of normal, high"):
        question_of('why ?', wrong, ZERO)
