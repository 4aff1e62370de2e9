# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Suite `scaling`: what a stream's length costs under `balanced`, from minutes to hours.

One memory grows. At each length a second one, which has seen `FEW` frames, takes questions and
steps in turn with it, so that a ratio of the two has nothing of what the machine did meanwhile.
RAM is counted before that, of a memory that grows and is asked alone.
Beyond `ARCHIVE_FRAMES` the archive is full and thins. Between the lengths frames are noise, see
`filling.py`; those of steps that are timed go through the layers, the tower is not part of it.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from livevlm_bench.bars import bar
from livevlm_bench.filling import empty
from livevlm_bench.one_camera import fill, frame
from livevlm_bench.question_suite import FIRST_TOKEN, AskedMemory, Progress
from livevlm_bench.report_head import head
from livevlm_bench.rounds import Contender, Lap, Quartiles, in_rounds, quotients
from livevlm_bench.threads import one_thread
from livevlm_bench.timed_layers import Language, embedded_language
from livevlm_ros.engine.percentiles import Percentiles
from livevlm_ros.memory import Memory

FEW = 256
LENGTHS = (FEW, 1024, 4096, 8192, 16_384, 20_000)
QUICK_LENGTHS = (64, 96, 128)
ARCHIVE_FRAMES = 12_000
"""Frames that the growing memory's archive has RAM for."""

QUESTION_WARM_UP, STEP_WARM_UP = 3, 10
STEPS, QUICK_STEPS = 400, 20
"""That are timed at each length."""

STEP = 'step'
SEED = 0

MOST_GROWTH = 1.2
"""Most that a question's time may grow, longest stream over shortest."""

MOST_TAIL = 2.0
"""Most that the 99th percentile of steps may be, over their median."""

MOST_UNPREDICTED = 1.05
"""Most that the process may grow, over the bytes that the memory says it takes."""

MOST_AFTER_FULL = 1.01
"""Most that the process may have grown at the end, over when the archive became full."""


class Stream:
    """
    A memory of a stream of noise, frame after frame.

    :param archive_frames: that its archive has RAM for
    :param before: RAM that the process took when there was no memory
    """

    def __init__(self, language: Language, archive_frames: int, *, before: int = 0) -> None:
        self.memory: Memory = empty(language, preset='balanced', archive_frames=archive_frames)
        self._language, self._source = language, torch.Generator().manual_seed(SEED)
        self._before = before
        self.seen = 0

    def fill(self, frames: int) -> None:
        """Let frames come until so many have been seen."""
        fill(self.memory, range(self.seen, frames))
        self.seen = frames

    def ask(self, questions: int) -> None:
        """Ask, and wait for what the memory does after each question."""
        asked = AskedMemory(self._language, self.memory, answer_tokens=1)
        for number in range(questions):
            list(asked.ask(number))
            self.memory.settle()

    def bytes(self) -> dict[str, int]:
        """Return what the memory says it takes, and what the process takes more than before."""
        self.memory.settle()
        sizes = self.memory.sizes()
        tokens = sizes.short_term_tokens + sizes.archive_tokens
        return {
            'frames_held': tokens // self._language.shape.tokens_per_frame,
            'device_bytes': sizes.device_bytes,
            'read_bytes': sizes.read_bytes,
            'host_bytes': sizes.host_bytes,
            'resident_bytes': resident_bytes() - self._before,
        }

    @torch.inference_mode()
    def step(self, number: int) -> Iterator[str]:
        """Take a frame's tokens through the layers into the memory, and yield `STEP`."""
        size = (self._language.shape.tokens_per_frame, self._language.prefix.shape[1])
        tokens = torch.randn(size, generator=self._source).to(self._language.dtype)
        view = self.memory.step([frame(self.seen)])
        self._language.read(tokens, view)
        view.commit()
        self.seen += 1
        yield STEP


def measure(
    *,
    rounds: int,
    lengths: Sequence[int] = LENGTHS,
    steps: int = STEPS,
    bars: bool = True,
    progress: Progress = lambda name, share: None,
) -> dict[str, Any]:
    """
    Let a memory of the embedded model grow, and measure it at each length, on one thread.

    :param rounds: questions to each memory at each length
    :param lengths: in frames, ascending; of the first is the memory that all are compared with
    :param steps: timed at each length
    :param bars: whether bars are judged
    :returns: the report's head, `rows` by length, and `bars`
    """
    torch.manual_seed(SEED)
    with one_thread():
        language = embedded_language()
        young = Stream(language, lengths[0])
        with closing(young.memory):  # what torch takes for good is taken before bytes are counted
            young.fill(lengths[0])
        alone = Stream(language, ARCHIVE_FRAMES, before=resident_bytes())
        with closing(alone.memory):
            taken = []
            for frames in lengths:
                progress(f'{frames} frames: RAM', alone.seen / lengths[-1] / 3)
                alone.fill(frames)
                alone.ask(rounds)
                taken.append(alone.bytes())
        grown = Stream(language, ARCHIVE_FRAMES)
        with closing(grown.memory):
            rows = []
            for frames, of_memory in zip(lengths, taken, strict=True):
                progress(f'{frames} frames: times', (1 + 2 * grown.seen / lengths[-1]) / 3)
                grown.fill(frames)
                times = _compared(language, grown, lengths[0], rounds, steps)
                rows.append({'frames': frames, **of_memory, **times})
    return {
        **head('scaling', seed=SEED, threads=1),
        'model': language.name,
        'rounds': rounds,
        'steps': steps,
        'archive_frames': ARCHIVE_FRAMES,
        'young_frames': lengths[0],
        'rows': rows,
        'bars': judged(rows) if bars else [],
    }


def resident_bytes() -> int:
    """Return the RAM that this process takes, without what C has kept of freed memory; Linux."""
    gc.collect()
    if (trim := getattr(ctypes.CDLL(None), 'malloc_trim', None)) is not None:
        trim(0)
    (line,) = (
        line
        for line in Path('/proc/self/status').read_text(encoding='utf-8').splitlines()
        if line.startswith('VmRSS:')
    )
    return int(line.split()[1]) * 1024


def _compared(
    language: Language, grown: Stream, young_frames: int, rounds: int, steps: int
) -> dict[str, Any]:
    """Ask and step the memory that has grown and a young one in turn."""
    young = Stream(language, young_frames + STEP_WARM_UP + steps)
    with closing(young.memory):
        young.fill(young_frames)
        asked = {
            name: AskedMemory(language, stream.memory, answer_tokens=1)
            for name, stream in (('young', young), ('grown', grown))
        }
        questions = in_rounds(
            {name: Contender(each.ask, each.memory.settle) for name, each in asked.items()},
            rounds=rounds,
            warm_up=QUESTION_WARM_UP,
        )
        stepped = in_rounds(
            {
                'young': Contender(young.step, young.memory.settle),
                'grown': Contender(grown.step, grown.memory.settle),
            },
            rounds=steps,
            warm_up=STEP_WARM_UP,
        )
    report = asked['grown'].report()
    return {
        'tokens_brought': report['tokens_brought'],
        'pages_ranked': report['pages_ranked'],
        'first_token': _pair(questions, FIRST_TOKEN),
        'step': {
            **_pair(stepped, STEP),
            'tails': {
                name: {'wall_ms': tail(laps[STEP].wall), 'cpu_ms': tail(laps[STEP].cpu)}
                for name, laps in stepped.items()
            },
        },
    }


def _pair(laps: dict[str, dict[str, Lap]], mark: str) -> dict[str, Any]:
    """Return what both took, and how much longer the one that has grown."""
    young, grown = laps['young'][mark], laps['grown'][mark]
    return {
        'young': young.report(),
        'grown': grown.report(),
        'times_as_long': quotients(grown, young)._asdict(),
    }


def tail(times_ms: Sequence[float]) -> dict[str, float]:
    """Return the median, the 99th percentile and the longest of some times."""
    tails = Percentiles.of(times_ms)
    return {'p50': tails.p50, 'p99': tails.p99, 'most': tails.max}


def judged(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Say which bars the longest stream meets."""
    last, full = rows[-1], next(row for row in rows if row['frames'] >= ARCHIVE_FRAMES)
    asked, steps = last['first_token'], last['step']['tails']['grown']['wall_ms']
    predicted = last['device_bytes'] + last['read_bytes'] + last['host_bytes']
    length = f'{last["frames"]} frames'
    return [
        bar(
            f'first token, {length} / {rows[0]["frames"]}',
            asked['grown']['wall_ms']['p50'],
            asked['young']['wall_ms']['p50'],
            most=MOST_GROWTH,
            rounds=Quartiles(**asked['times_as_long']),
        ),
        bar(f'step of {length}, p99 / median', steps['p99'], steps['p50'], most=MOST_TAIL),
        bar(
            f'RAM of {length}, taken / predicted',
            last['resident_bytes'] / 1e6,
            predicted / 1e6,
            most=MOST_UNPREDICTED,
            unit='MB',
        ),
        bar(
            f'RAM, {length} / {full["frames"]}, both with a full archive',
            last['resident_bytes'] / 1e6,
            full['resident_bytes'] / 1e6,
            most=MOST_AFTER_FULL,
            unit='MB',
        ),
    ]
