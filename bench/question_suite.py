# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Suites `first-token` and `answer`: from a question in hand to the first or the last token.

Timed are all passes through the layers: the probe that chooses pages, ranking and fetching them,
the question's way through the layers, and the likeliest next token; then token by token. Every
round asks another question, nothing was chosen ahead for it. Vision is not part of it, for no
frame is encoded when a question comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple

from livevlm_bench.bars import bar
from livevlm_bench.filling import AUTHORS_REKV, filled
from livevlm_bench.report_head import head
from livevlm_bench.rounds import Contender, Lap, in_rounds, quotients
from livevlm_bench.threads import one_thread
from livevlm_bench.timed_layers import Language, embedded_language, half_billion
from livevlm_ros.memory import Memory

Progress = Callable[[str, float], None]

FIRST_TOKEN, ANSWER = 'first_token', 'answer'
"""Marks that a question comes to."""

BASELINE = AUTHORS_REKV
MEMORIES = (BASELINE, 'rekv', 'livevlm', 'balanced', 'full', 'recent')

FEW = 256
"""Frames of the rows that are compared with the baseline."""

WARM_UP = 3

SEED = 0
"""Questions and frames are drawn by their numbers alone."""

FILLING_SHARE = 0.8
"""Share of the progress of a setting; timing has the rest."""


class Row(NamedTuple):
    """A memory that is timed, as `memory_config` names it, and how many frames it has seen."""

    preset: str
    frames: int

    @property
    def name(self) -> str:
        """The row's name in tables and reports."""
        return f'{self.preset}@{self.frames}'


class Bar(NamedTuple):
    """
    What must hold: one row's time over another's, at least or at most a limit.

    :param mark: up to which both are timed
    """

    mark: str
    above: Row
    below: Row
    least: float | None = None
    most: float | None = None

    def judge(self, laps: Mapping[str, Mapping[str, Lap]]) -> dict[str, Any]:
        """Compare two rows, `laps` by name of the row and mark."""
        above, below = (laps[row.name][self.mark] for row in (self.above, self.below))
        return bar(
            f'{self.mark.replace("_", " ")}, {self.above.name} / {self.below.name}',
            above.report()['wall_ms']['p50'],
            below.report()['wall_ms']['p50'],
            least=self.least,
            most=self.most,
            rounds=quotients(above, below),
        )


@dataclass(frozen=True, slots=True)
class Setting:
    """
    Rows that are timed in turn with the same language layers.

    :param make: builds the layers
    :param bars: what must hold
    """

    make: Callable[[], Language]
    rows: tuple[Row, ...]
    bars: tuple[Bar, ...]


def suite(mark: str, *, quick: bool = False) -> tuple[Setting, ...]:
    """
    Return what a suite times.

    :param mark: up to which questions are timed
    :param quick: with few frames, to see that it runs; then there are no bars
    """
    return (
        _setting(half_billion, mark, (4096,), quick=quick),
        _setting(embedded_language, mark, (1024, 4096, 16_384), quick=quick),
    )


def _setting(
    make: Callable[[], Language], mark: str, longer: Sequence[int], *, quick: bool
) -> Setting:
    few, longer = (88, (104,)) if quick else (FEW, longer)  # some more than `rekv` reads
    authors, rekv, livevlm, balanced, full, recent = (Row(name, few) for name in MEMORIES)
    rows = [authors, rekv, livevlm, balanced, full, recent]
    rows += [Row('balanced', long) for long in longer]
    bars = (
        Bar(mark, authors, livevlm, least=1.5),
        Bar(mark, authors, balanced, least=2.0),
        Bar(mark, full, balanced, least=1.0),
        Bar(mark, rows[-1], balanced, most=1.2),
    )
    return Setting(make, tuple(rows), () if quick else bars)


def measure(
    settings: Sequence[Setting],
    *,
    rounds: int,
    answer_tokens: int = 1,
    progress: Progress = lambda name, share: None,
) -> dict[str, Any]:
    """
    Time questions in every setting, on one thread.

    :param rounds: that count, after `WARM_UP` others
    :param answer_tokens: spoken; of more than one the whole answer is timed, too
    :returns: the report's head, and `settings`, one entry each with its `rows` and `bars`
    """
    with one_thread():
        found = []
        for number, each in enumerate(settings):

            def tell(name: str, share: float, number: int = number) -> None:
                progress(name, (number + share) / len(settings))

            found.append(_measure(each, rounds, answer_tokens, tell))
    return {
        **head('answer' if answer_tokens > 1 else 'first-token', seed=SEED, threads=1),
        'rounds': rounds,
        'warm_up': WARM_UP,
        'answer_tokens': answer_tokens,
        'settings': found,
    }


def _measure(
    setting: Setting, rounds: int, answer_tokens: int, progress: Progress
) -> dict[str, Any]:
    progress('building the model', 0.0)
    language = setting.make()
    asked: dict[str, AskedMemory] = {}
    try:
        for number, row in enumerate(setting.rows):
            progress(f'{language.name}: {row.name}', FILLING_SHARE * number / len(setting.rows))
            memory = filled(language, preset=row.preset, frames=row.frames)
            asked[row.name] = AskedMemory(language, memory, answer_tokens)
        laps = in_rounds(
            {name: Contender(each.ask, each.memory.settle) for name, each in asked.items()},
            rounds=rounds,
            warm_up=WARM_UP,
            progress=lambda share: progress(
                f'{language.name}: asking', FILLING_SHARE + (1 - FILLING_SHARE) * share
            ),
        )
        rows: list[dict[str, Any]] = [
            {'name': row.name, **row._asdict(), **asked[row.name].report()} for row in setting.rows
        ]
    finally:
        for each in asked.values():
            each.memory.close()
    baseline = next(row.name for row in setting.rows if row.preset == BASELINE)
    for found in rows:
        for mark, lap in laps[found['name']].items():
            faster = quotients(laps[baseline][mark], lap)
            found[mark] = {**lap.report(), 'times_as_fast': faster._asdict()}
    return {
        'name': language.name,
        'baseline': BASELINE,
        'dtype': str(language.dtype).removeprefix('torch.'),
        'question_tokens': len(language.question),
        'rows': rows,
        'bars': [each.judge(laps) for each in setting.bars],
    }


class AskedMemory:
    """
    A memory and the questions to it, another one every time.

    :param answer_tokens: that are spoken
    """

    def __init__(self, language: Language, memory: Memory, answer_tokens: int) -> None:
        self.memory = memory
        self._language, self._tokens = language, answer_tokens
        newest = memory.refs()[-memory.sizes().short_term_frames :]
        self._ring = int(memory.ids.of_frame(newest[0])[0])  # the id that short-term begins with
        self._read: list[float] = []  # tokens that a layer read, question by question
        self._brought: list[float] = []  # those of them that had left short-term
        self._ranked: list[int] = []

    def ask(self, number: int) -> Iterator[str]:
        """Ask a question that has not been asked before; yields the marks it comes to."""
        question = self._language.another_question(number)
        spoken = self._language.answer(question, self.memory, tokens=self._tokens)
        _, view = next(spoken)
        yield FIRST_TOKEN
        if self._tokens > 1:
            list(spoken)
            yield ANSWER
        self._read.append(fmean(view.tokens_read))
        ids = [view.ids(layer) for layer in range(self._language.shape.layers)]
        self._brought.append(fmean(int((of_layer < self._ring).sum()) for of_layer in ids))
        self._ranked.append(view.ranked)

    def report(self) -> dict[str, Any]:
        """Say what the questions read, on average, and what the memory takes."""
        sizes = self.memory.sizes()
        return {
            'frames_held': sizes.frames,
            'tokens_read': fmean(self._read),
            'tokens_brought': fmean(self._brought),
            'pages_ranked': fmean(self._ranked),
            'device_bytes': sizes.device_bytes,
            'read_bytes': sizes.read_bytes,
            'host_bytes': sizes.host_bytes,
        }
