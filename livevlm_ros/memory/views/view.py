# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Read views: what the language layers attend to during one step, one probe or one question.

A view is prefix | what is read of the memory, by time | the new tokens, at positions 0..n-1. Its
rotated keys lie in a buffer and are gone with the view.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

from livevlm_ros.memory.shape import CacheShape
from livevlm_ros.memory.tiers import Tiers
from livevlm_ros.memory.views.rotary import grown


class View(Protocol):
    """The seam between model and memory."""

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor | None:
        """
        Let new tokens attend to the view and, causally, to each other.

        :param layer: language layer, counted from 0
        :param q: queries before rotary, [q_heads, tokens, head_dim]
        :param k: keys before rotary, [kv_heads, tokens, head_dim]
        :param v: values, shaped like `k`
        :returns: attention output, [tokens, q_heads * head_dim]; None where the view has all that
            it was read for, and no deeper layer is needed
        """
        ...

    def take_back(self, tokens: int) -> None:
        """Forget the newest tokens, so that others are read in their place."""
        ...


class TooManyTokens(ValueError):
    """More tokens than a view has room for: says how many were given and how many fit."""


class ReadBuffer:
    """Rotated keys and values of one view at a time, reused by the next one."""

    def __init__(self, shape: CacheShape, *, layers: int, like: Tensor) -> None:
        self.keys = self.values = like.new_empty(layers, shape.kv_heads, 0, shape.head_dim)

    @property
    def nbytes(self) -> int:
        """Bytes of the buffer."""
        return self.keys.nbytes + self.values.nbytes

    def reserve(self, tokens: int) -> None:
        """Make room for `tokens`; what the buffer held is lost when it grows."""
        layers, heads, room, width = self.keys.shape
        if tokens > room:
            keys = self.keys.new_empty(layers, heads, grown(room, tokens), width)
            self.keys, self.values = keys, torch.empty_like(keys)


class ReadView:
    """
    Base of views: keeps what each layer has read and appends new tokens.

    :param past: most tokens of the memory that a layer reads, the prefix not among them
    :param room: new tokens at most
    :param text: whether those are text; else they are frames
    :raises TooManyTokens: if they are more than the model has positions for
    """

    def __init__(
        self, tiers: Tiers, buffer: ReadBuffer, *, past: int, room: int, text: bool = True
    ) -> None:
        self._tiers, self._buffer, self._room, self._text = tiers, buffer, room, text
        needed = tiers.prefix_tokens + past + room
        if needed > tiers.shape.max_positions:
            raise TooManyTokens(
                f'the view needs {needed} positions, the model has {tiers.shape.max_positions}'
            )
        buffer.reserve(needed)
        tiers.rotary.reserve(needed, prefix=tiers.prefix_tokens)
        self._past = [0] * tiers.shape.layers  # tokens of prefix and memory, by layer
        self._length = [0] * tiers.shape.layers  # and new ones with them
        self._mask: Tensor | None = None

    def _write(self, layers: slice, parts: Sequence[tuple[Tensor, Tensor]]) -> None:
        """
        Write what some layers read into the buffer, keys rotated, behind the prefix.

        :param parts: keys before rotary and values, [layers, kv_heads, tokens, head_dim] each
        """
        tiers, written = self._tiers, 0
        keys, values = self._buffered(layers)
        prefix = (tiers.prefix_keys[layers], tiers.prefix_values[layers])
        for nope, value in (prefix, *parts):
            end = written + nope.shape[2]
            tiers.rotary.rotate(nope, first=written, out=keys[:, :, written:end])
            values[:, :, written:end] = value
            written = end
        for layer in range(tiers.shape.layers)[layers]:
            self._past[layer] = self._length[layer] = written

    def _append(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Append new tokens to a layer; returns rotated queries, and rotated keys, values seen."""
        buffered, buffered_values = self._buffered(slice(layer, layer + 1))
        keys, values = buffered[0], buffered_values[0]
        start, end = self._length[layer], self._length[layer] + k.shape[1]
        if end - self._past[layer] > self._room:
            raise TooManyTokens(
                f'the view has room for {self._room} new tokens, got {end - self._past[layer]}'
            )
        self._length[layer] = end
        turn = self._tiers.rotary.rotate
        if self._text:
            turn = partial(self._tiers.rotary.rotate_text, past=self._past[layer])
        turn(k, first=start, out=keys[:, start:end])
        values[:, start:end] = v
        rotated = turn(q, first=start, out=torch.empty_like(q))
        return rotated, keys[:, :end], values[:, :end]

    def take_back(self, tokens: int) -> None:
        """Forget tokens as `View.take_back` says."""
        self._length = [length - tokens for length in self._length]

    def _buffered(self, layers: slice) -> tuple[Tensor, Tensor]:
        """Return where layers' keys and values are read from, [layers, kv_heads, room, dim]."""
        return self._buffer.keys[layers], self._buffer.values[layers]

    def _attention(self, q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Causal attention of the last tokens of `keys`, [tokens, q_heads * head_dim]."""
        q_heads, tokens, width = q.shape
        kv_heads, seen, _ = keys.shape
        if q.is_cuda and tokens > 1 and self._own(seen) is None:  # no mask in memory
            out = scaled_dot_product_attention(
                q[None],
                keys[None],
                values[None],
                attn_mask=causal_lower_right(tokens, seen),
                enable_gqa=True,
            )[0]
        else:  # a group's queries as rows of its kv head: nothing is repeated
            grouped = q.reshape(1, kv_heads, -1, width)
            mask = self._causal(tokens, seen, q_heads // kv_heads)
            out = scaled_dot_product_attention(grouped, keys[None], values[None], attn_mask=mask)
        by_head = out.reshape(q_heads, tokens, width)
        return by_head.transpose(0, 1).reshape(tokens, q_heads * width)

    def _own(self, seen: int) -> Tensor | None:
        """Return which of the keys seen are those of the queries, [tokens]; None: the last."""
        return None

    def _causal(self, tokens: int, seen: int, group: int) -> Tensor | None:
        """Additive mask of the last `tokens` of `seen`, once for each query head of a group."""
        if tokens == 1:
            return None
        if self._mask is None or self._mask.shape != (group * tokens, seen):
            hidden = self._buffer.keys.new_full((tokens, seen), -torch.inf)
            self._mask = hidden.triu_(seen - tokens + 1).repeat(group, 1)
        return self._mask
