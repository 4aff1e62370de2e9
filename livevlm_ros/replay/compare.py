# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Rows side by side: the same frames and the same questions for each, compared in pairs.

A difference of accuracy is judged by how it varies from stream to stream: questions of one stream
share its frames, so streams are resampled and not questions.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from livevlm_ros.engine.messages import Answer
from livevlm_ros.replay.accuracy import PARTS, Report, rate
from livevlm_ros.replay.cap import cap_cards
from livevlm_ros.replay.evaluate import Progress, check_source, evaluate
from livevlm_ros.replay.masked import Masking
from livevlm_ros.replay.oracle import bound_of
from livevlm_ros.replay.outcome import Evaluation, Outcome
from livevlm_ros.replay.procedure import PLAIN, Procedure
from livevlm_ros.replay.report import build_report
from livevlm_ros.world import score

if TYPE_CHECKING:  # they bring torch
    from livevlm_ros.engine import Engine, EngineConfig
    from livevlm_ros.replay.rows import Row

RESAMPLES = 2000
"""Draws of the bootstrap."""

Load = Callable[['EngineConfig', Progress], 'Engine']


class Run(NamedTuple):
    """A replay of one row: its report, and what the report was made of."""

    report: Report
    evaluation: Evaluation

    @property
    def name(self) -> str:
        """The row's name."""
        return str(self.report['name'])


def run_rows(
    path: Path,
    rows: Sequence[Row],
    procedure: Procedure = PLAIN,
    *,
    load: Load,
    masked: bool = False,
    progress: Progress = lambda name, share: None,
) -> Iterator[Run]:
    """
    Replay a source once per row, one engine after the other.

    :param load: makes a loaded engine of a configuration
    :param masked: ask each question again without the frames it looked at, see `masked`; rows that
        read what they are told are left out
    :param progress: called with row and recording, and the share of everything done, [0, 1]
    :returns: one run per row, in their order, each when it is done
    :raises BadInput: as `evaluate` does, where it can be told at once before anything is loaded
    """

    def run(number: int, row: Row) -> Run:
        def tell(recording: str, share: float) -> None:
            progress(f'{row.name}: {recording or "done"}', (number + share) / len(rows))

        engine = load(row.config, lambda phase, share: tell(phase, 0.0))
        bound = bound_of(engine, row)
        masking = Masking(engine) if masked and not bound else None
        try:
            started = time.monotonic()
            evaluation = evaluate(
                path,
                engine,
                procedure,
                ask=masking.ask if masking else bound,
                progress=tell,
            )
            seconds = time.monotonic() - started
            stats = engine.stats()
        finally:
            engine.cleanup()
        report = build_report(
            evaluation,
            stats,
            row.config,
            path=str(path),
            seconds=seconds,
            name=row.name,
            oracle=row.oracle,
            alone=row.alone,
        )
        if masking:
            report['masked'] = masking.report()
        return Run(report, evaluation)

    check_source(path, procedure)
    return (run(number, row) for number, row in enumerate(rows))


def compare(runs: Sequence[Run], *, against: Sequence[str] = ()) -> Report:
    """
    Compare runs over the same source.

    :param runs: of rows with different names
    :param against: names of the baselines, each of which every run is paired with, two baselines
        with one another once; by default the first run's
    :returns: `presets`, a report by name; `paired`, see `paired`; `cap`, see `cap_cards`
    """
    by_name = {run.name: run for run in runs}
    baselines = list(against) or [run.name for run in runs[:1]]
    return {
        'presets': {name: run.report for name, run in by_name.items()},
        'paired': [
            paired(candidate, by_name[baseline])
            for number, baseline in enumerate(baselines)
            for candidate in runs
            if candidate.name not in baselines[: number + 1]
        ],
        'cap': cap_cards([(run.report, run.evaluation.outcomes) for run in runs]),
    }


def paired(candidate: Run, baseline: Run) -> Report:
    """
    Compare two runs question by question.

    :returns: see `_difference`; the questions only one of them answered right, `gained` and
        `lost`; `agreement`, the rate of equal answers, right or wrong; the difference over each of
        `PARTS` of the questions
    """
    pairs = _pairs(candidate, baseline)
    scored = [pair for pair in pairs if pair[0].correct is not None]
    marks = [(ours.correct, theirs.correct) for ours, theirs in scored]
    same = sum(_same(ours.answer, theirs.answer) for ours, theirs in pairs)
    return {
        'candidate': candidate.name,
        'baseline': baseline.name,
        **_difference(scored),
        'gained': marks.count((True, False)),
        'lost': marks.count((False, True)),
        'agreement': rate(same, len(pairs), key='same'),
        **{
            part: _difference([pair for pair in scored if belongs(pair[0])])
            for part, belongs in PARTS.items()
        },
    }


def _difference(pairs: Sequence[tuple[Outcome, Outcome]]) -> Report:
    """
    Compare the accuracy of pairs of scored outcomes, the candidate's first.

    :returns: accuracy of the candidate minus that of the baseline as `difference`, in points, over
        `n` questions of `streams` recordings; None for a single stream are its 95 % interval `low`
        to `high`, and `lower_bound`, which it is above with 95 %
    """
    differences: defaultdict[str, list[int]] = defaultdict(list)
    for ours, theirs in pairs:
        differences[ours.recording].append(int(ours.correct is True) - int(theirs.correct is True))
    low, lower_bound, high = bounds(list(differences.values()))
    total = sum(map(sum, differences.values()))
    return {
        'n': len(pairs),
        'streams': len(differences),
        'difference': 100 * total / len(pairs) if pairs else None,
        'low': low,
        'high': high,
        'lower_bound': lower_bound,
    }


def _same(ours: Answer, theirs: Answer) -> bool:
    if ours.choice_index >= 0 and theirs.choice_index >= 0:
        return ours.choice_index == theirs.choice_index
    return ours.text == theirs.text or score(ours.text, [theirs.text])


def _pairs(candidate: Run, baseline: Run) -> list[tuple[Outcome, Outcome]]:
    """Pair what was asked of both, by recording and question."""
    theirs = {(o.recording, o.entry.id): o for o in baseline.evaluation.outcomes}
    keys = ((o, (o.recording, o.entry.id)) for o in candidate.evaluation.outcomes)
    return [(ours, theirs[key]) for ours, key in keys if key in theirs]


def bounds(differences: Sequence[Sequence[float]]) -> Sequence[float | None]:
    """
    Return percentiles 2.5, 5 and 97.5 of the mean, by bootstrap of whole streams.

    :param differences: of each question, by stream
    :returns: in hundredths, points where a difference is of shares; None for a single stream
    """
    streams = len(differences)
    if streams < 2:
        return None, None, None
    sums = np.array([sum(stream) for stream in differences])  # [streams]
    sizes = np.array([len(stream) for stream in differences])  # [streams]
    drawn = np.random.default_rng(0).integers(streams, size=(RESAMPLES, streams))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)  # [resamples]
    bounds: list[float] = (100 * np.percentile(means, (2.5, 5, 97.5))).tolist()
    return bounds
