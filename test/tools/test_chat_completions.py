# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`/v1` by the client library of the protocol, over HTTP."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip('mcp')
pytest.importorskip('openai')

import httpx2
import openai

from livevlm_ros.engine.messages import Answer, Finish, NotDone, Status

ASKED = [{'role': 'user', 'content': 'where is it ?'}]
TALK = [
    {'role': 'user', 'content': 'is it there ?'},
    {'role': 'assistant', 'content': 'yes'},
    {
        'role': 'user',
        'content': [{'type': 'text', 'text': 'where'}, {'type': 'text', 'text': '?'}],
    },
]
PICTURE = {'type': 'image_url', 'image_url': {'url': 'data:image/png;base64,AA=='}}
WAIT_S = 30.0


def _slowly() -> Iterator[str]:
    for number in itertools.count(1):
        time.sleep(0.01)
        yield 'word ' * number


def _nothing_yet() -> Iterator[str]:
    while True:
        time.sleep(0.01)
        yield ''


@pytest.fixture
def client(served: Callable[..., str]) -> Iterator[Any]:
    """Give a client whose key is the token."""
    address = served(token='key')
    with openai.OpenAI(
        base_url=f'{address}/v1', api_key='key', max_retries=0, timeout=WAIT_S
    ) as client:
        yield client


def test_the_last_message_is_the_question_and_the_reply_is_whole(
    client: Any, scripted: Any
) -> None:
    reply = client.chat.completions.create(
        model='any', messages=TALK, max_tokens=12, temperature=0.5, n=1, top_p=1.0
    )
    (asked,) = scripted.questions
    assert (asked.text, asked.max_tokens, asked.temperature) == ('where\n?', 12, 0.5)
    choice = reply.choices[0]
    assert (choice.message.content, choice.finish_reason) == ('on the left', 'stop')
    usage = reply.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (7, 3, 10)
    assert (reply.model, reply.object) == ('scripted', 'chat.completion')
    assert reply.livevlm['evidence'][0]['pose']['x'] == 1.5
    assert (reply.livevlm['confidence'], reply.livevlm['newest_s']) == (0.75, 10.0)


def test_what_a_question_reads_are_fields_of_our_own(client: Any, scripted: Any) -> None:
    body = {'budget_s': 2, 'cameras': ['front'], 'lookback_s': 60, 'as_of_s': 8}
    client.chat.completions.create(model='', messages=ASKED, extra_body=body)
    (asked,) = scripted.questions
    assert (asked.budget_s, asked.cameras, asked.lookback_s) == (2.0, ('front',), 60.0)
    assert 0 <= asked.as_of_ns - 8 * 10**9 <= 1000


def test_a_stream_brings_the_answer_in_pieces_and_what_it_cost(client: Any) -> None:
    stream = client.chat.completions.create(
        model='any', messages=ASKED, stream=True, stream_options={'include_usage': True}
    )
    *chunks, usage = list(stream)
    deltas = [chunk.choices[0].delta.content for chunk in chunks]
    assert [delta for delta in deltas if delta] == ['on', ' the', ' left']
    assert chunks[0].choices[0].delta.role == 'assistant'
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * 4 + ['stop']
    assert chunks[-1].livevlm['evidence'] and (usage.choices, usage.usage.total_tokens) == ([], 10)
    assert len({chunk.id for chunk in (*chunks, usage)}) == 1


def test_a_stream_comes_while_the_answer_grows(client: Any, scripted: Any) -> None:
    scripted.go_on.clear()
    with client.chat.completions.create(model='', messages=ASKED, stream=True) as stream:
        said = (chunk.choices[0].delta.content for chunk in stream)
        assert next(text for text in said if text) == 'on'
        assert not scripted.said.is_set()
        scripted.go_on.set()
        assert ''.join(filter(None, said)) == ' the left'


def test_the_answer_ends_when_nobody_listens_any_more(client: Any, scripted: Any) -> None:
    scripted.pieces = _slowly()
    with client.chat.completions.create(model='', messages=ASKED, stream=True) as stream:
        next(iter(stream))
    assert scripted.cut.wait(WAIT_S)


@pytest.mark.parametrize('stream', [False, True])
def test_a_client_that_leaves_before_the_first_word_is_not_answered(
    served: Callable[..., str], scripted: Any, stream: bool
) -> None:
    scripted.pieces = _nothing_yet()
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(
            f'{served()}/v1/chat/completions',
            json={'messages': ASKED, 'stream': stream},
            timeout=0.5,
        )
    assert scripted.cut.wait(WAIT_S)


def test_a_request_without_end_is_refused(served: Callable[..., str]) -> None:
    headers = {'Content-Type': 'application/json'}
    reply = httpx2.post(
        f'{served()}/v1/chat/completions', content=b' ' * 2**21, headers=headers, timeout=WAIT_S
    )
    assert reply.status_code == 413
    assert 'more than 1048576 bytes' in reply.json()['error']['message']


def test_an_answer_that_was_cut_says_so(client: Any, scripted: Any) -> None:
    scripted.answer = Answer(Status.PARTIAL, text='on the', finish=Finish.LENGTH)
    reply = client.chat.completions.create(model='', messages=ASKED, max_completion_tokens=2)
    assert reply.choices[0].finish_reason == 'length'
    assert scripted.questions[0].max_tokens == 2


@pytest.mark.parametrize('stream', [False, True])
@pytest.mark.parametrize(
    ('status', 'kind', 'code'),
    [
        (Status.INVALID, 'BadRequestError', 'invalid'),
        (Status.NO_EVIDENCE, 'NotFoundError', 'no_evidence'),
        (Status.OVERLOADED, 'RateLimitError', 'overloaded'),
        (Status.NOT_ACTIVE, 'InternalServerError', 'not_active'),
        (Status.DEADLINE, 'InternalServerError', 'deadline'),
    ],
)
def test_why_there_is_no_answer_has_a_status_of_its_own(
    client: Any, scripted: Any, status: Status, kind: str, code: str, stream: bool
) -> None:
    scripted.answer = Answer(status, 'the reason', retry_after_s=1.2)
    with pytest.raises(getattr(openai, kind)) as caught:
        client.chat.completions.create(model='', messages=ASKED, stream=stream)
    assert (caught.value.body['message'], caught.value.body['code']) == ('the reason', code)
    if status is Status.OVERLOADED:
        assert caught.value.response.headers['Retry-After'] == '2'


def test_an_error_after_the_first_word_ends_the_stream(client: Any, scripted: Any) -> None:
    scripted.answer = Answer(Status.ERROR, 'out of memory', text='on')
    with pytest.raises(openai.APIError, match='out of memory'):
        list(client.chat.completions.create(model='', messages=ASKED, stream=True))


@pytest.mark.parametrize(
    ('given', 'said'),
    [
        ({'messages': []}, 'messages'),
        ({'messages': [{'role': 'system', 'content': 'be brief'}, *ASKED]}, "role 'system'"),
        ({'messages': [*ASKED, {'role': 'assistant', 'content': 'a'}]}, 'expected the user'),
        ({'messages': [{'role': 'user', 'content': [PICTURE]}]}, 'expected text: the pictures'),
        ({'n': 2}, 'n: got 2, expected 1'),
        ({'tools': [{'type': 'function', 'function': {'name': 'f'}}]}, 'tools: got'),
        ({'seed': 7}, 'seed: Extra inputs'),
        ({'max_tokens': 0}, 'max_tokens: got 0'),
        ({'extra_body': {'budget_s': -1}}, 'budget_s: got -1'),
        ({'extra_body': {'camera': 'front'}}, 'camera: Extra inputs'),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(
    client: Any, scripted: Any, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**{'model': '', 'messages': ASKED, **given})
    assert said in caught.value.body['message']
    assert caught.value.body['type'] == 'invalid_request_error'
    assert not scripted.questions


@pytest.mark.parametrize('body', [b'', b'{', b'[]', b'\xff'])
def test_a_body_that_is_no_object_is_refused(client: Any, body: bytes) -> None:
    headers = {'Content-Type': 'application/json'}
    with pytest.raises(openai.BadRequestError, match='the body is'):
        client.post(
            '/chat/completions', content=body, cast_to=object, options={'headers': headers}
        )


def test_the_one_model_is_listed(client: Any, scripted: Any, monkeypatch: Any) -> None:
    assert [model.id for model in client.models.list()] == ['scripted']

    def gone() -> Any:
        raise NotDone('no node serves it')

    monkeypatch.setattr(scripted, 'status', gone)
    with pytest.raises(openai.InternalServerError, match='no node serves it'):
        client.models.list()


def test_a_wrong_key_is_an_authentication_error(client: Any) -> None:
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key='other').models.list()
