# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The service `~/recall`: the frames that a question wants, without an answer in words."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from livevlm_interfaces.srv import Recall
from livevlm_ros.engine.messages import Answer, Question, Status
from livevlm_ros.node.ask_service import REQUESTS_KEPT, Door
from livevlm_ros.node.conversions import nanoseconds, to_duration
from livevlm_ros.node.memory_frame import to_message
from livevlm_ros.node.parameters import Values

MOST_FRAMES = 255
"""More than a question ever reads."""


class RecallService:
    """Serves `~/recall` as `ask` is served: the same queue, budgets and refusals."""

    def __init__(self, node: Node, door: Door, parameters: Callable[[], Values]) -> None:
        """
        Create the service.

        :param parameters: the node's parameter values now
        """
        self._node, self._door, self._parameters = node, door, parameters
        node.create_service(
            Recall,
            '~/recall',
            self._on_recall,
            qos_profile=QoSProfile(depth=REQUESTS_KEPT, reliability=ReliabilityPolicy.RELIABLE),
            callback_group=ReentrantCallbackGroup(),
        )

    def _on_recall(self, request: Any, response: Any) -> Any:
        received_s = time.monotonic()
        try:
            _fill(response, self._answer(request, received_s))
        except Exception as error:
            self._node.get_logger().error(f'recall: {error!r}')
            response = Recall.Response()
            _fill(response, Answer(Status.ERROR, f'{type(error).__name__}: {error}'))
        return response

    def _answer(self, request: Any, received_s: float) -> Answer:
        engine = self._door.engine
        if engine is None:
            return Answer(Status.NOT_ACTIVE, self._door.closed_because)
        if '\ufffd' in request.question:  # rclpy puts it where bytes are not UTF-8
            return Answer(Status.INVALID, 'question is not valid UTF-8, expected UTF-8 text')
        question = to_question(request, self._parameters())
        return engine.begin(question, received_s=received_s).reply()


def to_question(request: Any, parameters: Values) -> Question:
    """Turn a request into a question that says nothing; 0 or empty is the parameter's value."""
    given_s = nanoseconds(request.latency_budget) / 1e9
    return Question(
        text=request.question,
        budget_s=given_s or float(parameters['ask.default_budget']),
        max_tokens=1,
        cameras=tuple(request.cameras),
        time_start_ns=nanoseconds(request.time_start),
        time_end_ns=nanoseconds(request.time_end),
        lookback_s=nanoseconds(request.lookback) / 1e9,
        max_evidence=min(request.max_frames or parameters['ask.max_evidence'], MOST_FRAMES),
        attach_images=request.attach_images,
        recalls=True,
    )


def _fill(response: Any, answer: Answer) -> None:
    response.status, response.status_message = int(answer.status), answer.message
    found: Any = answer.evidence  # of a question that recalls
    response.frames = [to_message(frame) for frame in found]
    response.frames_considered = answer.frames_considered
    for part, took_ms in dataclasses.asdict(answer.latency).items():
        setattr(response.latency, part, float(took_ms))
    response.retry_after = to_duration(answer.retry_after_s)
