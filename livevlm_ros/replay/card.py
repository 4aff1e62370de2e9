# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The model card of an embedded checkpoint: measured on held-out streams, never on training ones.

Each course is filmed by `write_world` and measured by `evaluate`, as the commands in the card do.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from livevlm_ros.replay.accuracy import Report
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.table import percent
from livevlm_ros.replay.write_world import Filming, write_world
from livevlm_ros.world import CLASSES, KINDS


@dataclass(frozen=True, slots=True)
class Course:
    """
    Held-out streams and how they are asked about.

    :param name: name of the folder they are filmed into
    :param title: what stands above their column
    :param filming: the streams
    :param presets: memory presets to measure
    """

    name: str
    title: str
    filming: Filming
    presets: tuple[str, ...] = ('full', 'recent')

    @property
    def commands(self) -> list[str]:
        """Return the commands that measure it."""
        filming = self.filming
        low, high = filming.frames
        kinds = '' if filming.kinds == KINDS else f' --kinds {",".join(filming.kinds)}'
        film = (
            f'livevlm world --out {self.name} --seed {filming.seed} --streams {filming.streams} '
            f'--frames {low}..{high} --questions-per-stream {filming.questions}{kinds}'
        )
        return [film, *(f'livevlm evaluate {self.name} --preset {p}' for p in self.presets)]


RARE = ('where_two', 'after_light')  # what they need is rare in a short stream
_REST = tuple(kind for kind in KINDS if kind not in RARE)
COURSES = (
    Course('short', '4 to 16', Filming(11, 720, (4, 16), questions=11, kinds=_REST), ('full',)),
    Course(
        'short_rare',
        '4 to 16',
        Filming(12, 1000, (4, 16), questions=4, kinds=RARE),
        ('full',),
    ),
    Course('middle', '64', Filming(13, 96, (64, 64), questions=40)),
    Course('long', '256', Filming(14, 50, (256, 256), questions=72)),
)
Reports = dict[tuple[str, str], Report]  # by course and preset


@dataclass(frozen=True, slots=True)
class Measured:
    """A checkpoint's size and its reports, by course and preset."""

    parameters: int
    reports: Reports


_HEAD = """\
---
license: apache-2.0
library_name: transformers
pipeline_tag: video-text-to-text
---
# The embedded model of livevlm_ros

A LLaVA-OneVision of {parameters:.2f} million parameters in the classes of transformers: a SigLIP
tower for frames of 96 x 96 pixels, the projector and pooling to 9 tokens a frame, and 6 layers of
Qwen2. It was trained from scratch on the procedural camera of this package and knows nothing
else: {kinds} kinds of question about {classes} kinds of thing, in a vocabulary of its own. It is
the demo's brain and the test bed of the memory: its answers are right or wrong, so that memories
can be compared. It is of no use on a real camera; load real weights for that.

**Attention to the evidence was supervised.** While it trained, two heads of layer 2, and for
questions of two steps of layer 4, were told which tokens show the answer. That evidence frames are
found shows that the mechanism and its bookkeeping work, not that a model trained without this has
such layers.

## Measured

Right answers in % ± standard error, number of questions in brackets; streams of as many frames as
the column says, one frame a second, asked in the last quarter of the stream. `full` keeps every
frame, `recent` the last 16. *Chance* guesses among the choices of each question, *majority* always
gives the answer that is right most often (on the first column's questions).
"""


def measure(
    model: str, folder: Path, *, progress: Callable[[str, float], None] = lambda name, share: None
) -> Measured:
    """
    Film the courses, where that is not done yet, and evaluate a checkpoint on them.

    :param model: 'embedded' or a checkpoint folder
    :param folder: where the streams are filmed and kept
    :param progress: called with the name of what is done and its share, [0, 1]
    :raises BadInput: when the folder of a course holds something else
    """
    reports: Reports = {}
    parameters = 0
    for course in COURSES:
        bags = _film(course, folder, partial(progress, f'filming {course.name}'))
        for preset in course.presets:
            tell = partial(progress, f'{course.name}, {preset}')
            report, parameters = _measure(course, preset, bags, model, tell)
            reports[course.name, preset] = report
    return Measured(parameters, reports)


def _film(course: Course, folder: Path, tell: Callable[[float], None]) -> Path:
    """Return the streams of a course; a filming that was interrupted is begun again."""
    bags, part = folder / course.name, folder / f'{course.name}.part'
    if not bags.exists():
        if part.exists():
            shutil.rmtree(part)
        write_world(part, course.filming, progress=tell)
        part.rename(bags)
    elif not course.filming.made(bags):
        raise BadInput(
            f'{bags}: not all the streams of the course {course.name}, or of other settings; '
            'delete this folder to film them again, or give another one with --streams'
        )
    return bags


def _measure(
    course: Course, preset: str, bags: Path, model: str, tell: Callable[[float], None]
) -> tuple[Report, int]:
    """Evaluate a checkpoint on one course; returns the report and its number of parameters."""
    from livevlm_ros.replay.evaluate import evaluate
    from livevlm_ros.replay.opening import open_engine
    from livevlm_ros.replay.report import build_report
    from livevlm_ros.replay.settings import engine_config

    config = engine_config(model=model, preset=preset)
    engine = open_engine(config)
    evaluation = evaluate(bags, engine, progress=lambda _, share: tell(share))
    stats = engine.stats()
    report = build_report(evaluation, stats, config, path=course.name, seconds=0)
    return report, stats.model.parameters if stats.model else 0


def card_text(measured: Measured, runs: Sequence[Report]) -> str:
    """
    Write the card.

    :param measured: what `measure` returned
    :param runs: the training runs behind the checkpoint, as they recorded themselves
    """
    reports = measured.reports
    parts = [
        _HEAD.format(parameters=measured.parameters / 1e6, kinds=len(KINDS), classes=len(CLASSES)),
        _accuracy_table(reports),
        _evidence_table(reports),
        '## Reproduce\n\n```\n' + '\n'.join(c for course in COURSES for c in course.commands),
        '```\n\nor all of it, with this card: `livevlm card --out README.md`.\n',
        _training_text(runs),
    ]
    return '\n'.join(parts)


def _columns(reports: Reports) -> list[tuple[str, dict[str, Report]]]:
    """Return the title and the rows by kind of each column."""
    columns: list[tuple[str, dict[str, Report]]] = []
    for course in COURSES:
        for preset in course.presets:
            accuracy = reports[course.name, preset]['accuracy']
            rows = {**_variants(accuracy['by_variant']), **accuracy['by_type']}
            if 'exists' in rows:
                rows['exists, balanced'] = accuracy['exists_balanced']
            if course.filming.kinds == RARE:
                columns[0][1].update({kind: rows[kind] for kind in RARE})
            else:
                columns.append((f'{course.title}, `{preset}`', rows))
    return columns


def _variants(by_variant: dict[str, Report]) -> dict[str, Report]:
    """Return the hard negatives of exists, and everything never seen as one row."""
    never = [row for name, row in by_variant.items() if name.endswith('/never')]
    never = [row for row in never if row['n']]
    n, right = sum(row['n'] for row in never), sum(row['correct'] for row in never)
    rows = {}
    if 'exists/hard_no' in by_variant:
        rows['exists, hard no'] = by_variant['exists/hard_no']
    if n:
        share = right / n
        rows['never seen'] = {'n': n, 'rate': share, 'se': (share * (1 - share) / n) ** 0.5}
    return rows


def _accuracy_table(reports: Reports) -> str:
    columns = _columns(reports)
    lines = [
        '| kind | ' + ' | '.join(title for title, _ in columns) + ' | chance | majority |',
        '|---|' + '---|' * (len(columns) + 2),
    ]
    for kind in (*KINDS, 'exists, balanced', 'exists, hard no', 'never seen'):
        rows = [rows.get(kind) for _, rows in columns]
        first = rows[0] or {}
        guesses = f'{percent(first.get("chance"))} | {percent(first.get("majority"))}'
        lines.append(f'| {kind} | ' + ' | '.join(_cell(row) for row in rows) + f' | {guesses} |')
    return '\n'.join(lines) + '\n'


def _cell(row: Report | None) -> str:
    if not row or row['rate'] is None:
        return '-'
    return f'{100 * row["rate"]:.1f} ± {100 * row["se"]:.1f} ({row["n"]})'


def _evidence_table(reports: Reports) -> str:
    """Say how often a returned frame lies where the answer was visible, and false memories."""
    lines = [
        'Evidence: one of the first three frames returned lies in the interval that shows the',
        'answer; questions about the past only. False memory: something never seen is claimed.',
        '',
        '| streams | evidence hit | by chance | false memory |',
        '|---|---|---|---|',
    ]
    for course in COURSES:
        for preset in course.presets:
            report = reports[course.name, preset]
            past = report['evidence']['past']
            kinds = f', {" and ".join(RARE)}' if course.filming.kinds == RARE else ''
            lines.append(
                f'| {course.title}, `{preset}`{kinds} | {_cell(past)} | '
                f'{percent(past["chance"])} | {_cell(report["false_memory"])} |'
            )
    return '\n'.join(lines) + '\n'


def _training_text(runs: Sequence[Report]) -> str:
    """Tell how the checkpoint was made, with its held-out curve."""
    lines = ['## Training', '']
    for number, run in enumerate(runs, 1):
        tower, last = run['tower_minutes'], run['curve'][-1]
        before = f', after {tower:g} minutes for the tower and projector' if tower else ''
        device = run.get('device', 'cpu')
        where = f'CPU threads: {run["threads"]}' if device == 'cpu' else device
        lines.append(
            f'Run {number}: seed {run["seed"]}, {last["step"]} steps in '
            f'{_minutes(last)} minutes ({where}){before}.'
        )
    lines += [
        '',
        'Training and evaluation streams come from different namespaces of seeds, so none is',
        'in both. The recipe is `livevlm train`. Mean over the kinds on held-out clips, % right:',
        '',
        '| run | minutes | steps | 8 frames | 16 frames | 64 frames |',
        '|---|---|---|---|---|---|',
    ]
    for number, run in enumerate(runs, 1):
        lines += [f'| {number} | {_curve_row(point)} |' for point in run['curve']]
    return '\n'.join(lines) + '\n'


def _curve_row(point: Report) -> str:
    means = [
        sum(share for _, share in kinds.values()) / len(kinds)
        for kinds in point['held_out'].values()
    ]
    shares = ' | '.join(f'{100 * mean:.1f}' for mean in means)
    return f'{_minutes(point)} | {point["step"]} | {shares}'


def _minutes(point: Report) -> str:
    return f'{round(point["seconds"] / 60, 1):g}'
