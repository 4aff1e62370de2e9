# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

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
