# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Mean keys of archived pages, by which the papers' retrieval ranks them layer by layer."""

from __future__ import annotations

import torch
from torch import Tensor

from livevlm_ros.memory.shape import CacheShape


class PageMeans:
    """
    One mean key a page, layer and kv head, float32.

    :param rows: most frames
    :param page_tokens: tokens of a page
    """

    def __init__(self, shape: CacheShape, *, rows: int, page_tokens: int) -> None:
        self._page_tokens = page_tokens
        pages = shape.tokens_per_frame // page_tokens
        self._means = torch.empty(rows, shape.layers, shape.kv_heads, pages, shape.head_dim)

    def of_frame(self, keys: Tensor) -> Tensor:
        """
        Return the means of a frame.

        :param keys: before rotary, float32 [layers, kv_heads, tokens_per_frame, head_dim]
        :returns: [layers, kv_heads, pages, head_dim]
        """
        return page_means(keys, page_tokens=self._page_tokens)

    def put(self, row: int, means: Tensor) -> None:
        """Keep the means of a frame, as `of_frame` gives them."""
        self._means[row] = means

    def remove(self, row: int, last: int) -> None:
        """Forget a frame; that of the last row takes its place."""
        self._means[row] = self._means[last]

    def of_layer(self, layer: int, rows: Tensor) -> Tensor:
        """Return the means of frames in one layer, [kv_heads, frames * pages, head_dim]."""
        return self._means[rows, layer].transpose(0, 1).flatten(1, 2)


def page_means(keys: Tensor, *, page_tokens: int) -> Tensor:
    """
    Return the mean key of each page.

    :param keys: before rotary, [..., tokens, head_dim], a multiple of `page_tokens`
    :returns: [..., pages, head_dim]
    """
    return keys.unflatten(-2, (-1, page_tokens)).mean(dim=-2)
