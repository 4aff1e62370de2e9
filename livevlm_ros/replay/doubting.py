# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Fitting how near a checkpoint may come to saying that nothing was there, by asking it.

Most false memories are of things that resemble what was asked for. So the streams of this fit are
asked about many things that were never there, in both ways: whether there was such a thing, and
what it was like. Which words deny that is told by the accepted answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from livevlm_ros.engine.messages import Answer, Question
from livevlm_ros.replay.absence import LEAST_ABSENT, Absences, fitted_limits
from livevlm_ros.replay.evaluate import Progress, evaluate
from livevlm_ros.replay.opening import open_engine
from livevlm_ros.replay.outcome import ABSENT
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.recording_time import Moments
from livevlm_ros.replay.table import percent
from livevlm_ros.replay.write_world import Filming, write_world
from livevlm_ros.world import KINDS

if TYPE_CHECKING:  # they bring torch
    from livevlm_ros.engine import AnswerToken, Engine, EngineConfig
    from livevlm_ros.engine.parts import LoadModel

FILMING = Filming(
    seed=30_001,
    streams=14,
    frames=(256, 256),
    questions=110,
    kinds=(*KINDS, *('exists',) * 3),
    never=0.5,
)
"""Streams of this fit's own, as those of `calibrate`; about a quarter asks for what was absent."""


def find_limits(
    config: EngineConfig,
    settings: Mapping[str, Any],
    *,
    load: LoadModel,
    source: Path | None = None,
    progress: Progress = lambda name, share: None,
) -> Absences | None:
    """
    Ask, and find limits for what the answers were.

    :param config: nothing of it may withhold an answer
    :param settings: entries that take the place of those in the checkpoint's `memory.yaml`
    :param load: loads the checkpoint
    :param source: recordings with questions; None: films `FILMING` for the time it takes
    :param progress: called with what is done, and the share done of that
    :returns: None for too few questions about what was not there
    :raises BadInput: as `evaluate` does
    """
    if source is None:
        with TemporaryDirectory(prefix='livevlm-') as folder:
            write_world(Path(folder), FILMING, progress=partial(progress, 'filming'))
            return find_limits(config, settings, load=load, source=Path(folder), progress=progress)
    watched = _Watched(load(config.model), settings)
    engine = open_engine(config, load=lambda _: watched)  # type: ignore[arg-type,return-value]
    try:
        found = evaluate(source, engine, ask=partial(watched.ask, engine), progress=progress)
    finally:
        engine.cleanup()
    accepted = {answer.lower() for each in found.outcomes for answer in each.entry.answer}
    shares = {word: np.array(each) for word, each in watched.shares.items() if word in accepted}
    return fitted_limits(found.outcomes, shares)


class _Watched:
    """
    A model that notes how likely it was to begin an answer as an absence does.

    :param model: a `VideoLanguageModel`
    :param settings: as of `find_limits`
    """

    def __init__(self, model: Any, settings: Mapping[str, Any]) -> None:
        from livevlm_ros.engine import likelihood_temperature

        self._model = model
        self.memory_settings = {**model.memory_settings, **settings}
        self._temperature = likelihood_temperature(self.memory_settings)
        self._first = {word: ids[0] for word in ABSENT if (ids := self._tokens(word))}
        self.shares: dict[str, list[float]] = {word: [] for word in self._first}
        self._begun: dict[str, float] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def answer_tokens(self, *args: Any, **options: Any) -> Iterator[AnswerToken]:
        """Yield tokens as `VideoLanguageModel` does."""
        import torch

        from livevlm_ros.engine import log_shares

        for place, token in enumerate(self._model.answer_tokens(*args, **options)):
            if not place:
                for word, first in self._first.items():
                    id_ = torch.tensor(first, device=token.scores.device)
                    share = log_shares(token.scores, id_, self._temperature).exp()
                    self._begun[word] = float(share)
            yield token

    def ask(
        self, engine: Engine, question: Question, entry: QuestionEntry, moments: Moments
    ) -> Answer:
        """Ask, and note of each absence how likely it was."""
        self._begun.clear()
        answer = engine.ask_now(question)
        for word, noted in self.shares.items():
            noted.append(self._begun.get(word, 0.0))
        return answer

    def _tokens(self, answer: str) -> list[int]:
        """Return the tokens of an answer; none if the model does not know its words."""
        from livevlm_ros.engine import BadQuestion

        try:
            return list(self._model.option(answer))
        except BadQuestion:
            return []


def in_words(found: Absences | None) -> str:
    """Say in a few words what was fitted."""
    if found is None:
        return f'fewer than {LEAST_ABSENT} questions are about what was not there: no limit'
    limits = ', '.join(f'{word!r} {limit:g}' for word, limit in found.limits.items())
    before, after, lost = found.withheld
    return (
        f'limits {limits}: {percent(after["rate"])} % of {after["n"]} absent things are claimed, '
        f'{percent(before["rate"])} % without; {percent(lost["rate"])} % of {lost["n"]} right '
        'answers are withheld'
    )
