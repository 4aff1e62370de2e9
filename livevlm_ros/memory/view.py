# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Read views: what the language layers attend to during one step or one question.

A view is prefix | what is read of the memory, by time | the new tokens, at positions 0..n-1; n
may differ by layer. Its rotated keys are built once a layer, when the layer first attends, and are
gone with the view.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from livevlm_ros.memory.archive import Archive
from livevlm_ros.memory.long_term import LongTerm
from livevlm_ros.memory.naming import TokenNames
from livevlm_ros.memory.reading import Piece, ReadBuffer
from livevlm_ros.memory.rotary import RotaryTable
from livevlm_ros.memory.shape import CacheShape, FrameRef
from livevlm_ros.memory.short_term import ShortTerm


class View(Protocol):
    """The seam between model and memory."""

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """
        Let new tokens attend to the view and, causally, to each other.

        :param layer: language layer, counted from 0
        :param q: queries before rotary, [q_heads, tokens, head_dim]
        :param k: keys before rotary, [kv_heads, tokens, head_dim]
        :param v: values, shaped like `k`
        :returns: attention output, [tokens, q_heads * head_dim]
        """
        ...


class TooManyTokens(ValueError):
    """More tokens than a view has room for: says how many were given and how many fit."""


class Parts:
    """What views of one memory share: its tiers, and where each frame's name comes from."""

    def __init__(
        self,
        shape: CacheShape,
        short_term: ShortTerm,
        long_term: Sequence[LongTerm],
        archive: Archive | None,
        names: TokenNames,
        *,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.shape, self.names = shape, names
        self.short_term, self.long_term, self.archive = short_term, long_term, archive
        self.rotary = RotaryTable(shape, device=device, dtype=dtype)
        self.refs: dict[int, FrameRef] = {}  # by the name of the frame
        # Keys before rotary, [layers, kv_heads, prefix tokens, head_dim].
        self.prefix_keys = torch.empty(
            shape.layers, shape.kv_heads, 0, shape.head_dim, dtype=dtype, device=device
        )
        self.prefix_values = self.prefix_keys

    @property
    def prefix_tokens(self) -> int:
        """Tokens of the prefix."""
        return self.prefix_keys.shape[2]

    def ring(self, layer: int, slots: Tensor) -> Piece:
        """Return the frames of some slots of short-term, whole."""
        ring = self.short_term
        return Piece(
            ring.keys[layer].index_select(1, slots).flatten(1, 2),
            ring.values[layer].index_select(1, slots).flatten(1, 2),
            ring.names.index_select(0, slots).flatten(),
        )

    def marks(self, refs: Sequence[FrameRef]) -> dict[str, Tensor]:
        """Say which tokens of frames each tier holds, bool [layers, frames, tokens_per_frame]."""
        ring, archive, layers = self.short_term, self.archive, range(self.shape.layers)
        held = {'short-term': [ring.names[ring.slots()] for _ in layers]}
        if self.long_term:
            held['long-term'] = [
                torch.cat([lane.tokens.names[layer] for lane in self.long_term])
                for layer in layers
            ]
        if archive is not None:
            counts = [len(archive.index(layer).ends) for layer in layers]
            held['archive'] = [
                archive.read(layer, torch.arange(counts[layer])).names for layer in layers
            ]
        return {
            tier: torch.stack([self.names.marks(names, refs) for names in by_layer])
            for tier, by_layer in held.items()
        }


class ReadView:
    """
    Base of views: prefix | pieces | new tokens, built layer by layer in a buffer.

    :param past: most tokens of the memory that a layer reads, the prefix not among them
    :param room: new tokens at most
    """

    def __init__(self, parts: Parts, buffer: ReadBuffer, *, past: int, room: int) -> None:
        self._parts, self._buffer, self._room = parts, buffer, room
        needed = parts.prefix_tokens + past + room
        if needed > parts.shape.max_positions:
            raise TooManyTokens(
                f'the view needs {needed} positions, the model has {parts.shape.max_positions}'
            )
        self._past: list[int | None] = [None] * parts.shape.layers
        self._length = [0] * parts.shape.layers
        self._mask: Tensor | None = None
        buffer.reserve(needed)
        parts.rotary.reserve(needed)

    def _pieces(self, layer: int, q: Tensor) -> Sequence[Piece]:
        """Return what a layer reads besides the prefix, by time."""
        raise NotImplementedError

    def _extend(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Append new tokens to a layer; returns rotated queries, and rotated keys, values seen."""
        keys, values = self._buffer_of(layer)
        past = self._past[layer]
        if past is None:
            past = self._past[layer] = self._length[layer] = self._build(layer, q, keys, values)
        start, end = self._length[layer], self._length[layer] + k.shape[1]
        if end - past > self._room:
            raise TooManyTokens(f'the view has room for {self._room} new tokens, got {end - past}')
        self._length[layer] = end
        rotary = self._parts.rotary
        rotary.rotate(k, first=start, out=keys[:, start:end])
        values[:, start:end] = v
        rotated = rotary.rotate(q, first=start, out=torch.empty_like(q))
        return rotated, keys[:, :end], values[:, :end]

    def _buffer_of(self, layer: int) -> tuple[Tensor, Tensor]:
        return self._buffer.keys[layer], self._buffer.values[layer]

    def _build(self, layer: int, q: Tensor, keys: Tensor, values: Tensor) -> int:
        """Write prefix and pieces into the buffer, keys rotated; returns how many tokens."""
        parts = self._parts
        read = [(piece.keys, piece.values) for piece in self._pieces(layer, q)]
        written = 0
        for nope, value in ((parts.prefix_keys[layer], parts.prefix_values[layer]), *read):
            end = written + nope.shape[1]
            parts.rotary.rotate(nope, first=written, out=keys[:, written:end])
            values[:, written:end] = value
            written = end
        return written

    def _attention(self, q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Causal attention of the last tokens of `keys`, [tokens, q_heads * head_dim]."""
        q_heads, tokens, width = q.shape
        kv_heads, seen, _ = keys.shape
        grouped = q.reshape(1, kv_heads, -1, width)  # a group's queries, rows of its kv head
        mask = self._causal(tokens, seen, q_heads // kv_heads) if tokens > 1 else None
        out = scaled_dot_product_attention(grouped, keys[None], values[None], attn_mask=mask)
        return out.reshape(q_heads, tokens, width).transpose(0, 1).reshape(tokens, q_heads * width)

    def _causal(self, tokens: int, seen: int, group: int) -> Tensor:
        """Additive mask of the last `tokens` of `seen`, once for each query head of a group."""
        if self._mask is None or self._mask.shape != (group * tokens, seen):
            hidden = self._buffer.keys.new_full((tokens, seen), -torch.inf)
            self._mask = hidden.triu_(seen - tokens + 1).repeat(group, 1)
        return self._mask
