# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

from collections.abc import Callable
from typing import Any

from livevlm_interfaces.msg import AnswerRecord
from livevlm_ros.engine.messages import Answer, Evidence, Finish, Latency, Question, Status
from livevlm_ros.node.client import Client


def test_every_reply_is_recorded_with_its_question(
    ros: Any, live_node: Any, fake_engine: Any, client: Client, eventually: Callable[..., Any]
) -> None:
    def answer(question: Question) -> Answer:
        return Answer(
            Status.PARTIAL,
            message='cut',
            request_id=question.request_id,
            text='red',
            evidence=(Evidence('front', 12 * 10**9, 'f', 'front/12', 0.75, thumbnail_jpeg=b'jp'),),
            truncated=True,
            finish=Finish.BUDGET,
            newest_stamp_ns=13 * 10**9,
            latency=Latency(prefill_ms=3.0),
            model_id='tiny',
            degradation=4,
        )

    fake_engine.answer = answer
    records: list[Any] = []
    ros.node('recorder').create_subscription(AnswerRecord, '/livevlm/answers', records.append, 10)
    node = live_node()
    assert client.wait_for_server(60) and client.wait_for_stream_server(60)
    eventually(lambda: node.count_subscribers('/livevlm/answers'))

    def ask(**fields: Any) -> Any:
        response = client.send('what drove by ?', **fields).wait(60)
        eventually(lambda: records and records[-1].request_id == response.request_id)
        return response

    early = ask()
    assert (records[-1].status, records[-1].client) == (early.status, 'ask')
    assert records[-1].status_message == early.status_message
    node.trigger_configure()
    node.trigger_activate()
    response = ask(request_id='r1', cameras=['camera'], attach_evidence_images=True)
    record = records[-1]
    for name in AnswerRecord.get_fields_and_field_types().keys() & (
        response.get_fields_and_field_types().keys() - {'evidence'}
    ):
        if name != 'confidence':  # may be no number
            assert getattr(record, name) == getattr(response, name), name
    assert (record.question, record.request_id) == ('what drove by ?', 'r1')
    assert list(record.cameras) == ['camera']
    assert record.header.stamp.sec >= response.asked_at.sec
    (bare,), (shown,) = record.evidence, response.evidence
    assert bytes(shown.thumbnail.data) == b'jp' and not bare.thumbnail.data
    assert (bare.header, bare.camera, bare.frame_key, bare.score) == (
        shown.header,
        shown.camera,
        shown.frame_key,
        shown.score,
    )
    stream = client.stream('and now ?', lambda feedback: None)
    assert stream.wait(60).status == Status.PARTIAL
    eventually(lambda: records[-1].client == 'ask_stream')
    assert (records[-1].question, records[-1].answer) == ('and now ?', 'red')
