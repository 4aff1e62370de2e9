# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
`/v1/chat/completions` and `/v1/models`, with the memory in the place of a video.

The last user message is the question, and it stands alone, as in `livevlm chat`: earlier turns are
not read. What would change the answer and cannot be done is refused, never passed over.
"""

from __future__ import annotations

import json
import math
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Literal

import anyio
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from livevlm_ros.engine.messages import ANSWERED, Answer, Finish, NotDone, Question, Status
from livevlm_ros.seconds import LATEST_S, Seconds
from livevlm_ros.tools.agent_words import seen_frames
from livevlm_ros.tools.camera_memory import CameraMemory
from livevlm_ros.tools.growing import Growing

NEUTRAL = {
    'n': 1,
    'top_p': 1,
    'presence_penalty': 0,
    'frequency_penalty': 0,
    'logprobs': False,
    'tools': [],
    'stop': [],
    'response_format': {'type': 'text'},
}
"""Fields of the protocol that may be given with the value that changes nothing."""

HTTP_STATUS = {
    Status.DEADLINE: 504,
    Status.NO_EVIDENCE: 404,
    Status.OVERLOADED: 429,
    Status.NOT_ACTIVE: 503,
    Status.INVALID: 400,
}
CUT = (Finish.LENGTH, Finish.BUDGET)
MOST_TOKENS = 2**16  # more than any model says
MOST_BYTES = 2**20  # of a request
MOST_ANSWERS = 32  # that may be waited for
LOOK_S = 0.1  # between two looks whether the client is still there


class StreamOptions(BaseModel):
    """What a stream brings beside the answer."""

    model_config = ConfigDict(extra='forbid')

    include_usage: bool = False


class Message(BaseModel):
    """One turn."""

    role: Literal['user', 'assistant']
    content: str | list[dict[str, Any]]


class Body(BaseModel):
    """A request; the fields after `metadata` are ours."""

    model_config = ConfigDict(extra='forbid')

    model: str = ''
    messages: Annotated[list[Message], Field(min_length=1)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    user: str = ''
    metadata: dict[str, Any] | None = None
    budget_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    cameras: tuple[str, ...] = ()
    lookback_s: Annotated[float, Field(ge=0, le=LATEST_S)] = 0.0
    as_of_s: Annotated[float, Field(ge=0, le=LATEST_S)] | None = None


class Refused(Exception):
    """A request that has no answer: the HTTP status and what the error says."""

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        kind = 'invalid_request_error' if status < 429 else 'server_error'
        error = {'message': message, 'type': kind, 'param': param, 'code': code}
        self.status, self.body = status, {'error': error}
        self.headers: dict[str, str] = {}

    def response(self) -> Response:
        """Return the reply in the protocol's form."""
        return JSONResponse(self.body, self.status, self.headers)


class Gone(Exception):
    """The client has left: nobody waits for the answer."""


class ChatCompletions:
    """The two endpoints over a camera memory."""

    def __init__(self, memory: CameraMemory) -> None:
        self._memory = memory
        self._waiting = anyio.CapacityLimiter(MOST_ANSWERS)

    @property
    def routes(self) -> list[tuple[str, str, Callable[[Request], Awaitable[Response]]]]:
        """Path, method and function of each endpoint."""
        return [
            ('/v1/models', 'GET', self.models),
            ('/v1/chat/completions', 'POST', self.complete),
        ]

    async def models(self, request: Request) -> Response:
        """List the one model, which reads the memory."""
        try:
            model = await run_in_threadpool(self._model)
        except NotDone as error:
            return Refused(503, str(error)).response()
        entry = {'id': model, 'object': 'model', 'created': 0, 'owned_by': 'livevlm'}
        return JSONResponse({'object': 'list', 'data': [entry]})

    async def complete(self, request: Request) -> Response:
        """Answer the last message, at once or as it grows."""
        try:
            body = _body(await _read(request))
            growing = Growing(self._memory, self._question(body))
            heard = await self._heard(growing, request)
            if body.stream:  # it has begun: until then a refusal has its status
                return self._streamed(growing, heard, body)
            while isinstance(heard, str):
                heard = await self._heard(growing, request)
            return JSONResponse(self._completion(_answered(heard)))
        except Refused as refused:
            return refused.response()
        except NotDone as error:
            return Refused(503, str(error)).response()
        except ValueError as error:
            return Refused(400, str(error)).response()
        except Gone:
            return Response(status_code=499)  # for the log

    async def _heard(self, growing: Growing, request: Request) -> str | Answer:
        """
        Wait for what an answer brings next.

        :raises Gone: when the client leaves, whose question is canceled then
        """
        heard: list[str | Answer] = []

        async def watch(waiting: anyio.CancelScope) -> None:
            while not await request.is_disconnected():
                await anyio.sleep(LOOK_S)
            growing.stop()
            waiting.cancel()

        async with self._waiting, anyio.create_task_group() as tasks:
            tasks.start_soon(watch, tasks.cancel_scope)
            heard.append(await growing.next())
            tasks.cancel_scope.cancel()
        if not heard:
            raise Gone
        return heard[0]

    def _model(self) -> str:
        return self._memory.status().model

    def _question(self, body: Body) -> Question:
        return Question(
            _question_text(body.messages),
            budget_s=body.budget_s or None,
            max_tokens=body.max_completion_tokens or body.max_tokens,
            temperature=body.temperature,
            cameras=body.cameras,
            lookback_s=body.lookback_s,
            as_of_ns=Seconds(self._memory.zero_ns).end_ns(body.as_of_s),
        )

    def _streamed(self, growing: Growing, first: str | Answer, body: Body) -> Response:
        if isinstance(first, Answer):
            _answered(first)
        usage = body.stream_options is not None and body.stream_options.include_usage
        return StreamingResponse(
            self._events(growing, first, usage=usage), media_type='text/event-stream'
        )

    async def _events(
        self, growing: Growing, first: str | Answer, *, usage: bool
    ) -> AsyncIterator[str]:
        head = _head('chat.completion.chunk')
        said = ''

        def chunk(delta: dict[str, str], reason: str | None = None, **more: Any) -> str:
            choice = {'index': 0, 'delta': delta, 'finish_reason': reason}
            return _event({**head, 'choices': [choice], **more})

        try:
            yield chunk({'role': 'assistant', 'content': ''})
            now = first
            while isinstance(now, str):
                if len(now) > len(said):
                    yield chunk({'content': now[len(said) :]})
                    said = now
                now = await growing.next()
            try:
                answer = _answered(now)
            except Refused as refused:
                yield _event(refused.body)
                return
            head['model'] = answer.model_id
            if rest := answer.text[len(said) :]:
                yield chunk({'content': rest})
            yield chunk({}, _finish_reason(answer), livevlm=self._told(answer))
            if usage:
                yield _event({**head, 'choices': [], 'usage': _usage(answer)})
            yield 'data: [DONE]\n\n'
        finally:
            growing.stop()  # whoever listened may have gone

    def _completion(self, answer: Answer) -> dict[str, Any]:
        message = {'role': 'assistant', 'content': answer.text, 'refusal': None}
        choice = {'index': 0, 'message': message, 'finish_reason': _finish_reason(answer)}
        return {
            **_head('chat.completion', answer.model_id),
            'choices': [choice],
            'usage': _usage(answer),
            'livevlm': self._told(answer),
        }

    def _told(self, answer: Answer) -> dict[str, Any]:
        """Return what the protocol has no field for."""
        seconds = Seconds(self._memory.zero_ns)
        frames = seen_frames(answer.evidence, seconds)
        return {
            'status': answer.status.name,
            'message': answer.message,
            'confidence': round(answer.confidence, 4),
            'newest_s': seconds.told(answer.newest_stamp_ns),
            'evidence': [frame.model_dump(mode='json') for frame in frames],
        }


async def _read(request: Request) -> bytes:
    """Read the body of a request, or refuse a long one."""
    body = b''
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise Refused(413, f'the request has more than {MOST_BYTES} bytes')
    return body


def _body(text: bytes) -> Body:
    """Read a request, or refuse it naming the field."""
    try:
        given = json.loads(text)
    except ValueError as error:
        raise Refused(400, f'the body is no JSON: {error}') from error
    if not isinstance(given, dict):
        raise Refused(400, f'the body is {type(given).__name__}, expected an object')
    for name, value in NEUTRAL.items():
        if (got := given.pop(name, None)) not in (None, value):
            message = f'{name}: got {got!r}, expected {value!r} or nothing: it is not supported'
            raise Refused(400, message, param=name, code='unsupported_parameter')
    given = {name: value for name, value in given.items() if value is not None}
    _refuse_roles(given.get('messages'))
    try:
        return Body.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        param = '.'.join(map(str, first['loc']))
        got = (
            '' if first['type'] in ('missing', 'extra_forbidden') else f': got {first["input"]!r}'
        )
        raise Refused(400, f'{param}{got}: {first["msg"]}', param=param) from error


def _refuse_roles(messages: Any) -> None:
    for place, message in enumerate(messages if isinstance(messages, list) else ()):
        role = message.get('role') if isinstance(message, dict) else None
        if role in ('system', 'developer', 'tool', 'function'):
            raise Refused(
                400,
                f'messages[{place}]: got the role {role!r}, expected user or assistant: the '
                'memory takes questions, no instructions; leave it out',
                param=f'messages[{place}].role',
            )


def _question_text(messages: list[Message]) -> str:
    place, last = len(messages) - 1, messages[-1]
    if last.role != 'user':
        raise Refused(
            400,
            f'messages[{place}]: the last message is of the {last.role}, expected the user',
            param=f'messages[{place}].role',
        )
    if isinstance(last.content, str):
        return last.content
    texts = []
    for number, part in enumerate(last.content):
        kind = part.get('type')
        if kind != 'text' or not isinstance(part.get('text'), str):
            where = f'messages[{place}].content[{number}]'
            raise Refused(
                400,
                f'{where}: got a part of type {kind!r}, expected text: the pictures are those of '
                'the memory, no others are taken',
                param=where,
            )
        texts.append(part['text'])
    return '\n'.join(texts)


def _answered(answer: Answer) -> Answer:
    """Return an answer that is one, or refuse with what it says."""
    if answer.status in ANSWERED:
        return answer
    refused = Refused(
        HTTP_STATUS.get(answer.status, 500), answer.message, code=answer.status.name.lower()
    )
    if answer.status is Status.OVERLOADED:
        refused.headers['Retry-After'] = str(math.ceil(answer.retry_after_s))
    raise refused


def _finish_reason(answer: Answer) -> str:
    return 'length' if answer.finish in CUT else 'stop'


def _usage(answer: Answer) -> dict[str, int]:
    prompt, completion = answer.prompt_tokens, answer.completion_tokens
    return {
        'prompt_tokens': prompt,
        'completion_tokens': completion,
        'total_tokens': prompt + completion,
    }


def _head(kind: str, model: str = '') -> dict[str, Any]:
    return {
        'id': f'chatcmpl-{uuid.uuid4().hex}',
        'object': kind,
        'created': int(time.time()),
        'model': model,
    }


def _event(told: dict[str, Any]) -> str:
    return f'data: {json.dumps(told)}\n\n'
