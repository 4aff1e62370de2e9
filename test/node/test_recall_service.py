# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from livevlm_interfaces.srv import Ask, Recall
from livevlm_ros.engine.held import HeldFrame
from livevlm_ros.engine.messages import Answer, Latency, Question, Status
from livevlm_ros.node.conversions import pose_of
from livevlm_ros.node.memory_client import MemoryClient
from livevlm_ros.node.parameters import table
from livevlm_ros.node.recall_service import to_question
from livevlm_ros.pose import Pose

HERE = Pose(1.0, 2.0, 0.0)
DEFAULTS = {name: row.default for name, row in table().items()}


@pytest.fixture
def asker() -> Iterator[MemoryClient]:
    """Give a client of the memory of the node in the root namespace."""
    with MemoryClient() as client:
        yield client


def test_a_request_is_a_question_that_says_nothing() -> None:
    request = Recall.Request(question='the truck ?', cameras=['front'], attach_images=True)
    asked = to_question(request, DEFAULTS)
    assert asked == Question(
        'the truck ?',
        budget_s=0.0,
        max_tokens=1,
        cameras=('front',),
        max_evidence=3,
        attach_images=True,
        recalls=True,
    )
    request.latency_budget.nanosec, request.lookback.sec, request.max_frames = 5 * 10**8, 9, 2**31
    asked = to_question(request, DEFAULTS)
    assert (asked.budget_s, asked.lookback_s, asked.max_evidence) == (0.5, 9.0, 255)


def test_frames_come_best_first_or_the_reason_why_not(
    live_node: Callable[..., Any], fake_engine: Any, asker: MemoryClient
) -> None:
    node = live_node()

    def recall(question: str = 'the truck ?') -> Any:
        return asker.call(Recall, 'recall', Recall.Request(question=question))

    early = recall()
    assert early.status == Ask.Response.STATUS_NOT_ACTIVE
    assert early.status_message == 'the node is unconfigured'
    node.trigger_configure()
    assert 'activate' in recall().status_message
    node.trigger_activate()
    fake_engine.answer = lambda question: Answer(
        Status.OK,
        evidence=(
            HeldFrame('front', 12 * 10**9, 'f', 'front/12', 1.0, pose=HERE, archive_tokens=9),
            HeldFrame('front', 11 * 10**9, 'f', 'front/11', 0.5, short_term_tokens=9),
        ),
        frames_considered=46,
        latency=Latency(prefill_ms=3.0, total_ms=7.0),
    )
    found = recall()
    assert found.status == Ask.Response.STATUS_OK
    assert [frame.frame_key for frame in found.frames] == ['front/12', 'front/11']
    assert [frame.score for frame in found.frames] == [1.0, 0.5]
    assert [pose_of(frame) for frame in found.frames] == [HERE, None]
    assert found.frames_considered == 46 and found.latency.prefill_ms == 3.0
    assert fake_engine.questions[-1].recalls
    fake_engine.answer = lambda question: Answer(
        Status.OVERLOADED, 'busy: come back', retry_after_s=1.25
    )
    busy = recall()
    assert (busy.retry_after.sec, busy.retry_after.nanosec) == (1, 250_000_000)

    def broken(question: Question) -> Answer:
        raise RuntimeError('the device is gone')

    fake_engine.answer = broken
    failed = recall()
    assert failed.status == Ask.Response.STATUS_ERROR
    assert 'the device is gone' in failed.status_message
