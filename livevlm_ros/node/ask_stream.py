# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The action `ask_stream`: the question of the service `ask`, its answer told as it grows.

A goal is accepted in every state of the node and ends with a result that says what became of it,
as the service's response does. The question of a goal that is canceled, or whose client has left,
makes room at once.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from rclpy.action import ActionServer, CancelResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile

from livevlm_interfaces.action import AskStream as Action
from livevlm_ros.engine.messages import ANSWERED, Answer, Phase, Progress, Status
from livevlm_ros.node.conversions import to_duration

if TYPE_CHECKING:
    from livevlm_ros.engine import Inquiry

NAME = 'ask_stream'
COALESCED_S = 0.03  # shortest time between two feedbacks; a cancel is seen within twice as much
FEEDBACK_KEPT = 100  # by the middleware, for a client that lags
RESULT_KEPT_S = 60  # for a client that fetches it late; rclpy's default is 10 s
LOOK_S = 0.5  # between two looks whether the client is still there

SUCCEEDED = ANSWERED | {Status.NO_EVIDENCE}
"""With these the goal has succeeded; with all others but CANCELED it is aborted."""


class AskStream:
    """Serves the action; each goal holds a thread of the executor, as a question to `ask` does."""

    def __init__(self, node: Node, answer: Callable[..., Any]) -> None:
        """
        Create the server.

        :param answer: `AskService.answer`
        """
        self._node = node
        self._answer = answer
        self._server = ActionServer(
            node,
            Action,
            NAME,
            self._on_goal,
            callback_group=ReentrantCallbackGroup(),
            cancel_callback=lambda goal: CancelResponse.ACCEPT,
            feedback_pub_qos_profile=QoSProfile(depth=FEEDBACK_KEPT),
            result_timeout=RESULT_KEPT_S,
        )

    def _on_goal(self, goal: Any) -> Any:
        result = self._answer(
            goal.request, Action.Result(), by=NAME, follow=partial(self._follow, goal)
        )
        if result.status == Status.CANCELED and goal.is_cancel_requested:
            goal.canceled()
        elif result.status in SUCCEEDED:
            goal.succeed()
        else:
            goal.abort()
        return result

    def destroy(self) -> None:
        """Destroy the server, which rclpy does not do with the node."""
        self._server.destroy()

    def _follow(self, goal: Any, inquiry: Inquiry) -> Answer:
        """Tell of the question until it has its reply."""
        teller, listeners = Teller(goal.publish_feedback), Listeners(self._node)
        try:
            for progress in inquiry.follow(every_s=COALESCED_S):
                if goal.is_cancel_requested or listeners.are_gone():
                    inquiry.cancel()
                teller.tell(progress)
            answer = inquiry.reply()
            teller.tell_rest(answer)
            return answer
        finally:
            inquiry.cancel()  # if telling failed


class Teller:
    """Publishes the feedback of one goal, where there is something new to tell."""

    def __init__(self, publish: Callable[[Any], None]) -> None:
        self._publish = publish
        self._seq = itertools.count()
        self._phase: Phase | None = None
        self._text = ''  # as told so far

    def tell(self, progress: Progress) -> None:
        """Tell a phase that has begun, or text that is new."""
        delta = self._delta(progress.text)
        if not delta and progress.phase == self._phase:
            return
        self._phase = progress.phase
        self._text += delta
        self._publish(
            Action.Feedback(
                phase=int(progress.phase),
                seq=next(self._seq),
                delta=delta,
                tokens_so_far=progress.tokens,
                elapsed=to_duration(progress.elapsed_s),
                remaining_budget=to_duration(progress.left_s),
            )
        )

    def tell_rest(self, answer: Answer) -> None:
        """Tell what has come last, so that all that was told is the answer."""
        if self._delta(answer.text):
            elapsed_s = answer.latency.total_ms / 1e3
            left_s = max(0.0, answer.latency.budget_ms / 1e3 - elapsed_s)
            tokens = answer.completion_tokens
            self.tell(Progress(Phase.DECODING, elapsed_s, left_s, answer.text, tokens))

    def _delta(self, text: str) -> str:
        return text.removeprefix(self._text) if text.startswith(self._text) else ''


class Listeners:
    """
    Those who hear the feedback since a goal came, one of them its client.

    Whoever is killed stays in discovery for some seconds more.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._first = self._now()
        self._looked_s = time.monotonic()

    def are_gone(self) -> bool:
        """Return whether none of those who heard the feedback at first is there any more."""
        now_s = time.monotonic()
        if now_s < self._looked_s + LOOK_S:
            return False
        self._looked_s = now_s
        return bool(self._first) and self._first.isdisjoint(self._now())

    def _now(self) -> set[bytes]:
        found = self._node.get_subscriptions_info_by_topic(f'{NAME}/_action/feedback')
        return {bytes(listener.endpoint_gid) for listener in found}
