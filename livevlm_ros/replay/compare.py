# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Presets side by side: the same frames and the same questions for each, compared in pairs.

A difference of accuracy is judged by how it varies from stream to stream: questions of one stream
share its frames, so streams are resampled and not questions.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from livevlm_ros.replay.cap import cap_cards
from livevlm_ros.replay.evaluate import Progress, evaluate
from livevlm_ros.replay.outcome import Evaluation, Outcome
from livevlm_ros.replay.report import Report, build_report, rate
from livevlm_ros.world import score

if TYPE_CHECKING:  # it brings torch
    from livevlm_ros.engine import Engine, EngineConfig

RESAMPLES = 2000
"""Draws of the bootstrap."""

Load = Callable[['EngineConfig', Progress], 'Engine']


class Run(NamedTuple):
    """A replay with one preset: its report, and what the report was made of."""

    report: Report
    evaluation: Evaluation

    @property
    def preset(self) -> str:
        """The preset's name."""
        return str(self.report['preset'])


def run_presets(
    path: Path,
    configs: Sequence[EngineConfig],
    *,
    load: Load,
    questions: Path | None = None,
    topic: str | None = None,
    thumbnails: bool = False,
    progress: Progress = lambda name, share: None,
) -> list[Run]:
    """
    Replay a source once per configuration, one engine after the other.

    :param configs: they differ in their preset
    :param load: makes a loaded engine of a configuration
    :param progress: called with preset and recording, and the share of everything done, [0, 1]
    :returns: one run per configuration, in their order
    :raises BadInput: as `evaluate` does
    """

    def run(number: int, config: EngineConfig) -> Run:
        def tell(name: str, share: float) -> None:
            progress(f'{config.memory.preset}: {name or "done"}', (number + share) / len(configs))

        engine = load(config, lambda phase, share: tell(phase, 0.0))
        try:
            started = time.monotonic()
            evaluation = evaluate(
                path,
                engine,
                questions=questions,
                topic=topic,
                thumbnails=thumbnails,
                progress=tell,
            )
            seconds = time.monotonic() - started
            stats = engine.stats()
        finally:
            engine.cleanup()
        report = build_report(evaluation, stats, config, path=str(path), seconds=seconds)
        return Run(report, evaluation)

    return [run(number, config) for number, config in enumerate(configs)]


def compare(runs: Sequence[Run]) -> Report:
    """
    Compare runs over the same source.

    :param runs: of different presets; in each pair the earlier one is the baseline
    :returns: `presets`, a report by name; `paired`, see `paired`; `cap`, see `cap_cards`
    """
    return {
        'presets': {run.preset: run.report for run in runs},
        'paired': [paired(candidate, baseline) for baseline, candidate in combinations(runs, 2)],
        'cap': cap_cards([(run.report, run.evaluation.outcomes) for run in runs]),
    }


def paired(candidate: Run, baseline: Run) -> Report:
    """
    Compare two runs question by question.

    :returns: accuracy of the candidate minus that of the baseline as `difference`, in points, over
        `n` questions of `streams` recordings; its 95 % interval `low` to `high`, None for a single
        stream; the questions only one of them answered right, `gained` and `lost`; `agreement`,
        the rate of equal answers, right or wrong
    """
    pairs = _pairs(candidate, baseline)
    differences: defaultdict[str, list[int]] = defaultdict(list)
    for ours, theirs in pairs:
        if ours.correct is not None:
            differences[ours.recording].append(int(ours.correct) - int(theirs.correct is True))
    every = [difference for stream in differences.values() for difference in stream]
    low, high = _interval(list(differences.values()))
    same = sum(score(ours.answer.text, [theirs.answer.text]) for ours, theirs in pairs)
    return {
        'candidate': candidate.preset,
        'baseline': baseline.preset,
        'n': len(every),
        'streams': len(differences),
        'difference': 100 * sum(every) / len(every) if every else None,
        'low': low,
        'high': high,
        'gained': every.count(1),
        'lost': every.count(-1),
        'agreement': rate(same, len(pairs), key='same'),
    }


def _pairs(candidate: Run, baseline: Run) -> list[tuple[Outcome, Outcome]]:
    """Pair what was asked of both, by recording and question."""
    theirs = {(o.recording, o.entry.id): o for o in baseline.evaluation.outcomes}
    keys = ((o, (o.recording, o.entry.id)) for o in candidate.evaluation.outcomes)
    return [(ours, theirs[key]) for ours, key in keys if key in theirs]


def _interval(differences: Sequence[Sequence[int]]) -> tuple[float | None, float | None]:
    """Return the 95 % bootstrap interval of the mean difference in points, over whole streams."""
    streams = len(differences)
    if streams < 2:
        return None, None
    sums = np.array([sum(stream) for stream in differences])  # [streams]
    sizes = np.array([len(stream) for stream in differences])  # [streams]
    drawn = np.random.default_rng(0).integers(streams, size=(RESAMPLES, streams))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)  # [resamples]
    low, high = 100 * np.percentile(means, (2.5, 97.5))
    return float(low), float(high)
