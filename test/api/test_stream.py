# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An answer that grows under the hands of a test."""

from typing import Any

import pytest

from livevlm_ros.api.stream import Stream
from livevlm_ros.engine.messages import Answer, Question, Status
from livevlm_ros.engine.messages import NotDone as EngineNotDone
from livevlm_ros.replay.errors import BadInput


def test_each_token_is_told_as_it_comes(fake_inquiry: Any) -> None:
    inquiry = fake_inquiry(Question('why ?'), None, held=True)
    stream = Stream(inquiry, 0)
    for piece in ('on', ' the', ' left'):
        inquiry.say(piece)
        assert next(stream) == piece
    inquiry.say(' side')
    inquiry.end()
    assert ''.join(stream) == ' side'
    assert stream.answer.text == 'on the left side' and stream.answer.status is Status.OK
    assert list(stream) == []


def test_what_is_dropped_is_canceled(fake_inquiry: Any) -> None:
    inquiry = fake_inquiry(Question('why ?'), None, held=True)
    inquiry.say('on')
    for piece in Stream(inquiry, 0):
        assert piece == 'on'
        break
    assert inquiry.canceled


def test_what_is_dropped_before_its_first_word_is_canceled_too(fake_inquiry: Any) -> None:
    inquiry = fake_inquiry(Question('why ?'), None, held=True)
    stream = Stream(inquiry, 0)
    assert not inquiry.canceled
    del stream
    assert inquiry.canceled


def test_it_can_be_canceled(fake_inquiry: Any) -> None:
    inquiry = fake_inquiry(Question('why ?'), None, held=True)
    stream = Stream(inquiry, 0)
    inquiry.say('on')
    next(stream)
    stream.cancel()
    assert list(stream) == [] and stream.answer.status is Status.CANCELED
    assert stream.answer.text == 'on'


@pytest.mark.parametrize(
    ('status', 'error'),
    [
        (Status.INVALID, BadInput),
        (Status.ERROR, EngineNotDone),
        (Status.NOT_ACTIVE, EngineNotDone),
    ],
)
def test_what_is_no_answer_is_raised_as_often_as_it_is_asked_for(
    fake_inquiry: Any, status: Status, error: type[Exception]
) -> None:
    inquiry = fake_inquiry(Question('why ?'), lambda _: Answer(status, 'so'), held=False)
    stream = Stream(inquiry, 0)
    for _ in range(2):
        with pytest.raises(error, match='^so$'):
            _ = stream.answer
    with pytest.raises(error, match='^so$'):
        next(stream)
