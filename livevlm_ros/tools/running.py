# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A chat's partner that is a running node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from livevlm_ros.engine.messages import Answer, Question, Status
from livevlm_ros.node.ask_client import CANCEL_S, Wish
from livevlm_ros.node.client import Client, not_found
from livevlm_ros.node.told import to_answer
from livevlm_ros.replay.errors import BadInput

FIND_S = 5.0


class Running:
    """
    Answers by a node's `ask_stream`. A context manager.

    :param namespace: of the node, '' for the root
    :raises BadInput: when no node is there
    """

    zero_ns = 0  # a node's times are header stamps

    def __init__(self, namespace: str = '') -> None:
        self._client = Client(namespace=namespace)
        if not self._client.wait_for_stream_server(FIND_S):
            self._client.close()
            raise BadInput(not_found(f'{self._client.service}_stream', FIND_S))

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def ask(self, question: Question, hear: Callable[[str], None]) -> Answer:
        """Answer in the node's own time; Ctrl-C ends the answer with what has been said."""
        heard: list[str] = []

        def on_feedback(feedback: Any) -> None:
            heard.append(feedback.delta)
            hear(''.join(heard))

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


def _wish(question: Question) -> Wish:
    fields: dict[str, Any] = {
        'memory_scope': int(question.scope),
        'lookback': question.lookback_s,
        'cameras': list(question.cameras),
        'as_of': question.as_of_ns,
        'allow_partial': True,
    }
    return Wish(question.text, fields, evidence=Path() if question.attach_images else None)
