# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Suite `first-token`: from a question in hand to the first token of its answer, memory by memory.

Timed are all passes through the layers: the probe that chooses pages, ranking and fetching them,
the question's way through the layers, and the likeliest next token. Every round asks another
question, nothing was chosen ahead for it. Vision is not part of it, for no frame is encoded when a
question comes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from time import perf_counter
from typing import Any, NamedTuple

import torch

from livevlm_bench.filling import filled
from livevlm_bench.rounds import Contender, in_rounds
from livevlm_bench.threads import one_thread
from livevlm_bench.timed_layers import Language, embedded_language, half_billion
from livevlm_ros.memory import Memory

Progress = Callable[[str, float], None]

BASELINE = 'rekv'

FEW = 256
"""Frames of the rows that are compared with the baseline."""

WARM_UP = 3

FILLING_SHARE = 0.8
"""Of the progress of a setting; timing has the rest."""


class Row(NamedTuple):
    """A memory that is timed: its preset, and how many frames it has seen."""

    preset: str
    frames: int

    @property
    def name(self) -> str:
        """The row's name in tables and reports."""
        return f'{self.preset}@{self.frames}'


class Bar(NamedTuple):
    """
    What must hold: one row's time over another's, at least or at most a limit.

    :param least: whether the limit is the least quotient, else it is the most
    """

    slow: Row
    fast: Row
    limit: float
    least: bool

    def judge(self, p50_ms: dict[str, float]) -> dict[str, Any]:
        """Compare two medians, `p50_ms` by name of the row."""
        above, below = p50_ms[self.slow.name], p50_ms[self.fast.name]
        quotient = above / below
        met = quotient >= self.limit if self.least else quotient <= self.limit
        bound = 'least' if self.least else 'most'
        return {
            'quotient': f'{self.slow.name} / {self.fast.name}',
            'ms': [above, below],
            'value': quotient,
            bound: self.limit,
            'met': met,
        }


@dataclass(frozen=True, slots=True)
class Setting:
    """
    Rows that are timed in turn with the same language layers.

    :param make: builds the layers
    :param bars: what must hold of the medians
    """

    make: Callable[[], Language]
    rows: tuple[Row, ...]
    bars: tuple[Bar, ...]


def suite(*, quick: bool = False) -> tuple[Setting, ...]:
    """
    Return what this suite times.

    :param quick: with few frames, to see that it runs; then there are no bars
    """
    rekv, livevlm, balanced = (Row(name, FEW) for name in (BASELINE, 'livevlm', 'balanced'))
    faster = (Bar(rekv, livevlm, 1.5, least=True), Bar(rekv, balanced, 2.0, least=True))
    return (
        _setting(half_billion, (4096,), faster, quick=quick),
        _setting(embedded_language, (1024, 4096, 16_384), (), quick=quick),
    )


def _setting(
    make: Callable[[], Language], longer: Sequence[int], faster: Sequence[Bar], *, quick: bool
) -> Setting:
    few, longer = (88, (104,)) if quick else (FEW, longer)  # some more than `rekv` reads
    presets = (BASELINE, 'livevlm', 'balanced', 'full', 'recent')
    rows = [Row(preset, few) for preset in presets] + [Row('balanced', long) for long in longer]
    bars = [*faster, Bar(rows[-1], Row('balanced', few), 1.2, least=False)]
    return Setting(make, tuple(rows), () if quick else tuple(bars))


def measure(
    settings: Sequence[Setting],
    *,
    rounds: int,
    progress: Progress = lambda name, share: None,
) -> dict[str, Any]:
    """
    Time the first token in every setting, on one thread.

    :param rounds: that count, after `WARM_UP` others
    :returns: `settings`, one entry each with its `rows` and `bars`
    """
    with one_thread():
        found = []
        for number, each in enumerate(settings):

            def tell(name: str, share: float, number: int = number) -> None:
                progress(name, (number + share) / len(settings))

            found.append(_measure(each, rounds, tell))
    return {
        'suite': 'first-token',
        'torch': torch.__version__,
        'threads': 1,
        'rounds': rounds,
        'warm_up': WARM_UP,
        'settings': found,
    }


def _measure(setting: Setting, rounds: int, progress: Progress) -> dict[str, Any]:
    progress('building the model', 0.0)
    language = setting.make()
    asked: dict[str, _Asked] = {}
    try:
        for number, row in enumerate(setting.rows):
            progress(f'{language.name}: {row.name}', FILLING_SHARE * number / len(setting.rows))
            asked[row.name] = _Asked(language, row)
        times = in_rounds(
            {name: Contender(each.ask, each.memory.settle) for name, each in asked.items()},
            rounds=rounds,
            warm_up=WARM_UP,
            progress=lambda share: progress(
                f'{language.name}: asking', FILLING_SHARE + (1 - FILLING_SHARE) * share
            ),
        )
        reports = [each.report() for each in asked.values()]
    finally:
        for each in asked.values():
            each.memory.close()
    p50_ms = {name: took.wall.p50 for name, took in times.items()}
    baseline_ms = next(p50_ms[row.name] for row in setting.rows if row.preset == BASELINE)
    for report in reports:
        took = times[report['name']]
        report['first_token_ms'] = took.wall._asdict()
        report['cpu_ms'] = took.cpu._asdict()
        report['times_as_fast'] = baseline_ms / took.wall.p50
    return {
        'name': language.name,
        'dtype': str(language.dtype).removeprefix('torch.'),
        'question_tokens': len(language.question),
        'rows': reports,
        'bars': [bar.judge(p50_ms) for bar in setting.bars],
    }


class _Asked:
    """A full memory and the questions to it."""

    def __init__(self, language: Language, row: Row) -> None:
        began = perf_counter()
        self._language, self._row = language, row
        self.memory: Memory = filled(language, preset=row.preset, frames=row.frames)
        self._fill_s = perf_counter() - began
        self._read: list[float] = []  # tokens that a layer read, question by question
        self._ranked: list[int] = []

    def ask(self, number: int) -> None:
        """Ask a question that has not been asked before."""
        question = self._language.another_question(number)
        _, view = self._language.first_token(question, self.memory)
        self._read.append(fmean(view.tokens_read))
        self._ranked.append(view.ranked)

    def report(self) -> dict[str, Any]:
        """Say what the questions read, on average, and what the memory takes."""
        sizes = self.memory.sizes()
        short_term = sizes.short_term_tokens
        return {
            'name': self._row.name,
            'preset': self._row.preset,
            'frames': self._row.frames,
            'frames_held': sizes.frames,
            'tokens_read': fmean(self._read),
            'tokens_brought': fmean(self._read) - short_term,
            'pages_ranked': fmean(self._ranked),
            'device_bytes': sizes.device_bytes,
            'read_bytes': sizes.read_bytes,
            'host_bytes': sizes.host_bytes,
            'fill_s': self._fill_s,
        }
