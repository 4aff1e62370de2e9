# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context

import pytest
import torch
from torch import Tensor


@pytest.fixture
def draw() -> Callable[..., tuple[Tensor, Tensor]]:
    """Draw queries [q_heads, tokens, dim] and page means [pages, kv_heads, dim]."""

    def draw(
        q_heads: int,
        kv_heads: int,
        tokens: int,
        pages: int,
        dim: int,
        dtype: torch.dtype = torch.float32,
    ) -> tuple[Tensor, Tensor]:
        source = torch.Generator().manual_seed(pages)
        # Twice the usual spread: some pages stand out, as they do for a real question.
        q = 2 * torch.randn(q_heads, tokens, dim, generator=source)
        means = torch.randn(pages, kv_heads, dim, generator=source)
        return q.to(dtype), means.to(dtype)

    return draw


@pytest.fixture
def draw_slab() -> Callable[..., tuple[Tensor, Tensor]]:
    """Draw bytes, and where some runs start in them, in units."""

    def draw_slab(unit: int, run: int) -> tuple[Tensor, Tensor]:
        source = torch.Generator().manual_seed(0)
        size = 5 * run // unit * unit
        slab = torch.randint(256, (size,), dtype=torch.uint8, generator=source)
        return slab, torch.randint((size - run) // unit + 1, (2, 3), generator=source)

    return draw_slab


@pytest.fixture
def weights() -> Callable[..., tuple[Tensor, Tensor]]:
    """Draw weights [out, in], some outputs larger than others, and inputs [tokens, in]."""

    def weights(
        outs: int, width: int, tokens: int = 1, dtype: torch.dtype = torch.float32
    ) -> tuple[Tensor, Tensor]:
        source = torch.Generator().manual_seed(outs)
        weight = torch.randn(outs, width, generator=source)
        larger = torch.rand(outs, 1, generator=source)
        inputs = torch.randn(tokens, width, generator=source)
        return 0.1 * larger * weight, inputs.to(dtype)

    return weights


@pytest.fixture(scope='module')
def interpreter() -> Iterator[Executor]:
    """Start a process in which Triton interprets kernels, as it decides when it is imported."""
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as process:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv('TRITON_INTERPRET', '1')
            process.submit(int).result()
        yield process
