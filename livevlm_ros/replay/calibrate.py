# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Fitting which heads choose a checkpoint's pages, with questions of which it is known what to find.

Recordings are replayed with every head of every layer probed, and the fewest heads that find as
much as the default vote are kept beside the weights in `memory.yaml`, if they answer as well, too.
They may not: a head can find most of what shows the answers and still miss what a few kinds of
question need. So the questions of recordings that had no part in the choice are answered with the
pages of either; heads that answer worse are doubled, until none are left to take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from operator import or_
from pathlib import Path
from statistics import fmean, pstdev
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from rich.box import SIMPLE
from rich.console import Group
from rich.table import Table
from rich.text import Text

from livevlm_ros.engine.messages import Answer, Question
from livevlm_ros.replay.accuracy import Report, rate
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.evaluate import Progress, evaluate
from livevlm_ros.replay.fitting import Sureness, Watched
from livevlm_ros.replay.opening import open_engine
from livevlm_ros.replay.outcome import Evaluation
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.recording_time import Moments
from livevlm_ros.replay.table import percent, rate_text
from livevlm_ros.replay.whole_file import write_whole
from livevlm_ros.replay.write_world import Filming, write_world

if TYPE_CHECKING:  # they bring torch
    from torch import Tensor

    from livevlm_ros.engine import Engine, EngineConfig, HeadChoice, HeadRecall
    from livevlm_ros.engine.parts import LoadModel

FILMING = Filming(seed=30_000, streams=6, frames=(128, 256), questions=72)
"""Streams of calibration's own: nothing trains in their namespace, and their seed is none of the
model card's and beyond those that a world camera takes."""

LEAST_QUESTIONS = 20
"""Questions to choose by and to check with: fewer cannot tell heads apart."""


class Trial(NamedTuple):
    """
    A set of heads that finds enough, and how well it answers.

    :param heads: by layer
    :param recall: on both halves
    :param right: rate of right answers on the held-out half
    :param difference: that rate less the default vote's, and its standard error in pairs
    """

    heads: Mapping[int, list[int]]
    recall: HeadRecall
    right: Report
    difference: tuple[float, float]

    @property
    def as_good(self) -> bool:
        """Whether it is no more than a standard error behind the default vote."""
        difference, error = self.difference
        return difference >= -error


class Calibration(NamedTuple):
    """
    What was found.

    :param retrieval: the entry of a `memory.yaml`
    :param choice: the last heads that were tried, and the recalls that led to them
    :param right: rate of right answers on the held-out half with the votes, by name
    :param tried: sets of heads, the last of them kept if `retrieval` names it
    :param questions: how many had pages to find, in the choosing and in the held-out half
    :param sureness: how sure the checkpoint may be
    :param warnings: what was wrong with the recordings
    """

    retrieval: Mapping[str, Any]
    choice: HeadChoice
    right: Mapping[str, Report]
    tried: Sequence[Trial]
    questions: tuple[int, int]
    sureness: Sureness
    warnings: Sequence[str]


class _Wanted(NamedTuple):
    """What heads want for a question, and the pages that show its answer."""

    scores: Tensor
    truth: Tensor
    read: int


def calibrate(
    config: EngineConfig,
    *,
    load: LoadModel,
    source: Path | None = None,
    progress: Progress = lambda name, share: None,
) -> Calibration:
    """
    Find the fewest heads that choose pages as well as the default vote.

    :param config: checkpoint, and a memory with an archive
    :param load: loads the checkpoint; it is called once
    :param source: recordings with questions; None: films `FILMING` for the time it takes
    :param progress: called with what is done, and the share done of that
    :raises BadInput: for too few questions about what left short-term, or as `evaluate` does
    :raises CheckpointError: for weights that cannot be used
    """
    if source is not None:
        return _calibrate(source, config, load, progress)
    with TemporaryDirectory(prefix='livevlm-') as folder:
        write_world(Path(folder), FILMING, progress=partial(progress, 'filming'))
        return _calibrate(Path(folder), config, load, progress)


def _calibrate(
    source: Path, config: EngineConfig, load: LoadModel, progress: Progress
) -> Calibration:
    from livevlm_ros.engine import RetrievalSettings, choose_heads

    model = load(config.model)
    shape = model.shape
    try:
        settings = RetrievalSettings.from_settings(model.memory_settings, shape)
    except ValueError as error:
        raise BadInput(str(error)) from error
    retrieval = {'page_tokens': settings.page_tokens}
    every_head = {layer: list(range(shape.q_heads)) for layer in range(shape.layers)}

    def replay(name: str, heads: Mapping[int, Sequence[int]], ask: _AskOf) -> Evaluation:
        voters: Any = _Voters(model, {**retrieval, 'heads': dict(heads)} if heads else retrieval)
        return _replay(source, config, voters, ask, partial(_tell, progress, name))

    wanted: list[_Wanted | None] = []
    noted = replay('all heads', every_head, partial(_ask_and_note, wanted))
    group = [outcome.recording for outcome in noted.outcomes]
    if len(set(group)) == 1:
        group = [str(number) for number in range(len(group))]
    held_out = _every_other(group)
    used = [(each, out) for each, out in zip(wanted, held_out, strict=True) if each is not None]
    checks = sum(out for _, out in used)
    if len(used) < LEAST_QUESTIONS or checks in (0, len(used)):
        raise BadInput(
            f'{source}: {len(used)} questions have evidence among more frames than are read, '
            f'{checks} of them held out: expected {LEAST_QUESTIONS} or more, in two recordings '
            'at least or in one'
        )
    default = replay('default vote', {}, _just_ask)
    tried: list[Trial] = []
    while not tried or not tried[-1].as_good:
        choice = choose_heads(
            [each.scores for each, _ in used],
            [each.truth for each, _ in used],
            [out for _, out in used],
            read=used[0][0].read,
            at_least=2 * sum(map(len, tried[-1].heads.values())) if tried else 1,
        )
        if not choice.heads:
            break
        heads = {layer: list(each) for layer, each in choice.heads.items()}
        answered = replay(f'heads {heads}', heads, _just_ask)
        right, difference = _right(answered, held_out), _difference(answered, default, held_out)
        tried.append(Trial(heads, choice.recalls['chosen'], right, difference))
    most_layers = len(RetrievalSettings(settings.page_tokens).layers(shape))
    cheaper = tried and tried[-1].as_good and len(tried[-1].heads) <= most_layers
    kept = {'heads': tried[-1].heads} if cheaper else {}
    votes = {'default vote': default, 'all heads': noted}
    watched = Watched(_Voters(model, {**retrieval, **kept}))
    _replay(
        source,
        config,
        watched,
        watched.ask,
        partial(_tell, progress, 'confidence'),
        ready=watched.begin,
    )
    return Calibration(
        {**retrieval, **kept},
        choice,
        {name: _right(each, held_out) for name, each in votes.items()},
        tried,
        (len(used) - checks, checks),
        watched.fitted(),
        noted.warnings,
    )


_AskOf = Callable[['Engine', Question, QuestionEntry, Moments], Answer]


def _replay(
    source: Path,
    config: EngineConfig,
    model: Any,
    ask: _AskOf,
    progress: Progress,
    *,
    ready: Callable[[], None] = lambda: None,
) -> Evaluation:
    engine = open_engine(config, load=lambda _: model)
    ready()
    try:
        return evaluate(source, engine, ask=partial(ask, engine), progress=progress)
    finally:
        engine.cleanup()


def _tell(progress: Progress, name: str, recording: str, share: float) -> None:
    progress(f'{name}: {recording or "done"}', share)


def _just_ask(
    engine: Engine, question: Question, entry: QuestionEntry, moments: Moments
) -> Answer:
    return engine.ask_now(question)


def _ask_and_note(
    to: list[_Wanted | None],
    engine: Engine,
    question: Question,
    entry: QuestionEntry,
    moments: Moments,
) -> Answer:
    """Ask, and note what heads want; None for a question that has nothing to find or choose."""
    answer = engine.ask_now(question)
    to.append(None)
    if not entry.shown or not answer.completion_tokens:
        return answer
    found = engine.head_scores(question.text)
    if found is None:
        return answer
    stamps_ns, shown = found.stamps_ns, [moments.span_ns(*stretch) for stretch in entry.shown]
    truth = reduce(or_, ((stamps_ns >= first) & (stamps_ns <= last) for first, last in shown))
    if truth.any() and len(truth) > found.read:
        to[-1] = _Wanted(found.scores, truth, found.read)
    return answer


class _Voters:
    """
    A model whose pages are chosen by given heads.

    :param model: a `VideoLanguageModel`, used for all but this
    :param retrieval: takes the place of the checkpoint's own entry
    """

    def __init__(self, model: Any, retrieval: Mapping[str, Any]) -> None:
        self._model = model
        self.memory_settings = {**model.memory_settings, 'retrieval': dict(retrieval)}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def _every_other(group: Sequence[str]) -> list[bool]:
    """Hold out every other group, and with it all of its questions."""
    odd = set(list(dict.fromkeys(group))[1::2])
    return [name in odd for name in group]


def _marks(evaluation: Evaluation, held_out: Sequence[bool]) -> list[bool]:
    """Return whether the answers of the held-out half are right, where that is known."""
    return [
        outcome.correct
        for outcome, out in zip(evaluation.outcomes, held_out, strict=True)
        if out and outcome.correct is not None
    ]


def _right(evaluation: Evaluation, held_out: Sequence[bool]) -> Report:
    marks = _marks(evaluation, held_out)
    return rate(sum(marks), len(marks))


def _difference(
    evaluation: Evaluation, than: Evaluation, held_out: Sequence[bool]
) -> tuple[float, float]:
    """Return how much more is right, question by question, and the standard error of that."""
    both = zip(_marks(evaluation, held_out), _marks(than, held_out), strict=True)
    pairs = [float(mark) - float(other) for mark, other in both]
    return (fmean(pairs), pstdev(pairs) / len(pairs) ** 0.5) if pairs else (0.0, 0.0)


def calibration_tables(found: Calibration) -> Group:
    """Lay out what was measured: layers, heads as they were taken, and what is left of it."""
    choice, notes = found.choice, Text('\n'.join(found.warnings), style='yellow')
    return Group(_layers_table(choice), _taken_table(choice), _checks_table(found), notes)


def _layers_table(choice: HeadChoice) -> Table:
    table = _table('recall of the head that finds most alone, by layer; in %', 'layer', 'head')
    for (layer, head), recall in choice.layers:
        table.add_row(str(layer), str(head), percent(recall.choosing), percent(recall.held_out))
    return table


def _taken_table(choice: HeadChoice) -> Table:
    table = _table('recall of the heads as they were taken, in %', 'heads', 'layer', 'head')
    for number, ((layer, head), recall) in enumerate(choice.taken, start=1):
        shares = percent(recall.choosing), percent(recall.held_out)
        table.add_row(str(number), str(layer), str(head), *shares)
    return table


def _checks_table(found: Calibration) -> Table:
    choosing, held_out = found.questions
    title = f'recall and right answers in %; {choosing} questions chose, {held_out} check'
    table = _table(title, 'pages by')
    for name in ('right, held out ± s.e.', 'less the default vote ± s.e.'):
        table.add_column(name, justify='right', no_wrap=True)
    for name, recall in found.choice.recalls.items():
        right = rate_text(found.right[name]) if name in found.right else ''
        if name != 'chosen':  # it is the last of those tried
            table.add_row(name, percent(recall.choosing), percent(recall.held_out), right)
    table.add_section()
    for trial in found.tried:
        shares = percent(trial.recall.choosing), percent(trial.recall.held_out)
        difference, error = trial.difference
        less = f'{100 * difference:+.1f} ± {100 * error:.1f}'
        style = 'bold' if trial.as_good else ''
        table.add_row(_named(trial.heads), *shares, rate_text(trial.right), less, style=style)
    return table


def _table(title: str, *names: str) -> Table:
    table = Table(*names, title=title, box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ('choosing half', 'held-out half'):
        table.add_column(name, justify='right', no_wrap=True)
    return table


def words(retrieval: Mapping[str, Any]) -> str:
    """Say in a few words who chooses pages."""
    heads = retrieval.get('heads')
    return _named(heads) if heads else 'all heads of the layers that vote: no few do as well'


def _named(heads: Mapping[int, Sequence[int]]) -> str:
    count = sum(map(len, heads.values()))
    return f'{count} {"head" if count == 1 else "heads"}, ' + ', '.join(
        f'layer {layer}: {" ".join(map(str, each))}' for layer, each in heads.items()
    )


def write_settings(file: Path, settings: Mapping[str, Any]) -> None:
    """Write a `memory.yaml`, whole or not at all."""
    write_whole(file, yaml.safe_dump(dict(settings), sort_keys=False, default_flow_style=None))
