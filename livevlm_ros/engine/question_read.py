# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A question going through the model, over one view of the memory after another, timed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from livevlm_ros.engine.budget import Costs
from livevlm_ros.memory import QuestionView
from livevlm_ros.model import VideoLanguageModel


@dataclass(frozen=True, slots=True)
class QuestionRead:
    """
    What reading a question gave, and when; seconds of `time.monotonic`.

    :param hidden: the last state of the question's last token, [hidden]
    :param view: what the answer is read over
    :param speculated: whether pages chosen ahead were read, be it in vain
    :param began_s: before anything of it
    :param probed_s: when the pages were asked for: after the probe, if there was one
    :param found_s: when the pages were there
    """

    hidden: Tensor
    view: QuestionView
    speculated: bool
    began_s: float
    probed_s: float
    found_s: float

    @property
    def finding_s(self) -> float:
        """Seconds until the pages were there, those that layers needed to find them too."""
        return self.found_s - self.began_s + self.view.find_s

    @property
    def length(self) -> int:
        """Tokens of the memory that the last view reads, in the layer that reads most."""
        return max(self.view.tokens_read)

    def reading_s(self, until_s: float) -> float:
        """Return the seconds from there to `until_s` that were not spent on finding pages."""
        return until_s - self.found_s - self.view.find_s

    def teach(self, costs: Costs, *, tokens: int, until_s: float) -> None:
        """
        Take into the averages what a question of so many tokens cost, up to its first token.

        Pages chosen ahead teach nothing: what was not waited for tells no cost.
        """
        if self.speculated:
            return
        view, probe_s = self.view, self.probed_s - self.began_s
        fetch_s = self.found_s - self.probed_s
        if probe_s:
            probe_s -= view.waited_s
        else:
            fetch_s -= view.waited_s
        costs.add_reading(
            tokens=tokens,
            read_s=self.reading_s(until_s),
            length=self.length,
            probe_s=probe_s,
            retrieval_s=fetch_s - view.rank_s + view.find_s,
            rank_s=view.rank_s,
            pages=view.ranked,
            share=view.reading.share,
        )


def read_question(
    model: VideoLanguageModel, embeds: Tensor, views: Iterable[QuestionView]
) -> QuestionRead:
    """
    Read a question over the views that `Memory.readings` gives.

    :param embeds: of the question's tokens, [tokens, hidden]
    """
    began_s = asked_s = time.monotonic()
    read, speculated = None, False
    for view in views:
        found_s = time.monotonic()
        hidden = model.read(embeds, view)
        speculated |= view.speculated
        read = QuestionRead(hidden, view, speculated, began_s, asked_s, found_s)
        asked_s = time.monotonic()
    assert read is not None
    return read
