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
import platform
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from transformers import SiglipVisionConfig

from livevlm_bench.gpu_calls import kernels, tower, waits
from livevlm_bench.gpu_layers import (
    HALF_BILLION,
    SEVEN_BILLION,
    Layers,
    Row,
    Shape,
    measure,
    qwen2,
)
from livevlm_bench.gpu_page import page, summary
from livevlm_bench.gpu_stream import flat, parity, smoke
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

TINY = Shape('tiny', qwen2(hidden=64, mlp=64, layers=4, heads=4, kv_heads=2), 16, (1, 2))
TINY_TOWER = SiglipVisionConfig(
    hidden_size=32,
    intermediate_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    image_size=112,
    patch_size=14,
    vision_use_head=False,
)


class Section(NamedTuple):
    """
    A part of the check.

    :param least_s: seconds it needs; with less left it is skipped
    """

    name: str
    least_s: float
    run: Callable[[], dict[str, Any]]


def sections(device: str, *, in_time: Callable[[], bool]) -> list[Section]:
    """
    Return what is checked on a device, the most important first; on a CPU with tiny numbers.

    :param in_time: whether there is time for more
    """
    if device == 'cpu':
        return [*_embedded(device, 24, 4), *_small(device)]
    layers = cache(lambda shape: Layers(shape, device=device))

    def row(shape: Shape, least_s: float, row: Row) -> Section:
        run = lambda: measure(layers(shape), row, questions=7, steps=20)  # noqa: E731
        return Section(f'{shape.name} {row.name}', least_s, run)

    named = Row('balanced', 256, named=True)
    few = [
        named,
        *(Row(preset, 256) for preset in ('recent', 'rekv', 'balanced', 'livevlm', 'full')),
    ]
    many = [each._replace(frames=1024) for each in few if each.preset != 'full']
    most = [each._replace(frames=4096) for each in (named, few[1])]
    return [
        *_embedded(device, 40, 8),
        *(row(HALF_BILLION, 4, each) for each in few),
        Section('waits', 3, partial(waits, device=device, frames=40)),
        Section('kernels', 5, partial(kernels, device=device)),
        Section('tower', 6, partial(tower, HALF_BILLION, SO400M, device=device, rounds=30)),
        *(row(HALF_BILLION, 8, each) for each in many),
        Section('flat', 15, partial(flat, device=device, steps=2000, early=200, in_time=in_time)),
        *(row(HALF_BILLION, 25, each) for each in most),
        *(row(SEVEN_BILLION, 12, each) for each in (named, few[1])),
    ]


def _embedded(device: str, frames: int, questions: int) -> list[Section]:
    cpu = device == 'cpu'
    given: dict[str, Any] = {'device': device, 'frames': 48, 'questions': 16}
    if cpu:
        given |= {'frames': frames, 'questions': questions}
    return [
        Section('smoke', 3, partial(smoke, device=device, frames=frames, questions=questions)),
        *(
            Section(f'parity {preset}', 3, partial(parity, preset=preset, **given))
            for preset in (PRESETS if not cpu else ('balanced',))
        ),
    ]


def _small(device: str) -> list[Section]:
    layers = cache(lambda: Layers(TINY, device=device))
    rows = [Row('balanced', 40, named=True), *(Row(preset, 40) for preset in PRESETS)]
    run = lambda row: measure(layers(), row, questions=2, steps=2)  # noqa: E731
    return [
        *(Section(f'{TINY.name} {row.name}', 1, partial(run, row)) for row in rows),
        Section('tower', 1, partial(tower, TINY, TINY_TOWER, device=device, rounds=2)),
        Section('flat', 1, partial(flat, device=device, steps=40, early=20)),
    ]


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
    report: dict[str, Any] = {'machine': machine(device), 'sections': {}}
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


def machine(device: str) -> dict[str, Any]:
    """Say what this is measured on."""
    found = {
        'device': 'cpu',
        'host': platform.machine(),
        'threads': torch.get_num_threads(),
        'python': platform.python_version(),
        'torch': torch.__version__,
        'transformers': transformers.__version__,
        'date': time.strftime('%Y-%m-%d', time.gmtime()),
    }
    if device != 'cpu':
        import triton

        found |= {
            'device': torch.cuda.get_device_name(device),
            'cuda': torch.version.cuda,
            'triton': triton.__version__,
            'bytes': torch.cuda.get_device_properties(device).total_memory,
        }
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, or render what a check has found; returns the exit status."""
    parser = argparse.ArgumentParser(prog='gpu_check', description=__doc__)
    parser.add_argument('--json', type=Path, help='where the report goes')
    parser.add_argument('--seconds', type=float, default=600.0, help='time for all sections')
    parser.add_argument('--device', default='cuda', help='cuda, cuda:N, or cpu for a rehearsal')
    parser.add_argument('--render', type=Path, metavar='JSON', help='print the page of a report')
    given = parser.parse_args(arguments)
    if given.render is not None:
        report = json.loads(given.render.read_text()) if given.render.is_file() else None
        print(page(report), end='')
        return 0
    if given.device != 'cpu' and not torch.cuda.is_available():
        print('gpu_check: PyTorch finds no GPU here; --device cpu rehearses it', file=sys.stderr)
        return 2
    ends = time.monotonic() + given.seconds

    def left_s() -> float:
        return ends - time.monotonic()

    def keep(report: dict[str, Any]) -> None:
        if given.json is not None:
            given.json.write_text(json.dumps(report, indent=1) + '\n')

    parts = sections(given.device, in_time=lambda: left_s() > 0)
    report = check(parts, given.device, left_s=left_s, keep=keep)
    print(page(report), end='')
    return int(any('error' in found for found in report['sections'].values()))


if __name__ == '__main__':
    sys.exit(main())
