# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What only a GPU can prove, section after section: `python -m livevlm_bench.gpu_check`.

A section that fails leaves its traceback and the next one runs; when the time is over the rest is
skipped, and said to be. The report is written after each. Needs no installation and no ROS.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import SiglipVisionConfig

from livevlm_bench.gpu_calls import kernels, tower, waits
from livevlm_bench.gpu_layers import Layers, Row, measure
from livevlm_bench.gpu_page import page, summary
from livevlm_bench.gpu_stream import SEED, flat, parity, smoke
from livevlm_bench.report_head import head
from livevlm_bench.shapes import HALF_BILLION, SEVEN_BILLION, Shape, qwen2
from livevlm_ros.memory import PRESETS

SO400M = SiglipVisionConfig(
    hidden_size=1152,
    intermediate_size=4304,
    num_hidden_layers=27,
    num_attention_heads=16,
    image_size=384,
    patch_size=14,
    vision_use_head=False,
)

TINY_TOWER = SiglipVisionConfig(
    hidden_size=32,
    intermediate_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    image_size=112,
    patch_size=14,
    vision_use_head=False,
)
TINY_LAYERS = qwen2(hidden=64, mlp=64, layers=4, heads=4, kv_heads=2)


class Section(NamedTuple):
    """
    A part of the check.

    :param least_s: seconds it needs; with less left it is skipped
    """

    name: str
    least_s: float
    run: Callable[[], dict[str, Any]]


class Scale(NamedTuple):
    """
    How much is done.

    :param smoke: frames and questions
    :param parity: frames and questions
    :param small: the shape of most rows, and of the tower's language
    :param large: a shape that is measured with few frames
    :param frames: that memories hold: few, many, most
    :param questions: timed in a row
    :param steps: timed in a row
    :param rounds: of the vision tower
    :param flat: steps, and after how many the bytes are counted first
    """

    smoke: tuple[int, int]
    parity: tuple[int, int]
    small: Shape
    large: Shape
    tower: SiglipVisionConfig
    frames: tuple[int, int, int]
    questions: int
    steps: int
    rounds: int
    flat: tuple[int, int]


WHOLE = Scale(
    smoke=(40, 8),
    parity=(48, 16),
    small=HALF_BILLION,
    large=SEVEN_BILLION,
    tower=SO400M,
    frames=(256, 1024, 4096),
    questions=7,
    steps=20,
    rounds=30,
    flat=(2000, 200),
)

REHEARSAL = Scale(
    smoke=(24, 4),
    parity=(20, 2),
    small=Shape('small', TINY_LAYERS, 16, (1, 2)),
    large=Shape('large', TINY_LAYERS, 16, (2, 3)),
    tower=TINY_TOWER,
    frames=(32, 40, 48),
    questions=1,
    steps=1,
    rounds=1,
    flat=(20, 10),
)


def sections(scale: Scale, device: str, *, in_time: Callable[[], bool]) -> list[Section]:
    """
    Return what is checked on a device, the most important first.

    :param in_time: whether there is time for more
    """
    few, many, most = scale.frames
    first = (Row('balanced', few, named=True), Row('recent', few))
    others = [Row(preset, few) for preset in ('rekv', 'balanced', 'livevlm', 'full')]
    second = [row._replace(frames=many) for row in (*first, *others) if row.preset != 'full']
    last = [row._replace(frames=most) for row in first]
    small, large = _rows(scale.small, scale, device), _rows(scale.large, scale, device)
    on_gpu = [
        Section('waits', 3, partial(waits, device=device, frames=scale.smoke[0])),
        Section('kernels', 5, partial(kernels, device=device)),
    ]
    tower_run = partial(tower, scale.small, scale.tower, device=device, rounds=scale.rounds)
    steps, early = scale.flat
    flat_run = partial(flat, device=device, steps=steps, early=early, in_time=in_time)
    return [
        *_embedded(scale, device),
        *(small(row, 4) for row in (*first, *others)),
        *(on_gpu if device != 'cpu' else ()),
        Section('tower', 6, tower_run),
        *(small(row, 8) for row in second),
        Section('flat', 15, flat_run),
        *(large(row, 12) for row in first),
        *(small(row, 25) for row in last),
    ]


def _embedded(scale: Scale, device: str) -> list[Section]:
    frames, questions = scale.smoke
    smoke_run = partial(smoke, device=device, frames=frames, questions=questions)
    frames, questions = scale.parity
    compare = partial(parity, device=device, frames=frames, questions=questions)
    return [
        Section('smoke', 3, smoke_run),
        *(Section(f'parity {each}', 3, partial(compare, preset=each)) for each in PRESETS),
    ]


def _rows(shape: Shape, scale: Scale, device: str) -> Callable[[Row, float], Section]:
    """Return what makes a section of a row; the first that runs builds the layers."""
    layers = cache(lambda: Layers(shape, device=device))

    def section(row: Row, least_s: float) -> Section:
        def run() -> dict[str, Any]:
            return measure(layers(), row, questions=scale.questions, steps=scale.steps)

        return Section(f'{shape.name} {row.name}', least_s, run)

    return section


def check(
    parts: Sequence[Section],
    device: str,
    *,
    left_s: Callable[[], float],
    keep: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """
    Run sections one after another.

    :param left_s: seconds that are left
    :param keep: called with the report after each section
    """
    unreached = {part.name: {'skipped': 'the run ended before'} for part in parts}
    threads = torch.get_num_threads()
    report: dict[str, Any] = {
        **head('gpu', seed=SEED, threads=threads, device=device),
        'sections': unreached,
    }
    for part in parts:
        began = time.perf_counter()
        found: dict[str, Any]
        if left_s() < part.least_s:
            found = {'skipped': f'{max(0.0, left_s()):.0f} s were left, it needs {part.least_s:g}'}
        else:
            try:
                found = part.run()
            except Exception as error:  # the other sections may work all the same
                trace = traceback.format_exc(limit=-12)
                found = {'error': f'{type(error).__name__}: {error}', 'traceback': trace}
        report['sections'][part.name] = {**found, 'took_s': time.perf_counter() - began}
        print(f'{part.name}: {summary(part.name, found)}', file=sys.stderr, flush=True)
        keep(report)
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, and print the page of what was found; returns the exit status."""
    parser = argparse.ArgumentParser(prog='gpu_check', description=__doc__)
    parser.add_argument('--json', type=Path, help='where the report goes')
    parser.add_argument('--seconds', type=float, default=600.0, help='time for all sections')
    parser.add_argument('--device', default='cuda', help='cuda, cuda:N, or cpu for a rehearsal')
    given = parser.parse_args(arguments)
    if given.device != 'cpu' and not torch.cuda.is_available():
        print('gpu_check: PyTorch finds no GPU here; --device cpu rehearses it', file=sys.stderr)
        return 2
    ends = time.monotonic() + given.seconds

    def left_s() -> float:
        return ends - time.monotonic()

    def keep(report: dict[str, Any]) -> None:
        if given.json is not None:
            given.json.write_text(json.dumps(report, indent=1) + '\n')

    scale = REHEARSAL if given.device == 'cpu' else WHOLE
    parts = sections(scale, given.device, in_time=lambda: left_s() > 0)
    report = check(parts, given.device, left_s=left_s, keep=keep)
    print(page(report), end='')
    return int(any('error' in found for found in report['sections'].values()))


if __name__ == '__main__':
    sys.exit(main())
