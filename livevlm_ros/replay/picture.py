# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One picture of an evaluation: the stream, questions about its past, what they looked at."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from livevlm_ros.engine.messages import BadFrame, Frame, Status
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.outcome import EVIDENCE_FRAMES, Evaluation, Outcome
from livevlm_ros.replay.recording import timed
from livevlm_ros.replay.source import find_recordings, open_source
from livevlm_ros.replay.whole_file import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import SubplotSpec

ROWS = 4
STRIP_FRAMES = 8
THUMBNAIL_WIDTH = 240
QUESTION_COLUMNS = 30
NAMED_STRETCHES = 3  # in which the answer was visible, the latest
GREEN, RED, GREY = '#2f855a', '#c53030', '#a0aec0'

Thumbnails = dict[float, np.ndarray]


def draw_picture(
    path: Path, evaluation: Evaluation, file: Path, *, topic: str | None = None
) -> None:
    """
    Draw the first recording that has questions about its past.

    The rows are the first question of each kind in the order asked, right or wrong.

    :param path: what was evaluated
    :param file: where the picture goes, by its ending: .png, .svg, .pdf
    :raises BadInput: when nothing asked has evidence in the past, or the file cannot be written
    """
    from matplotlib.figure import Figure

    rows = _rows(evaluation)
    if not rows:
        raise BadInput(f'{path}: no picture to draw: nothing asked has evidence in the past')
    name = rows[0].recording
    recording = next(r for r in find_recordings(path) if r.name == name)
    end = max(sample.seconds for sample in evaluation.memory if sample.recording == name)
    strip = np.linspace(0, end, STRIP_FRAMES).tolist()
    frames = _thumbnails(recording, topic, [*strip, *_seconds(rows)])
    figure = Figure(figsize=(11, 1.5 + 1.75 * len(rows)), layout='constrained')
    grid = figure.add_gridspec(1 + len(rows), 1, height_ratios=[0.8, *[1] * len(rows)])
    _strip(figure, grid[0], frames, strip)
    for number, outcome in enumerate(rows, start=1):
        _row(figure, grid[number], outcome, frames)
    chosen = (
        f'{len(rows)} of {len(evaluation.outcomes)} questions: the first of each kind whose '
        'evidence is known and past'
    )
    figure.supxlabel(chosen, fontsize=8, color=GREY)
    save_picture(figure, file)


def save_picture(figure: Figure, file: Path) -> None:
    """
    Write a figure, in the format that the file's ending stands for.

    :raises BadInput: for an ending that stands for none, or as `whole_file` does
    """
    with whole_file(file) as part:
        try:
            figure.savefig(part, dpi=110)
        except ValueError as error:
            raise BadInput(f'{file}: the picture cannot be written: {error}') from error


def _rows(evaluation: Evaluation) -> list[Outcome]:
    """Return the first question about the past of each kind, of the first recording with any."""
    past = [o for o in evaluation.outcomes if o.age is not None and o.age > 1 and o.entry.answer]
    kinds: dict[str, Outcome] = {}
    for outcome in past:
        if outcome.recording == past[0].recording:
            kinds.setdefault(outcome.entry.type, outcome)
    return list(kinds.values())[:ROWS]


def _seconds(rows: list[Outcome]) -> list[float]:
    """Return the times that the rows show."""
    shown = [_shown_at(outcome) for outcome in rows]
    return shown + [second for o in rows for second in o.evidence_s[:EVIDENCE_FRAMES]]


def _shown_at(outcome: Outcome) -> float:
    """Return the middle of the last stretch in which the answer was visible."""
    return sum(outcome.entry.shown[-1]) / 2


def _thumbnails(recording: Path, topic: str | None, wanted: list[float]) -> Thumbnails:
    """
    Return small copies of the frames nearest to some times, by seconds from the first.

    One pass, and no more frames are held than times are wanted.
    """
    nearest: dict[float, tuple[float, np.ndarray]] = {}  # by wanted time
    for elapsed_ns, frame in timed(open_source(recording, topic=topic)):
        second = elapsed_ns / 1e9
        closer = [
            time
            for time in wanted
            if time not in nearest or abs(time - second) < abs(time - nearest[time][0])
        ]
        if closer and (thumbnail := _thumbnail(frame)) is not None:
            nearest.update(dict.fromkeys(closer, (second, thumbnail)))
    return dict(nearest.values())


def _thumbnail(frame: Frame) -> np.ndarray | None:
    """Return a small copy of a frame, None when it does not decode."""
    try:
        pixels = frame.pixels() if callable(frame.pixels) else frame.pixels
    except BadFrame:
        return None
    height = round(THUMBNAIL_WIDTH * pixels.shape[0] / pixels.shape[1])
    return cv2.resize(pixels, (THUMBNAIL_WIDTH, height), interpolation=cv2.INTER_AREA)


def _strip(figure: Figure, spec: SubplotSpec, frames: Thumbnails, times: list[float]) -> None:
    """Draw frames spread over the stream."""
    chosen = sorted({_nearest(frames, time) for time in times})
    cells = spec.subgridspec(1, STRIP_FRAMES)
    for number, second in enumerate(chosen):
        _show(figure.add_subplot(cells[number]), frames, second, f'{second:.0f} s', GREY)


def _row(figure: Figure, spec: SubplotSpec, outcome: Outcome, frames: Thumbnails) -> None:
    """Draw a question, its answer, what was visible and what the answer looked at."""
    widths = [1.3, *[1] * (1 + EVIDENCE_FRAMES)]
    cells = spec.subgridspec(1, len(widths), width_ratios=widths)
    _say(figure.add_subplot(cells[0]), outcome)
    _show(figure.add_subplot(cells[1]), frames, _shown_at(outcome), _visible(outcome), GREEN)
    for number in range(EVIDENCE_FRAMES):
        axes = figure.add_subplot(cells[2 + number])
        if number >= len(outcome.evidence_s):
            axes.set_axis_off()
            continue
        second = outcome.evidence_s[number]
        score = outcome.answer.evidence[number].score
        color = GREEN if outcome.visible_at(second) else GREY
        _show(axes, frames, second, f'evidence {number + 1}: {second:.0f} s ({score:.2f})', color)


def _visible(outcome: Outcome) -> str:
    """Say when the answer was visible, of many stretches the latest."""
    shown = outcome.entry.shown
    spans = [
        f'{first:.0f}' if round(first) == round(last) else f'{first:.0f}-{last:.0f}'
        for first, last in shown[-NAMED_STRETCHES:]
    ]
    return f'visible: {"…, " * (len(shown) > len(spans))}{", ".join(spans)} s'


def _say(axes: Axes, outcome: Outcome) -> None:
    """Write the question, the answer, and the truth where it is another."""
    entry, right = outcome.entry, outcome.correct
    asked = fill(entry.question.replace(' ?', '\xa0?'), QUESTION_COLUMNS)
    said = outcome.answer.text or Status(outcome.answer.status).name
    lines: list[tuple[float, str, dict[str, Any]]] = [
        (0.92, f'asked at {entry.at:.0f} s', {'color': GREY, 'fontsize': 8}),
        (0.8, asked, {'fontsize': 10, 'weight': 'bold'}),
        (0.36, said, {'color': GREEN if right else RED, 'fontsize': 13}),
    ]
    if not right:
        truth = f'right: {" or ".join(entry.answer)}'
        lines.append((0.14, truth, {'color': GREEN, 'fontsize': 9}))
    axes.set_axis_off()
    for height, text, style in lines:
        axes.text(0, height, text, va='top', in_layout=False, parse_math=False, **style)


def _nearest(frames: Thumbnails, second: float) -> float:
    return min(frames, key=lambda time: abs(time - second))


def _show(axes: Axes, frames: Thumbnails, second: float, title: str, color: str) -> None:
    """Show the frame nearest to a time in a coloured border."""
    axes.imshow(frames[_nearest(frames, second)])
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=8, color='black' if color == GREY else color)
    for spine in axes.spines.values():
        spine.set(edgecolor=color, linewidth=1 if color == GREY else 3)
