# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Fitting how sure a checkpoint may be: a temperature of its likelihoods, and the pictures it knows.

A model that was trained long is surer than it is right. One temperature, by which the scores of
all tokens are divided, makes the likelihood of its answers that of being right; it is the one
under which the marks of questions with a known answer are likeliest. Greedy answers stay the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from livevlm_ros.engine.messages import Answer, Question
from livevlm_ros.replay.outcome import accepted
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.recording_time import Moments
from livevlm_ros.replay.reliability import calibration_error

if TYPE_CHECKING:  # they bring torch
    from torch import Tensor

    from livevlm_ros.engine import AnswerToken, Engine

TEMPERATURES = tuple(float(each) for each in np.geomspace(0.25, 8.0, 121).round(3))
"""Those that are tried: 3 % apart."""

LEAST_ANSWERS = 20
LEAST_FRAMES = 32
"""What a fit needs; with less nothing is said of likelihoods or of pictures."""


class Sureness(NamedTuple):
    """
    What was fitted.

    :param settings: entries of a `memory.yaml`: `confidence` and `pictures`, as far as they could
        be fitted
    :param answers: with a known truth
    :param frames: that were looked at
    :param before: expected calibration error at a temperature of 1
    :param after: the same at the one that was found
    """

    settings: dict[str, Any]
    answers: int
    frames: int
    before: float
    after: float


class Watched:
    """
    A model that notes what a fit needs: figures of frames, and how likely each answer token is.

    :param model: a `VideoLanguageModel`, or what stands for one
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._figures: list[Tensor] = []
        self._said: list[Tensor] = []
        self._answers: list[tuple[np.ndarray, bool]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode_frames(
        self, images: Sequence[np.ndarray], seconds: Sequence[float] | None = None
    ) -> Tensor:
        """Encode frames as `VideoLanguageModel` does."""
        from livevlm_ros.engine import token_figures

        tokens: Tensor = self._model.encode_frames(images, seconds)
        self._figures.append(token_figures(tokens).cpu())
        return tokens

    def answer_tokens(self, *args: Any, **options: Any) -> Iterator[AnswerToken]:
        """Yield tokens as `VideoLanguageModel` does."""
        import torch

        from livevlm_ros.engine import log_shares

        for token in self._model.answer_tokens(*args, **options):
            id_ = torch.tensor(token.id, device=token.scores.device)
            shares = [log_shares(token.scores, id_, each) for each in TEMPERATURES]
            self._said.append(torch.stack(shares).cpu())
            yield token

    def begin(self) -> None:
        """Forget what a warm-up showed."""
        self._figures.clear()

    def ask(
        self, engine: Engine, question: Question, entry: QuestionEntry, moments: Moments
    ) -> Answer:
        """Ask, and note how sure the answer is at each temperature, and whether it is right."""
        import torch

        self._said.clear()
        answer = engine.ask_now(question)
        if entry.answer and self._said:
            sure = torch.stack(self._said).mean(0).exp().numpy()  # [temperatures]
            self._answers.append((sure, accepted(answer, entry)))
        return answer

    def fitted(self) -> Sureness:
        """Fit what was noted."""
        import torch

        from livevlm_ros.engine import Familiarity

        settings: dict[str, Any] = {}
        frames = sum(map(len, self._figures))
        before = after = float('nan')
        if len(self._answers) >= LEAST_ANSWERS:
            sure = np.stack([each for each, _ in self._answers], axis=1)  # [temperatures, answers]
            right = np.array([mark for _, mark in self._answers], dtype=float)
            best = likeliest_temperature(sure, right)
            settings['confidence'] = {'temperature': TEMPERATURES[best]}
            before = calibration_error(sure[TEMPERATURES.index(1.0)], right)
            after = calibration_error(sure[best], right)
        if frames >= LEAST_FRAMES:
            settings['pictures'] = Familiarity.of(torch.cat(self._figures)).settings()
        return Sureness(settings, len(self._answers), frames, before, after)


def likeliest_temperature(sure: np.ndarray, right: np.ndarray) -> int:
    """
    Return the place of the temperature under which the marks are likeliest.

    :param sure: confidences, [temperatures, answers]
    :param right: 1 for right answers, else 0, [answers]
    """
    sure = sure.astype(float).clip(1e-6, 1 - 1e-6)
    logs = right * np.log(sure) + (1 - right) * np.log1p(-sure)
    return int(logs.sum(1).argmax())


def in_words(found: Sureness) -> str:
    """Say in a few words what was fitted."""
    confidence = found.settings.get('confidence')
    if confidence is None:
        return f'{found.answers} answers with a truth are too few for a temperature'
    return (
        f'temperature {confidence["temperature"]:g}: confidence is {100 * found.after:.1f} % off '
        f'in {found.answers} answers, {100 * found.before:.1f} % without it'
    )
