# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The service `ask`: a request becomes a question to the engine, its answer the response."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_system_default
from rclpy.service_introspection import ServiceIntrospectionState

from livevlm_interfaces.msg import Evidence as EvidenceMessage
from livevlm_interfaces.srv import Ask
from livevlm_ros.engine.messages import (
    Answer,
    Evidence,
    Latency,
    Priority,
    Question,
    Scope,
    Status,
)
from livevlm_ros.node.conversions import (
    attach_pose,
    attach_thumbnail,
    nanoseconds,
    to_duration,
    to_time,
)
from livevlm_ros.node.parameters import Values

if TYPE_CHECKING:
    from livevlm_ros.engine import Inquiry

REQUESTS_KEPT = (
    100  # by the middleware, until a thread takes them; the default of 10 would lose some
)
INTROSPECTION = {
    'off': ServiceIntrospectionState.OFF,
    'metadata': ServiceIntrospectionState.METADATA,
    'contents': ServiceIntrospectionState.CONTENTS,
}


class BadRequest(ValueError):
    """A request that cannot be asked: names the field, what it holds and what was expected."""


class Asked(Protocol):
    """What answers: the engine, or None while the node is not active."""

    def begin(self, question: Question, *, received_s: float | None = None) -> Inquiry:
        """Take a question, to be answered inside its budget."""


Record = Callable[[Any, Any, str], None]
"""Keeps a request, its response, and the name of what it came by."""


@dataclass(slots=True)
class Door:
    """What the service asks behind: set by the node's transitions, read by every request."""

    engine: Asked | None = None
    closed_because: str = 'the node is unconfigured'


class AskService:
    """Serves `ask` from the node's first moment: with STATUS_NOT_ACTIVE while no engine runs."""

    def __init__(
        self, node: Node, door: Door, parameters: Callable[[], Values], record: Record
    ) -> None:
        """
        Create the service; requests are served in parallel.

        :param parameters: the node's parameter values now
        :param record: called with each reply
        """
        self._node = node
        self._door = door
        self._parameters = parameters
        self._record = record
        self._ids = itertools.count(1)
        self._refused: Counter[Status] = Counter()
        self._counting = threading.Lock()
        self._service = node.create_service(
            Ask,
            'ask',
            self._on_ask,
            qos_profile=QoSProfile(depth=REQUESTS_KEPT, reliability=ReliabilityPolicy.RELIABLE),
            callback_group=ReentrantCallbackGroup(),
        )

    def set_introspection(self, level: str) -> None:
        """Publish nothing, metadata or contents of each question on `ask/_service_event`."""
        self._service.configure_introspection(
            self._node.get_clock(), qos_profile_system_default, INTROSPECTION[level]
        )

    def refused(self) -> dict[Status, int]:
        """Return how many replies the engine has not seen, by status."""
        with self._counting:
            return dict(self._refused)

    def _on_ask(self, request: Any, response: Any) -> Any:
        return self.answer(request, response, by='ask', follow=lambda inquiry: inquiry.reply())

    def answer(
        self, request: Any, response: Any, *, by: str, follow: Callable[[Inquiry], Answer]
    ) -> Any:
        """
        Return the response, filled in; or another one, where it cannot be.

        :param by: name of the interface that the request came by
        :param follow: takes the reply of a question that the engine has begun
        """
        received_s = time.monotonic()
        request.request_id = request.request_id or f'q{next(self._ids)}'
        asked_at_ns = self._node.get_clock().now().nanoseconds
        try:
            answer = self._answer(request, received_s, follow)
            fill_response(response, answer, asked_at_ns=asked_at_ns)
        except Exception as error:
            self._node.get_logger().error(f'{by}: {error!r}')
            refusal = self._refusal(request, Status.ERROR, f'{type(error).__name__}: {error}')
            response = type(response)()  # the other one may be half filled
            fill_response(response, refusal, asked_at_ns=asked_at_ns)
        _take_time(response.latency, received_s)
        self._record(request, response, by)
        return response

    def _answer(
        self, request: Any, received_s: float, follow: Callable[[Inquiry], Answer]
    ) -> Answer:
        try:
            question = to_question(request, self._parameters())
        except BadRequest as error:
            return self._refusal(request, Status.INVALID, str(error))
        engine = self._door.engine
        if engine is None:
            return self._refusal(request, Status.NOT_ACTIVE, self._door.closed_because)
        return follow(engine.begin(question, received_s=received_s))

    def _refusal(self, request: Any, status: Status, message: str) -> Answer:
        """Reply without the engine, and count it."""
        with self._counting:
            self._refused[status] += 1
        parameters = self._parameters()
        budget_s = min(_budget_s(request, parameters), parameters['ask.max_budget'])
        latency = Latency(budget_ms=1e3 * max(budget_s, 0.0))
        return Answer(status, message, request.request_id, latency=latency)


def to_question(request: Any, parameters: Values) -> Question:
    """
    Turn an `Ask` request or an `AskStream` goal into a question.

    What is 0 or empty becomes the parameter's value. The engine checks the ranges; what a
    `Question` cannot say is refused by name.

    :raises BadRequest: for bytes that are no text, and constants that do not exist
    """
    _refuse_unknown(request)
    for field, texts in (('question', [request.question]), ('choices', request.choices)):
        if any('\ufffd' in text for text in texts):  # rclpy puts it where bytes are not UTF-8
            raise BadRequest(f'{field} is not valid UTF-8, expected UTF-8 text')
    use_default = request.temperature < 0
    return Question(
        text=request.question,
        request_id=request.request_id,
        budget_s=_budget_s(request, parameters),
        max_tokens=request.max_tokens or parameters['ask.default_max_tokens'],
        temperature=parameters['ask.temperature'] if use_default else request.temperature,
        allow_partial=request.allow_partial,
        scope=Scope(request.memory_scope),
        cameras=tuple(request.cameras),
        time_start_ns=nanoseconds(request.time_start),
        time_end_ns=nanoseconds(request.time_end),
        lookback_s=nanoseconds(request.lookback) / 1e9,
        as_of_ns=nanoseconds(request.as_of),
        priority=Priority(request.priority),
        max_evidence=request.max_evidence or parameters['ask.max_evidence'],
        attach_images=request.attach_evidence_images,
        min_confidence=parameters['ask.min_confidence'],
        max_doubt=parameters['ask.max_doubt'],
        choices=tuple(request.choices),
    )


def _budget_s(request: Any, parameters: Values) -> float:
    given_s = request.latency_budget.sec + request.latency_budget.nanosec * 1e-9
    return float(given_s or parameters['ask.default_budget'])


def _refuse_unknown(request: Any) -> None:
    """Refuse constants that the interface does not have, by name."""
    for field, kind in (('memory_scope', Scope), ('priority', Priority)):
        given = getattr(request, field)
        if given not in set(kind):
            prefix = field.removeprefix('memory_').upper()
            known = ', '.join(f'{prefix}_{value.name} ({value.value})' for value in kind)
            raise BadRequest(f'{field} is {given}, expected one of {known}')


def fill_response(response: Any, answer: Answer, *, asked_at_ns: int) -> None:
    """Write an answer into an `Ask` response or an `AskStream` result."""
    response.status = int(answer.status)
    response.status_message = answer.message
    response.request_id = answer.request_id
    response.answer = answer.text
    response.confidence = answer.confidence
    response.choice_index = answer.choice_index
    response.evidence = [to_evidence(found) for found in answer.evidence]
    response.truncated = answer.truncated
    response.finish_reason = int(answer.finish)
    response.scope_used = int(answer.scope_used)
    response.asked_at = to_time(asked_at_ns)
    if answer.newest_stamp_ns:
        response.newest_frame = to_time(answer.newest_stamp_ns)
        if asked_at_ns:  # else nothing has come on /clock
            response.staleness = to_duration((asked_at_ns - answer.newest_stamp_ns) / 1e9)
    for part, took_ms in dataclasses.asdict(answer.latency).items():
        setattr(response.latency, part, float(took_ms))
    response.prompt_tokens = answer.prompt_tokens
    response.completion_tokens = answer.completion_tokens
    response.frames_considered = answer.frames_considered
    response.retry_after = to_duration(answer.retry_after_s)
    response.model_id = answer.model_id
    response.degradation_level = answer.degradation


def _take_time(latency: Any, received_s: float) -> None:
    """Count the node's own work as post-processing, so that the total is that of the callback."""
    total_ms = 1e3 * (time.monotonic() - received_s)
    latency.postprocess_ms += max(total_ms - latency.total_ms, 0.0)
    latency.total_ms = max(total_ms, latency.total_ms)


def to_evidence(found: Evidence) -> EvidenceMessage:
    """Return an evidence frame as its message."""
    message = EvidenceMessage(
        camera=found.camera, frame_key=found.frame_key, source=int(found.source), score=found.score
    )
    message.header.stamp = to_time(found.stamp_ns)
    message.header.frame_id = found.frame_id
    attach_pose(message, found.pose)
    attach_thumbnail(message, found.thumbnail_jpeg)
    return message
