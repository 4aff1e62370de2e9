# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Page scores in two passes over the page means, without the logits ever reaching memory.

The first pass leaves, for every row (a question token of a query head), the log of its softmax
sum over one tile of pages; torch adds up the tiles. The second makes the logits again, normalises
them and sums them over the rows. No atomics: the same input gives the same bits.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK_PAGES = 64
BLOCK_ROWS = 32

# The logit of a page that may not be chosen: exp gives 0, and unlike -inf never a nan.
HIDDEN = tl.constexpr(-1e30)


def page_scores_triton(q: Tensor, means: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Score pages as `livevlm_kernels.page_scores.page_scores` does, which checks the shapes."""
    pages, kv_heads, dim = means.shape
    rows = q.shape[0] // kv_heads * q.shape[1]
    grid = (triton.cdiv(pages, BLOCK_PAGES), kv_heads)
    tile_sums = means.new_empty(kv_heads, grid[0], rows, dtype=torch.float32)
    scores = means.new_empty(kv_heads, pages, dtype=torch.float32)
    q = q.contiguous()  # a group's heads and tokens are the rows of its kv head
    mask = None if mask is None else mask.contiguous()
    blocks = {
        'DIM': dim,
        'BLOCK_DIM': max(16, triton.next_power_of_2(dim)),  # 16: the least that tl.dot takes
        'BLOCK_PAGES': BLOCK_PAGES,
        'BLOCK_ROWS': BLOCK_ROWS,
        # Tensor cores want one type on both sides, and Triton's interpreter, which is all that
        # takes CPU tensors, multiplies bfloat16 wrongly.
        'UPCAST': q.dtype != means.dtype or not q.is_cuda,
    }
    with torch.cuda.device_of(q):
        sum_tiles[grid](q, means, mask, tile_sums, pages, rows, *means.stride(), **blocks)
        row_sums = tile_sums.logsumexp(1)  # [kv_heads, rows]
        sum_rows[grid](q, means, mask, row_sums, scores, pages, rows, *means.stride(), **blocks)
    return scores


@triton.jit
def sum_tiles(
    q: tl.tensor,  # [kv_heads, rows, DIM]
    means: tl.tensor,  # [pages, kv_heads, DIM]
    mask: tl.tensor,  # [pages] or None
    tile_sums: tl.tensor,  # out, [kv_heads, tiles, rows]
    pages: tl.tensor,
    rows: tl.tensor,
    page_stride: tl.tensor,
    head_stride: tl.tensor,
    dim_stride: tl.tensor,
    DIM: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
    BLOCK_PAGES: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
    UPCAST: tl.constexpr,
) -> None:
    """Log of the sum of exp over one tile of pages, for every row of a kv head."""
    tile, head = tl.program_id(0), tl.program_id(1)
    page = tile * BLOCK_PAGES + tl.arange(0, BLOCK_PAGES)
    means += head * head_stride
    q += head * rows * DIM
    keys = _keys(means, page, pages, page_stride, dim_stride, DIM, BLOCK_DIM, UPCAST)
    open_pages = _open_pages(mask, page, pages)
    for first in range(0, rows, BLOCK_ROWS):
        row = first + tl.arange(0, BLOCK_ROWS)
        logits = _logits(q, row, rows, keys, open_pages, DIM, BLOCK_DIM, UPCAST)
        top = tl.max(logits, 1)
        log_sum = top + tl.log(tl.sum(tl.exp(logits - top[:, None]), 1))
        out = tile_sums + (head * tl.num_programs(0) + tile) * rows + row
        tl.store(out, log_sum, mask=row < rows)


@triton.jit
def sum_rows(
    q: tl.tensor,  # [kv_heads, rows, DIM]
    means: tl.tensor,  # [pages, kv_heads, DIM]
    mask: tl.tensor,  # [pages] or None
    row_sums: tl.tensor,  # log of each row's sum of exp over all pages, [kv_heads, rows]
    scores: tl.tensor,  # out, [kv_heads, pages]
    pages: tl.tensor,
    rows: tl.tensor,
    page_stride: tl.tensor,
    head_stride: tl.tensor,
    dim_stride: tl.tensor,
    DIM: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
    BLOCK_PAGES: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
    UPCAST: tl.constexpr,
) -> None:
    """Mean over a kv head's rows of the softmax over pages, for one tile of pages."""
    tile, head = tl.program_id(0), tl.program_id(1)
    page = tile * BLOCK_PAGES + tl.arange(0, BLOCK_PAGES)
    means += head * head_stride
    q += head * rows * DIM
    keys = _keys(means, page, pages, page_stride, dim_stride, DIM, BLOCK_DIM, UPCAST)
    open_pages = _open_pages(mask, page, pages)
    total = tl.zeros([BLOCK_PAGES], tl.float32)
    for first in range(0, rows, BLOCK_ROWS):
        row = first + tl.arange(0, BLOCK_ROWS)
        logits = _logits(q, row, rows, keys, open_pages, DIM, BLOCK_DIM, UPCAST)
        # Rows beyond the last are divided by infinity, and so add nothing.
        row_sum = tl.load(row_sums + head * rows + row, mask=row < rows, other=float('inf'))
        total += tl.sum(tl.exp(logits - row_sum[:, None]), 0)
    out = scores + head.to(tl.int64) * pages + page
    tl.store(out, tl.where(open_pages, total / rows, 0.0), mask=page < pages)


@triton.jit
def _keys(
    means: tl.tensor,
    page: tl.tensor,
    pages: tl.tensor,
    page_stride: tl.tensor,
    dim_stride: tl.tensor,
    DIM: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
    UPCAST: tl.constexpr,
) -> tl.tensor:
    """Page means of one kv head, zero beyond the last page, [BLOCK_DIM, BLOCK_PAGES]."""
    dim = tl.arange(0, BLOCK_DIM)
    at = means + page[None, :].to(tl.int64) * page_stride + dim[:, None] * dim_stride
    keys = tl.load(at, mask=(page < pages)[None, :] & (dim < DIM)[:, None], other=0.0)
    return keys.to(tl.float32) if UPCAST else keys


@triton.jit
def _open_pages(mask: tl.tensor, page: tl.tensor, pages: tl.tensor) -> tl.tensor:
    """Say which pages of a tile exist and may be chosen, [BLOCK_PAGES]."""
    exists = page < pages
    if mask is None:
        return exists
    else:
        return exists & (tl.load(mask + page, mask=exists, other=0) != 0)


@triton.jit
def _logits(
    q: tl.tensor,
    row: tl.tensor,
    rows: tl.tensor,
    keys: tl.tensor,
    open_pages: tl.tensor,
    DIM: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
    UPCAST: tl.constexpr,
) -> tl.tensor:
    """Scaled products of a block of rows with a tile of pages, [BLOCK_ROWS, BLOCK_PAGES]."""
    dim = tl.arange(0, BLOCK_DIM)
    at = q + row[:, None] * DIM + dim[None, :]
    queries = tl.load(at, mask=(row < rows)[:, None] & (dim < DIM)[None, :], other=0.0)
    if UPCAST:
        queries = queries.to(tl.float32)
    # float32 as three products of tensor cores: one would keep ten bits, and none is slow.
    products = tl.dot(queries, keys, input_precision='tf32x3') * (DIM**-0.5)
    return tl.where(open_pages[None, :], products, HIDDEN)
