# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs of bytes copied by a GPU out of host memory that is locked for it."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from livevlm_kernels.gather_runs import WORDS

BLOCK_WORDS = 256


def gather_runs_triton(slab: Tensor, starts: Tensor, run: int, *, unit: int) -> Tensor:
    """Copy runs as `livevlm_kernels.gather_runs.gather_runs` does."""
    word = next(size for size in WORDS if unit % size == 0)
    out = torch.empty(*starts.shape, run, dtype=torch.uint8, device=starts.device)
    words, runs = run // word, starts.numel()
    if words and runs:
        grid = (runs, triton.cdiv(words, BLOCK_WORDS))
        with torch.cuda.device_of(starts):
            copy_runs[grid](
                slab.view(-1).view(WORDS[word]),
                starts.contiguous(),
                out.view(-1).view(WORDS[word]),
                words,
                unit // word,
                BLOCK_WORDS=BLOCK_WORDS,
            )
    return out


@triton.jit
def copy_runs(
    slab: tl.tensor,  # words
    starts: tl.tensor,  # int64 [runs], in units
    out: tl.tensor,  # words, [runs, words]
    words: tl.tensor,  # of a run
    unit_words: tl.tensor,
    BLOCK_WORDS: tl.constexpr,
) -> None:
    """Copy a block of one run."""
    run = tl.program_id(0).to(tl.int64)
    word = tl.program_id(1) * BLOCK_WORDS + tl.arange(0, BLOCK_WORDS)
    start = tl.load(starts + run) * unit_words
    copied = tl.load(slab + start + word, mask=word < words)
    tl.store(out + run * words + word, copied, mask=word < words)
