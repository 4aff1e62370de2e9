# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
One picture of a memory at work: what is left of a stream, and what a question reads of it.

Time runs from left to right. A cell is a cached token: its column is the frame it comes from, its
row the place in the frame. All layers hold the same tokens; where they read different ones, what
each of them reads is drawn one below the other.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from livevlm_ros.engine.messages import Status
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.memory_look import Look, look_at_memory
from livevlm_ros.replay.outcome import EVIDENCE_FRAMES, Evaluation, Outcome
from livevlm_ros.replay.picture import save_picture
from livevlm_ros.replay.source import find_recordings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import SubplotSpec

    from livevlm_ros.engine import EngineConfig
    from livevlm_ros.engine.parts import LoadModel

# Told apart by colour-blind eyes, and in grey.
TIERS = {'short-term': '#009e73', 'long-term': '#e69f00', 'archive': '#5b7db1'}
UNREAD, TRUTH, INK = '#e4e7eb', '#c2185b', '#4a5568'
NAMED_LAYERS = 6  # most that have a label


def draw_memory_picture(
    path: Path,
    config: EngineConfig,
    evaluation: Evaluation,
    file: Path,
    *,
    load: LoadModel,
    topic: str | None = None,
) -> None:
    """
    Draw the memory at the question whose answer lies furthest back, a right one if there is any.

    The recording is replayed once more up to that question.

    :param path: what was evaluated
    :param config: what it was evaluated with
    :param file: where the picture goes, by its ending: .png, .svg, .pdf
    :param load: makes the model
    :raises BadInput: when nothing asked has evidence in the past, or the file cannot be written
    """
    outcome = _furthest(evaluation, path)
    recording = next(r for r in find_recordings(path) if r.name == outcome.recording)
    look = look_at_memory(recording, outcome.entry, config, load=load, topic=topic)
    save_picture(_draw(look, outcome, config.memory.preset), file)


def _furthest(evaluation: Evaluation, path: Path) -> Outcome:
    answered = [o for o in evaluation.outcomes if o.answer.status != Status.INVALID]
    past = [(o.age, o) for o in answered if o.age is not None and o.age > 1]
    if not past:
        raise BadInput(f'{path}: no picture to draw: nothing asked has evidence in the past')
    found = [(age, o) for age, o in past if o.correct and o.evidence_hit]
    return max(found or past, key=lambda pair: pair[0])[1]


def _draw(look: Look, outcome: Outcome, preset: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 9.5), layout='constrained')
    grid = figure.add_gridspec(4, 1, height_ratios=[2.7, 2.7, 1.0, 1.9])
    held, read, attention = (figure.add_subplot(grid[row]) for row in range(3))
    figure.suptitle(_question(outcome), weight='bold', fontsize=13, parse_math=False)
    colors = _held_colors(look)
    _tokens(held, look, colors[None])
    held.set_title(_held_title(look, preset), loc='left', pad=24)
    _legend(held, look)
    different = look.read if (look.read != look.read[0]).any() else look.read[:1]
    _tokens(read, look, np.where(different[..., None], colors, _unread_colors(look)))
    read.set_title(_read_title(look), loc='left')
    _attention(attention, look)
    for axes in (held, read, attention):
        _frame_truth(axes, look, outcome)
    _images(figure, grid[3], attention, look, outcome)
    return figure


def _question(outcome: Outcome) -> str:
    entry, said = outcome.entry, outcome.answer.text
    judged = {None: said, True: f'✓ {said}', False: f'✗ {said}, not {" or ".join(entry.answer)}'}
    return f'asked at {entry.at:.0f} s: {entry.question}   {judged[outcome.correct]}'


def _held_title(look: Look, preset: str) -> str:
    counts = {name: int(held.sum()) for name, held in look.tiers.items()}
    told = ', '.join(f'{count:,} in {name}' for name, count in counts.items())
    return f'Of {look.held.size:,} tokens of a layer so far, {preset} holds {told}'


def _read_title(look: Look) -> str:
    counts = look.read.sum(axis=(1, 2))
    least, most = counts.min(), counts.max()
    span = f'{least:,}' if least == most else f'{least:,} to {most:,}'
    return f'The question reads {span} of them in each layer'


def _held_colors(look: Look) -> np.ndarray:
    """Return the colour of the best tier that holds a token, [frames, tokens_per_frame, 3]."""
    from matplotlib.colors import to_rgb

    colors = np.ones((*look.held.shape, 3))
    for name, held in reversed(look.tiers.items()):
        colors[held] = to_rgb(TIERS[name])
    return colors


def _unread_colors(look: Look) -> np.ndarray:
    """Return white for a token that is gone, grey for any other, shaped like `_held_colors`."""
    from matplotlib.colors import to_rgb

    return np.where(look.held[..., None], to_rgb(UNREAD), 1.0)


def _tokens(axes: Axes, look: Look, colors: np.ndarray) -> None:
    """Draw tokens over time, one layer below the other where there are several."""
    layers, frames, tokens, _ = colors.shape
    cells = colors.transpose(0, 2, 1, 3).reshape(layers * tokens, frames, 3)
    axes.pcolormesh(look.edges, np.arange(layers * tokens + 1), cells, rasterized=True)
    first, last = look.edges[[0, -1]]
    axes.hlines(np.arange(1, layers) * tokens, first, last, color='white', linewidth=2.5)
    axes.set_xlim(first, last)
    axes.set_ylim(layers * tokens, 0)
    named = range(0, layers, -(-layers // NAMED_LAYERS)) if layers > 1 else ()
    axes.set_yticks([(layer + 0.5) * tokens for layer in named], [str(layer) for layer in named])
    axes.set_ylabel('layer' if named else 'place in the frame')
    axes.tick_params(left=False, labelbottom=False)


def _legend(axes: Axes, look: Look) -> None:
    from matplotlib.patches import Patch

    patches = [Patch(color=TIERS[name], label=name) for name in look.tiers]
    if not look.held.all():
        patches.append(Patch(facecolor='white', edgecolor=INK, label='gone'))
    patches.append(Patch(color=UNREAD, label='held, not read'))
    label = 'when the answer was visible'
    patches.append(Patch(facecolor='white', edgecolor=TRUTH, linewidth=1.6, label=label))
    axes.legend(
        handles=patches,
        loc='lower left',
        bbox_to_anchor=(0, 1),
        ncols=len(patches),
        frameon=False,
        borderaxespad=0.2,
        handlelength=1.2,
        columnspacing=1.4,
    )


def _attention(axes: Axes, look: Look) -> None:
    axes.stairs(100 * look.attention, look.edges, fill=True, color=INK)
    axes.set_xlim(*look.edges[[0, -1]])
    axes.set_ylabel('attention, %')
    axes.locator_params(axis='x', integer=True)
    axes.xaxis.set_major_formatter('{x:g} s')
    axes.spines[['top', 'right']].set_visible(False)


def _frame_truth(axes: Axes, look: Look, outcome: Outcome) -> None:
    """Draw a frame around each stretch in which the answer was visible."""
    for frames in _truth(look, outcome):
        first, last = (look.edges[frame] for frame in frames)
        axes.axvspan(first, last, facecolor='none', edgecolor=TRUTH, linewidth=1.6, zorder=3)


def _truth(look: Look, outcome: Outcome) -> list[tuple[int, int]]:
    """Return, of each stretch, the first frame that shows the answer and one beyond the last."""
    bounds = [
        [int(np.searchsorted(look.seconds, second)) for second in (first - 1e-6, last + 1e-6)]
        for first, last in outcome.entry.shown
    ]
    return [(begin, max(begin + 1, beyond)) for begin, beyond in bounds]


def _images(
    figure: Figure, spec: SubplotSpec, attention: Axes, look: Look, outcome: Outcome
) -> None:
    """Show a frame of the truth, and those the answer looked at most, tied to their times."""
    from matplotlib.patches import ConnectionPatch

    begin, beyond = _truth(look, outcome)[-1]
    truth = look.nearest((begin + beyond - 1) // 2)
    shown = [(truth, TRUTH, f'visible, {look.seconds[truth]:.0f} s')]
    best = np.argsort(-look.attention, kind='stable')[:EVIDENCE_FRAMES]
    shown += [
        (frame, INK, f'looked at, {look.seconds[frame]:.0f} s: {look.attention[frame]:.0%}')
        for frame in best.tolist()
        if frame in look.images
    ]
    cells = spec.subgridspec(1, 1 + EVIDENCE_FRAMES)
    for place, (frame, color, title) in enumerate(shown):
        axes = figure.add_subplot(cells[place])
        axes.imshow(look.images[frame])
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel(title, color=color)
        axes.spines[:].set(edgecolor=color, linewidth=3)
        tie = ConnectionPatch(
            (look.edges[frame : frame + 2].mean(), 0),
            (0.5, 1),
            attention.transData,
            axes.transAxes,
            color=color,
            linewidth=0.8,
            alpha=0.6,
        )
        figure.add_artist(tie)
