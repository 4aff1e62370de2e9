# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Fitting how a checkpoint finds pages: each way is tried on the same frames and questions.

Where a checkpoint looks things up, in the last token of a question or in all of it, with sharp
attention or with broad likeness, comes out of its training and is not to be read off its weights.
So it is measured, and stays beside the weights in `memory.yaml`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import compress, product
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import yaml
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from livevlm_ros.replay.compare import Run, compare, run_rows
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.evaluate import Progress
from livevlm_ros.replay.rows import Row
from livevlm_ros.replay.table import percent, rate_text
from livevlm_ros.replay.write_world import Filming, write_world

if TYPE_CHECKING:  # it brings torch
    from livevlm_ros.engine import Engine, EngineConfig
    from livevlm_ros.engine.parts import LoadModel

FILMING = Filming(seed=30_000, streams=12, frames=(128, 256), questions=72)
"""Streams of calibration's own: nothing trains in their namespace, and their seed is none of the
model card's and beyond those that a world camera takes."""

PAGE_TOKENS = (2, 4, 8, 16, 32)
POOLINGS = ('last', 'mean')
SCORES = ('mass', 'cosine')
GRID = tuple(
    {'page_tokens': page_tokens, 'pooling': pooling, 'score': score}
    for page_tokens, pooling, score in product(PAGE_TOKENS, POOLINGS, SCORES)
)
"""Ways to find pages that are tried, each an entry `retrieval` of a `memory.yaml`."""


class Trial(NamedTuple):
    """
    One way to find pages, and what came of it.

    :param retrieval: the entry of a `memory.yaml`
    :param run: its replay
    :param tokens_read: tokens of the memory that a layer read for a question, on average
    """

    retrieval: Mapping[str, Any]
    run: Run
    tokens_read: float


class Calibration(NamedTuple):
    """
    What was tried.

    :param trials: one for each entry of `GRID`
    :param chosen: the one to keep
    :param recent: a replay that reads short-term only
    """

    trials: Sequence[Trial]
    chosen: Trial
    recent: Trial


def calibrate(
    config: EngineConfig,
    *,
    load: LoadModel,
    source: Path | None = None,
    progress: Progress = lambda name, share: None,
) -> Calibration:
    """
    Try all of `GRID` on the same frames and questions and choose.

    :param config: checkpoint, and a memory that reads pages of long-term
    :param load: loads the checkpoint; it is called once
    :param source: recordings with questions; None: films `FILMING` for the time it takes
    :param progress: called with what is done, and the share done of that
    :raises BadInput: for a memory without such pages, or as `evaluate` does
    :raises CheckpointError: for weights that cannot be used
    """
    if not config.memory.long_term_frames:
        raise BadInput(
            f'preset {config.memory.preset} has no long-term memory whose pages could be found: '
            'expected livevlm or balanced'
        )
    if source is not None:
        return _calibrate(source, config, load, progress)
    with TemporaryDirectory(prefix='livevlm-') as folder:
        write_world(Path(folder), FILMING, progress=partial(progress, 'filming'))
        return _calibrate(Path(folder), config, load, progress)


def _calibrate(
    source: Path, config: EngineConfig, load: LoadModel, progress: Progress
) -> Calibration:
    from livevlm_ros.engine import MemoryConfig

    model = load(config.model)

    def trial(number: int, config: EngineConfig, retrieval: Mapping[str, Any]) -> Trial:
        name = f'{number + 1} of {len(GRID) + 1}: {config.memory.preset}, {words(retrieval)}'

        def tell(recording: str, share: float) -> None:
            progress(name, (number + share) / (len(GRID) + 1))

        return _try(source, config, model, retrieval, tell)

    recent = trial(0, replace(config, memory=MemoryConfig(preset='recent')), {})
    scored = recent.run.report['questions']['scored']
    if scored < 2:
        raise BadInput(f'{source}: {scored} questions have an answer to compare with, expected 2')
    trials = [trial(number, config, retrieval) for number, retrieval in enumerate(GRID, start=1)]
    return Calibration(trials, choose(trials), recent)


def choose(trials: Sequence[Trial]) -> Trial:
    """
    Choose the cheapest trial of those that answer as well as the best one.

    :param trials: of the same questions
    :returns: of the trials no more than a standard error behind the best, that of the differences
        question by question, the one that reads the fewest tokens, then that of the largest pages
    """
    right = np.array([_marks(trial.run) for trial in trials])  # [trials, questions]
    behind = right[right.mean(axis=1).argmax()] - right
    error = behind.std(axis=1, ddof=1) / right.shape[1] ** 0.5
    as_good = behind.mean(axis=1) <= error + 1e-9
    return min(
        compress(trials, as_good),
        key=lambda trial: (round(trial.tokens_read), -trial.retrieval['page_tokens']),
    )


def calibration_table(calibration: Calibration) -> Table:
    """Lay out what was tried, the choice marked, beneath it what needs no retrieval."""
    report = calibration.chosen.run.report
    asked, recordings = report['questions']['scored'], report['source']['recordings']
    table = Table(
        title=f'{report["model"]}, preset {report["preset"]}: {asked} questions of {recordings} '
        'recordings; rates in % ± s.e.',
        caption=Text('\n'.join(report['warnings']), style='yellow'),
        box=SIMPLE,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column('page tokens, pooling, score', no_wrap=True)
    for name in ('right', 'evidence', 'tokens read', 'first token p50'):
        table.add_column(name, justify='right', no_wrap=True)
    for trial in calibration.trials:
        kept = trial is calibration.chosen
        name = words(trial.retrieval) + (' (chosen)' if kept else '')
        table.add_row(name, *_measures(trial), style='bold' if kept else '')
    table.add_section()
    guesses = compare([calibration.recent.run])['cap'][0]['accuracy']
    for name in ('chance', 'majority'):
        table.add_row(name, percent(guesses[name]))
    table.add_row('recent', *_measures(calibration.recent))
    return table


def words(retrieval: Mapping[str, Any]) -> str:
    """Say in a few words how pages are found."""
    return ', '.join(map(str, retrieval.values())) or 'no pages'


def write_settings(file: Path, settings: Mapping[str, Any]) -> None:
    """Write a `memory.yaml`, whole or not at all."""
    part = file.with_name(f'{file.name}.part')
    part.write_text(yaml.safe_dump(dict(settings), sort_keys=False), encoding='utf-8')
    part.replace(file)


def _try(
    source: Path,
    config: EngineConfig,
    model: Any,
    retrieval: Mapping[str, Any],
    progress: Progress,
) -> Trial:
    from livevlm_ros.engine import Engine

    finder: Any = _Finder(model, retrieval)

    def load(config: EngineConfig, tell: Callable[[str, float], None]) -> Engine:
        engine = Engine(config, load=lambda _: finder)
        try:
            engine.load(tell)
        except ValueError as error:
            raise BadInput(str(error)) from error
        return engine

    row = Row(config.memory.preset, config)
    (run,) = run_rows(source, [row], load=load, progress=progress)
    return Trial(retrieval, run, fmean(finder.tokens_read or [0.0]))


class _Finder:
    """
    A model that finds pages in a given way and notes how much its questions read.

    :param model: a `VideoLanguageModel`, used for all but this
    :param retrieval: takes the place of the checkpoint's own entry
    """

    def __init__(self, model: Any, retrieval: Mapping[str, Any]) -> None:
        self._model = model
        self.memory_settings = {**model.memory_settings, 'retrieval': dict(retrieval)}
        self.tokens_read: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def answer_tokens(self, prompt: Any, view: Any, **options: Any) -> Iterator[int]:
        """Speak as the model does; what the layers read stands fixed with the first token."""
        tokens = self._model.answer_tokens(prompt, view, **options)
        first = next(tokens, None)
        self.tokens_read.append(fmean(view.tokens_read))
        if first is not None:
            yield first
            yield from tokens


def _marks(run: Run) -> list[float]:
    """Return 1 or 0 for each question that has an answer."""
    return [float(o.correct) for o in run.evaluation.outcomes if o.correct is not None]


def _measures(trial: Trial) -> tuple[str, str, str, str]:
    report = trial.run.report
    first_token = report['latency_ms']['first_token']['p50']
    return (
        rate_text(report['accuracy']['overall']),
        rate_text(report['evidence']['past']),
        f'{trial.tokens_read:.0f}',
        '-' if first_token is None else f'{first_token:.1f} ms',
    )
