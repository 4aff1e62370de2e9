# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A question that the engine was asked, in the hands of its caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from livevlm_ros.engine.budget import Deadline
from livevlm_ros.engine.messages import Answer, Progress
from livevlm_ros.engine.questions import PendingQuestion


class Inquiry:
    """
    A question under way: `follow` or not, `cancel` or not, then take the `reply`.

    Its caller waits for it in a thread of the caller's own; the engine thread waits for nobody.
    """

    def __init__(
        self, pending: PendingQuestion, close: Callable[[Answer, Deadline], Answer]
    ) -> None:
        """
        Take a question that waits or has its reply.

        :param close: completes the reply and counts it
        """
        self._pending = pending
        self._close = close

    def follow(self, *, every_s: float) -> Iterator[Progress]:
        """
        Tell how far it is, at once and again and again, until the reply is due.

        :param every_s: shortest time from one to the next; what is new after it is told at once,
            and after twice the time it is told that nothing is
        """
        return self._pending.follow(every_s=every_s)

    def cancel(self) -> None:
        """
        Want no more, in any phase: the reply is there at once, with what has been said so far.

        A question that waits leaves the queue; one that is read or answered is dropped before the
        next read of the memory or the next token.
        """
        self._pending.cancel()

    def reply(self) -> Answer:
        """Wait for the reply, which comes inside the budget; to be called once."""
        return self._close(self._pending.wait(), self._pending.deadline)
