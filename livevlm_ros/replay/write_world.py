# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Filming the procedural world into bags, each with its questions and its truth beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from numpy.random import SeedSequence, default_rng

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.image_bag import STORAGES, image_bag
from livevlm_ros.replay.questions import QuestionEntry, write_questions
from livevlm_ros.world import FOCAL, KINDS, NEVER_SHARE, AskedQuestion, World

START_S = 1_700_000_000
"""Stamp of each stream's first frame, in seconds."""

SETTINGS = 'filming.json'
"""File beside the streams that tells how they were filmed; written last, so only when done."""

MAX_STREAMS = 100_000
"""Streams of one seed; the next seed's follow them, so no two seeds share a stream."""


@dataclass(frozen=True, slots=True)
class Filming:
    """
    What to film.

    :param seed: which streams
    :param streams: how many bags
    :param frames: fewest and most frames of a stream
    :param size: width and height of the camera in pixels
    :param fps: frames per second
    :param questions: questions asked of each stream
    :param kinds: kinds of question to ask
    :param never: share of the questions for a color or a place that are about what was never there
    :param storage: 'mcap' or 'sqlite3'
    :param raw: raw images instead of jpeg
    :raises BadInput: naming the setting that is out of range
    """

    seed: int
    streams: int = 1
    frames: tuple[int, int] = (300, 300)
    size: tuple[int, int] = (320, 240)
    fps: float = 1.0
    questions: int = 24
    kinds: tuple[str, ...] = KINDS
    never: float = NEVER_SHARE
    storage: str = 'mcap'
    raw: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be filmed."""
        (low, high), (width, height) = self.frames, self.size
        kinds, storages = ', '.join(KINDS), ', '.join(STORAGES)
        expected = [
            (self.seed >= 0, f'seed must be 0 or more, got {self.seed}'),
            (
                1 <= self.streams <= MAX_STREAMS,
                f'streams must be 1 to {MAX_STREAMS}, got {self.streams}',
            ),
            (1 <= low <= high, f'frames must be 1 or more and in order, got {low}..{high}'),
            (
                96 <= width <= 1280 and 72 <= height <= 1280,
                f'size must be 96 to 1280 pixels wide and 72 to 1280 high, got {width}x{height}',
            ),
            (0.1 <= self.fps <= 60, f'fps must be between 0.1 and 60, got {self.fps:g}'),
            (self.questions >= 0, f'questions must be 0 or more, got {self.questions}'),
            (0 <= self.never <= 1, f'never must be a share, 0 to 1, got {self.never:g}'),
            (
                bool(self.kinds) and set(self.kinds) <= set(KINDS),
                f'kinds must be of {kinds}, got {", ".join(self.kinds)}',
            ),
            (
                self.storage in STORAGES,
                f'storage must be one of {storages}, got {self.storage!r}',
            ),
        ]
        problems = [text for fine, text in expected if not fine]
        if problems:
            raise BadInput('; '.join(problems))

    def made(self, folder: Path) -> bool:
        """Tell whether a folder holds the streams of just these settings, all of them."""
        file = folder / SETTINGS
        return file.is_file() and file.read_text(encoding='utf-8') == self._text()

    def sign(self, folder: Path) -> None:
        """Write these settings beside the streams, once all are filmed."""
        (folder / SETTINGS).write_text(self._text(), encoding='utf-8')

    def _text(self) -> str:
        return json.dumps(asdict(self), indent=1) + '\n'


def write_world(
    folder: Path, filming: Filming, *, progress: Callable[[float], None] = lambda share: None
) -> int:
    """
    Film streams into `folder/stream-NNNN` bags.

    Each bag has a `stream-NNNN.questions.yaml` beside it, as `evaluate` reads it, and a
    `stream-NNNN.truth.json` with every event; `filming.json` tells that all are there.

    :param folder: new or empty
    :param progress: called with the share done, [0, 1]
    :returns: frames written
    :raises BadInput: when the folder holds something already
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f'{folder} is not an empty folder; expected a new one')
    folder.mkdir(parents=True, exist_ok=True)
    lengths = default_rng(SeedSequence((filming.seed, filming.streams))).integers(
        *filming.frames, size=filming.streams, endpoint=True
    )
    written, total = 0, int(lengths.sum())
    for number, length in enumerate(lengths):
        world = World(filming.seed * MAX_STREAMS + number, float(length / filming.fps))
        stem = folder / f'stream-{number:04d}'
        with image_bag(stem, storage=filming.storage, raw=filming.raw, focal=FOCAL) as write:
            for frame in range(length):
                seconds = frame / filming.fps
                stamp_ns = START_S * 1_000_000_000 + round(seconds * 1e9)
                write(stamp_ns, world.image(seconds, filming.size))
                written += 1
                progress(written / total)
        _write_truth(stem, world, filming)
    filming.sign(folder)
    return written


def _write_truth(stem: Path, world: World, filming: Filming) -> None:
    truth = {
        'seed': world.seed,
        'seconds': world.seconds,
        'fps': filming.fps,
        'events': [asdict(event) for event in world.events],
    }
    stem.with_name(f'{stem.name}.truth.json').write_text(json.dumps(truth, indent=1) + '\n')
    asked = world.questions(
        count=filming.questions, fps=filming.fps, kinds=filming.kinds, never_share=filming.never
    )
    write_questions(stem.with_name(f'{stem.name}.questions.yaml'), map(_entry, asked))


def _entry(asked: AskedQuestion) -> QuestionEntry:
    return QuestionEntry(
        at=asked.at,
        question=asked.question,
        id=asked.id,
        answer=asked.answer,
        type=asked.type,
        evidence=asked.evidence,
        choices=asked.choices,
    )
