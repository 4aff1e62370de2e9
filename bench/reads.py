# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How much questions read in each layer, counted in a run that answers them.

Amounts are in frames, short-term among them: tokens by those of a frame. So they can be laid on a
model with other frames and more layers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from livevlm_ros.engine import Answer, Engine, EngineConfig, ModelConfig, Question
from livevlm_ros.memory import QuestionView, View
from livevlm_ros.model import QuestionPrompt, VideoLanguageModel
from livevlm_ros.model.checkpoint import checkpoint_folder
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.evaluate import evaluate
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.settings import engine_config

PRESETS = ('livevlm', 'balanced', 'rekv')

LEAST_SEEN = 80
"""Frames before a question counts: as many as `rekv` reads, so that nothing bounds it."""

SHIPPED = Path(__file__).parent / 'reads.json'


@dataclass(frozen=True, slots=True)
class Reads:
    """
    What questions read.

    :param command: what counted it
    :param questions: how many questions counted
    :param frames: by preset, mean frames read in each layer
    """

    command: str
    questions: int
    frames: dict[str, list[float]]

    def of_layer(self, preset: str, layer: int, *, layers: int) -> float:
        """Return the frames a preset reads in a layer of a model that may have other layers."""
        counted = self.frames[preset]
        return counted[layer * len(counted) // layers]

    def write(self, file: Path) -> None:
        """Write what `read_reads` reads."""
        file.write_text(json.dumps(asdict(self), indent=1) + '\n', encoding='utf-8')


def read_reads(file: Path) -> Reads:
    """
    Read a file that `livevlm bench reads` wrote.

    :raises BadInput: if it is none
    """
    try:
        reads = Reads(**json.loads(file.read_text(encoding='utf-8')))
        missing = [preset for preset in PRESETS if not _amounts(reads.frames.get(preset))]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BadInput(f'{file}: {error}; expected what `livevlm bench reads` writes') from error
    if missing:
        raise BadInput(
            f'{file}: no frames read by {", ".join(missing)}; '
            'expected what `livevlm bench reads` writes'
        )
    return reads


def _amounts(given: Any) -> bool:
    return (
        isinstance(given, list)
        and bool(given)
        and all(type(frames) in (int, float) and frames > 0 for frames in given)
    )


class _Watched(VideoLanguageModel):
    """A model that notes what each of its questions has read, tokens by layer."""

    def __init__(self, folder: Path, config: ModelConfig) -> None:
        super().__init__(folder, config)
        self.tokens_read: list[list[int]] = []

    def answer_tokens(
        self,
        prompt: QuestionPrompt,
        view: View,
        *,
        temperature: float,
        generator: torch.Generator | None = None,
    ) -> Iterator[int]:
        """Speak as any model does."""
        tokens = super().answer_tokens(prompt, view, temperature=temperature, generator=generator)
        first = next(tokens, None)
        assert isinstance(view, QuestionView)
        self.tokens_read.append(view.tokens_read)
        if first is not None:
            yield first
            yield from tokens


def count_reads(
    source: Path,
    *,
    model: str = 'embedded',
    progress: Callable[[str, float], None] = lambda name, share: None,
) -> Reads:
    """
    Replay recordings under each preset and count what their questions read.

    :param source: a bag or a folder of bags, with questions
    :param progress: called with preset and recording, and the share of everything done, [0, 1]
    :raises BadInput: as `evaluate` does, or if no question comes late enough
    """
    frames: dict[str, list[float]] = {}
    counts: list[int] = []
    for number, preset in enumerate(PRESETS):

        def tell(name: str, share: float, number: int = number, preset: str = preset) -> None:
            progress(f'{preset}: {name or "done"}', (number + share) / len(PRESETS))

        rows, frame_tokens = _count(source, engine_config(model=model, preset=preset), tell)
        if not rows:
            raise BadInput(
                f'{source}: no question comes after {LEAST_SEEN} frames or more; '
                'expected longer recordings'
            )
        frames[preset] = [
            round(fmean(layer) / frame_tokens, 2) for layer in zip(*rows, strict=True)
        ]
        counts.append(len(rows))
    command = f'livevlm bench reads {source}' + f' --model {model}' * (model != 'embedded')
    return Reads(command, min(counts), frames)


def _count(
    source: Path, config: EngineConfig, progress: Callable[[str, float], None]
) -> tuple[list[list[int]], int]:
    """Return the tokens that each question has read, by layer, and those of a frame."""
    model = _Watched(checkpoint_folder(config.model.path), config.model)
    engine = Engine(config, load=lambda config: model)
    engine.load(progress)
    counted: list[list[int]] = []

    def ask(question: Question, entry: QuestionEntry, first_ns: int) -> Answer:
        sizes = engine.stats().memory
        model.tokens_read.clear()  # the engine's warm-up has asked, too
        answer = engine.ask_now(question)
        if sizes is not None and sizes.short_term_frames + sizes.evictions >= LEAST_SEEN:
            counted.extend(model.tokens_read)
        return answer

    try:
        evaluate(source, engine, ask=ask, progress=progress)
    finally:
        engine.cleanup()
    return counted, model.shape.tokens_per_frame
