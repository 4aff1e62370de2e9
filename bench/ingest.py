# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Suite `ingest`: how many frames a second the embedded model takes in, by preset and by batch.

A step sends images of the simulated camera through the vision tower and all layers and keeps
them. Its frames are archived by a thread of their own; that is waited for, so that the rate is
one that can be kept up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any, NamedTuple

import numpy as np
import torch

from livevlm_bench.gpu_stream import stream_memory
from livevlm_bench.one_camera import fill, frame
from livevlm_bench.question_suite import Progress
from livevlm_bench.report_head import head
from livevlm_bench.rounds import Contender, Quartiles, in_rounds
from livevlm_bench.threads import one_thread
from livevlm_ros.memory import PRESETS, MemoryConfig
from livevlm_ros.model import ModelConfig, VideoLanguageModel, load_model
from livevlm_ros.world import World

BASELINE = 'rekv'

ENCODED, KEPT, ARCHIVED = 'encoded', 'kept', 'archived'
"""Marks of a step: the tower is done, the frames can be asked for, its threads are, too."""

SEED = 90_300_007
"""Seed of the world."""

FRAME_SIZE = (320, 240)
IMAGES = 64
BATCHES = (2, 4, 8)

HELD = 96
"""Frames that memories hold before: as many as fill short-term and long-term of every preset."""

QUICK_HELD = 24
WARM_UP = 3


class Row(NamedTuple):
    """A memory that takes frames in, so many in a step."""

    preset: str
    batch: int

    @property
    def name(self) -> str:
        """The row's name in tables and reports."""
        return f'{self.preset} x{self.batch}'


ROWS = (
    *(Row(preset, 1) for preset in PRESETS),
    *(Row('balanced', batch) for batch in BATCHES),
)


class Watcher:
    """
    A memory that watches images come, again from the first after the last.

    :param held: frames of noise that it holds before
    """

    def __init__(
        self, model: VideoLanguageModel, row: Row, images: Sequence[np.ndarray], *, held: int
    ) -> None:
        self._model, self._images, self._batch = model, images, row.batch
        self.memory = stream_memory(model, MemoryConfig(row.preset))
        fill(self.memory, range(held))
        self._seen = held

    @torch.inference_mode()
    def step(self, number: int) -> Iterator[str]:
        """Take the next images in, and yield the marks of a step."""
        seconds = range(self._seen, self._seen + self._batch)
        features = self._model.encode_frames([self._images[each % IMAGES] for each in seconds])
        yield ENCODED
        view = self.memory.step([frame(each) for each in seconds])
        self._model.read(features, view)
        view.commit()
        self._seen = seconds.stop
        yield KEPT
        self.memory.settle()
        yield ARCHIVED


def measure(
    *,
    rounds: int,
    rows: Sequence[Row] = ROWS,
    held: int = HELD,
    progress: Progress = lambda name, share: None,
) -> dict[str, Any]:
    """
    Let memories take frames in, in turn, on one thread.

    :param rounds: steps that count, after `WARM_UP` others
    :param held: frames that each memory holds before
    :returns: the report's head, and `rows`
    """
    torch.manual_seed(SEED)
    world = World(SEED, float(IMAGES))
    images = [world.image(float(second), FRAME_SIZE) for second in range(IMAGES)]
    with one_thread(), ExitStack() as stack:
        model = load_model(ModelConfig())
        watchers = {}
        for row in rows:
            watcher = watchers[row.name] = Watcher(model, row, images, held=held)
            stack.enter_context(closing(watcher.memory))
        laps = in_rounds(
            {row: Contender(each.step, each.memory.settle) for row, each in watchers.items()},
            rounds=rounds,
            warm_up=WARM_UP,
            progress=lambda share: progress('watching', share),
        )
        lost = {name: each.memory.sizes().archive_lost for name, each in watchers.items()}
    pace = {  # ms a frame, round by round
        row.name: [took / row.batch for took in laps[row.name][ARCHIVED].wall] for row in rows
    }
    baseline = pace[Row(BASELINE, 1).name]
    return {
        **head('ingest', seed=SEED, threads=1),
        'model': model.model_id,
        'rounds': rounds,
        'warm_up': WARM_UP,
        'held': held,
        'rows': [
            {
                'name': row.name,
                **row._asdict(),
                **{mark: lap.report() for mark, lap in laps[row.name].items()},
                'frames_per_s': Quartiles.of([1e3 / ms for ms in pace[row.name]])._asdict(),
                'times_as_fast': Quartiles.of(
                    [theirs / ms for theirs, ms in zip(baseline, pace[row.name], strict=True)]
                )._asdict(),
                'archive_lost': lost[row.name],
            }
            for row in rows
        ],
    }
