# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An answer as it grows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from weakref import finalize

from livevlm_ros.api.answer import Answer, answer_of
from livevlm_ros.engine.messages import NotDone, Status
from livevlm_ros.replay.errors import BadInput

if TYPE_CHECKING:  # it brings torch
    from livevlm_ros.engine import Inquiry

HEAR_EVERY_S = 0.005


class Stream(Iterator[str]):
    """
    An answer as it grows: pieces of whole characters, which together are its text.

    A stream that is dropped before its end cancels the question.
    """

    def __init__(self, inquiry: Inquiry, zero_ns: int) -> None:
        self._inquiry, self._zero_ns = inquiry, zero_ns
        finalize(self, inquiry.cancel)  # which changes nothing once there is an answer
        self._growing = _growing(inquiry)
        self._said = ''
        self._answer: Answer | None = None

    def __next__(self) -> str:
        text = next(self._growing, None)
        text = self.answer.text if text is None else text
        piece, self._said = text[len(self._said) :], text
        if not piece:
            raise StopIteration
        return piece

    @property
    def answer(self) -> Answer:
        """
        The whole answer, with its evidence; waits for it.

        :raises BadInput: for a question that cannot be asked so
        :raises NotDone: when the model fails, or the engine is closed meanwhile
        """
        if self._answer is None:
            self._answer = answer_of(self._inquiry.reply(), self._zero_ns)
        if self._answer.status is Status.INVALID:
            raise BadInput(self._answer.message)
        if self._answer.status in (Status.ERROR, Status.NOT_ACTIVE):
            raise NotDone(self._answer.message)
        return self._answer

    def cancel(self) -> None:
        """Want no more: the answer is what has been said so far."""
        self._inquiry.cancel()


def _growing(inquiry: Inquiry) -> Iterator[str]:
    """Give the text so far whenever there is more of it."""
    said = ''
    try:
        for progress in inquiry.follow(every_s=HEAR_EVERY_S):
            if len(progress.text) > len(said):
                said = progress.text
                yield said
    except BaseException:  # Ctrl-C, or nobody listens any more
        inquiry.cancel()
        raise
