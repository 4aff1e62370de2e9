# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera memory that is a running node's: a chat's partner, and what programs use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from livevlm_ros.engine.messages import Answer, Question, Status
from livevlm_ros.node.ask_client import CANCEL_S, Wish
from livevlm_ros.node.client import not_found
from livevlm_ros.node.conversions import nanoseconds
from livevlm_ros.node.from_messages import to_answer
from livevlm_ros.node.memory_client import MemoryClient
from livevlm_ros.node.remote_memory import RemoteMemory, RemoteWatches
from livevlm_ros.node.stream import Stream
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.tools.camera_memory import Enough, MemoryStatus

FIND_S = 5.0


class Running:
    """
    Answers by a node's `ask_stream`. A context manager.

    :param namespace: of the node, '' for the root
    :raises BadInput: when no node is there
    """

    zero_ns = 0  # a node's times are header stamps

    def __init__(self, namespace: str = '') -> None:
        self._client = MemoryClient(namespace=namespace)
        self.memory = RemoteMemory(self._client)
        self.watches = RemoteWatches(self._client)
        if not self._client.wait_for_stream_server(FIND_S):
            self._client.close()
            raise BadInput(not_found(f'{self._client.service}_stream', FIND_S))

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *raised: object) -> None:
        self._client.close()

    def ask(self, question: Question, hear: Callable[[str], None]) -> Answer:
        """Answer in the node's own time; Ctrl-C ends the answer with what has been said."""
        heard: list[str] = []
        stream: Stream | None = None

        def on_feedback(feedback: Any) -> None:
            heard.append(feedback.delta)
            try:
                hear(''.join(heard))
            except Enough:
                if stream is not None:
                    stream.cancel()

        wish = _wish(question)
        stream = self._client.stream(question.text, on_feedback, **wish.request)
        try:
            result = stream.wait(wish.patience_s)
        except KeyboardInterrupt:
            stream.cancel()
            result = stream.wait(CANCEL_S)
        if result is None:
            return Answer(Status.ERROR, 'no reply came in time: did the node end?')
        return to_answer(result)

    def recall(self, question: Question) -> Answer:
        """Return the frames that a question wants."""
        return self.memory.recall(question)

    def status(self) -> MemoryStatus:
        """Say what the node is, and what it holds."""
        info, state = self.memory.info(), self._client.state()
        return MemoryStatus(
            model=info.model_id,
            device=info.device,
            preset=info.preset,
            memory_id=info.memory_id,
            kept=info.horizon,
            usual_budget_s=info.usual_budget,
            paused=state.paused,
            newest_ns={camera.name: nanoseconds(camera.last_stamp) for camera in state.cameras},
            oldest_ns=nanoseconds(state.oldest),
            device_bytes=state.device_bytes,
            host_bytes=state.host_bytes,
            disk_bytes=state.disk_bytes,
        )


def _wish(question: Question) -> Wish:
    fields: dict[str, Any] = {
        'latency_budget': question.budget_s or 0.0,
        'max_tokens': question.max_tokens or 0,
        'temperature': -1.0 if question.temperature is None else question.temperature,
        'memory_scope': int(question.scope),
        'lookback': question.lookback_s,
        'cameras': list(question.cameras),
        'as_of': question.as_of_ns,
        'allow_partial': True,
        'choices': list(question.choices),
    }
    return Wish(question.text, fields, evidence=Path() if question.attach_images else None)
