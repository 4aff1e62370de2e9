# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The one seam to retrieval: how many pages a question reads is told, which ones it chooses itself.

Random keys do not stand out from each other as those of a real stream do, so an adaptive choice
among them would read its least or its most. Imposed are the amounts of a run that answered
questions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor

from livevlm_ros.memory import View, pages
from livevlm_ros.memory.retrieval import choose


class ImposedView:
    """
    A question's view whose layers read as many pages as they are told, the best ones.

    :param counts: pages of each layer; more than the memory's settings allow are not read
    """

    def __init__(self, view: View, counts: Sequence[int]) -> None:
        self._view, self._counts = view, counts

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend as `View.attend` says."""
        with _choosing(self._counts[layer]):
            return self._view.attend(layer, q, k, v)


@contextmanager
def _choosing(count: int) -> Iterator[None]:
    """Let retrieval rank as always, and take `count` of what it ranked."""

    def best(scores: Tensor, *, most: int, least: int = 0, mass: float | None = None) -> Tensor:
        return choose(scores, most=most, least=count, mass=-1.0)  # nothing beyond the least

    before, pages.choose = pages.choose, best
    try:
        yield
    finally:
        pages.choose = before
