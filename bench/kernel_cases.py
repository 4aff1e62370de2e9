# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What kernels are timed with, and the ways to do it: naively, by the torch twin, by Triton."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from livevlm_kernels.gather_runs import gather_runs, gather_runs_torch
from livevlm_kernels.low_bits import LowBits, dequantise, product_torch, quantise
from livevlm_kernels.page_scores import page_scores_torch
from livevlm_ros.memory.archive.locked import LockedPages
from livevlm_ros.memory.tokens import upload

PAGES = (14_336, 229_376)
"""Page means of the 0.5B model: of 1,170 frames in pages of 16 tokens, and of 16 times as many."""

RUNS = ((128, 896), (128, 12_800))
"""Unit and bytes of a page of the 0.5B model, and of all keys of a head in a frame."""

SLAB_BYTES, GATHERED_BYTES = 2**30, 2**25

QUICK_SIZES: Mapping[str, Any] = {'pages': (1024,), 'slab_bytes': 2**20}


class KernelCase(NamedTuple):
    """
    One task for a kernel.

    :param naive: the task as it is first written down
    :param twin: the torch that runs without a GPU
    :param triton: None where there is no GPU
    """

    kernel: str
    what: str
    naive: Callable[[], Tensor]
    twin: Callable[[], Tensor]
    triton: Callable[[], Tensor] | None


Case = AbstractContextManager[KernelCase]


def cases(
    device: str, *, pages: tuple[int, ...] = PAGES, slab_bytes: int = SLAB_BYTES
) -> list[Case]:
    """
    Return all tasks, each to be entered when its turn comes.

    :param pages: to score
    :param slab_bytes: of which runs are gathered, a power of two
    """
    return [
        *(page_scores_case(device, count) for count in pages),
        *(gather_runs_case(device, unit, run, slab_bytes) for unit, run in RUNS),
        *(low_bits_case(device, bits) for bits in (8, 4)),
    ]


@contextmanager
def page_scores_case(device: str, pages: int) -> Iterator[KernelCase]:
    """Score page means for a question of 20 tokens, in the 0.5B model's heads."""
    torch.manual_seed(0)
    q = torch.randn(14, 20, 64, device=device, dtype=torch.bfloat16)
    means = torch.randn(pages, 2, 64, device=device, dtype=torch.bfloat16)
    triton = None
    if device != 'cpu':
        from livevlm_kernels.page_scores_triton import page_scores_triton

        triton = partial(page_scores_triton, q, means)
    yield KernelCase(
        'page scores',
        f'{pages} page means',
        naive=partial(naive_page_scores, q, means),
        twin=partial(page_scores_torch, q, means),
        triton=triton,
    )


@contextmanager
def gather_runs_case(
    device: str, unit: int, run: int, slab_bytes: int = SLAB_BYTES
) -> Iterator[KernelCase]:
    """Gather runs of bytes out of RAM and bring them to the device."""
    torch.manual_seed(0)
    slab = torch.randint(256, (slab_bytes,), dtype=torch.uint8)
    gathered = min(GATHERED_BYTES, slab_bytes // 8)
    starts = torch.randint((slab_bytes - run) // unit, (gathered // run,))
    there = torch.device(device)
    triton, locked = None, None
    if there.type != 'cpu':
        locked = LockedPages(slab, there)
        if not locked.reach(slab.nbytes):
            raise RuntimeError(f'the GPU driver cannot lock {slab.nbytes / 1e6:.0f} MB of RAM')
        triton = partial(gather_runs, slab, starts.to(there), run, unit=unit, locked=True)
    try:
        yield KernelCase(
            'gather runs',
            f'{gathered / 1e6:.2g} MB in runs of {run} bytes',
            naive=lambda: upload(naive_gather_runs(slab, starts, run, unit=unit), there),
            twin=lambda: upload(gather_runs_torch(slab, starts, run, unit=unit), there),
            triton=triton,
        )
    finally:
        if locked is not None:
            locked.unlock()


@contextmanager
def low_bits_case(device: str, bits: int) -> Iterator[KernelCase]:
    """Multiply a token with the two sides of a gate of the 0.5B model, in few bits."""
    torch.manual_seed(0)
    low = LowBits(*(part.to(device) for part in quantise(torch.randn(9728, 896), bits)))
    dtype = torch.float32 if device == 'cpu' else torch.bfloat16
    token = torch.randn(1, 896, device=device, dtype=dtype)
    triton = None
    if device != 'cpu':
        from livevlm_kernels.low_bits_triton import product_triton

        triton = partial(product_triton, low, token)
    yield KernelCase(
        'low bits',
        f'a token by 9728 x 896 weights of {bits} bits',
        naive=lambda: token @ dequantise(low, dtype).t(),
        twin=partial(product_torch, low, token),
        triton=triton,
    )


def naive_page_scores(q: Tensor, means: Tensor) -> Tensor:
    """Score pages as `page_scores` does, with each kv head repeated for its query heads."""
    group = q.shape[0] // means.shape[1]
    keys = means.repeat_interleave(group, dim=1).float()  # [pages, q_heads, dim]
    logits = torch.einsum('htd,phd->htp', q.float(), keys) / q.shape[-1] ** 0.5
    return logits.softmax(-1).unflatten(0, (-1, group)).mean((1, 2))


def naive_gather_runs(slab: Tensor, starts: Tensor, run: int, *, unit: int) -> Tensor:
    """Copy runs as `gather_runs` does, one after another."""
    return torch.stack([slab[start * unit :][:run] for start in starts.tolist()])


def difference(kernel: str, one: Tensor, other: Tensor) -> float:
    """Return how far two results are apart: relative to the largest score, or in bytes."""
    if kernel == 'gather runs':
        return float((one.cpu() != other.cpu()).sum())
    return float((one - other).abs().max() / other.abs().max())
