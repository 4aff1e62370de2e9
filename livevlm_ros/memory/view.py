# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Read views: what the language layers attend to during one step or one question.

A view is prefix | frames of all lanes by stamp | the new tokens, at positions 0..n-1. Its rotated
keys are built once a layer, when the layer first attends, and are gone with the view. A step's
view keeps the new tokens when it is committed; a question's view keeps nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from livevlm_ros.memory.evidence import EvidenceLayers, attention_row, frame_shares
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


class ReadBuffer:
    """Rotated keys and values of one view at a time, reused by the next one."""

    def __init__(
        self, shape: CacheShape, *, layers: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        block = (layers, shape.kv_heads, 0, shape.head_dim)
        self.keys = self.values = torch.empty(block, dtype=dtype, device=device)

    @property
    def nbytes(self) -> int:
        """Bytes of the buffer."""
        return self.keys.nbytes + self.values.nbytes

    def reserve(self, tokens: int) -> None:
        """Make room for `tokens`; what the buffer held is lost when it grows."""
        layers, heads, room, width = self.keys.shape
        if tokens > room:
            self.keys = self.keys.new_empty(layers, heads, max(tokens, room * 3 // 2), width)
            self.values = torch.empty_like(self.keys)


class Parts:
    """What views of one memory share."""

    def __init__(
        self, shape: CacheShape, short_term: ShortTerm, *, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.shape = shape
        self.short_term = short_term
        self.rotary = RotaryTable(shape, device=device, dtype=dtype)
        # Keys before rotary, [layers, kv_heads, prefix tokens, head_dim].
        self.prefix_keys = torch.empty(
            shape.layers, shape.kv_heads, 0, shape.head_dim, dtype=dtype, device=device
        )
        self.prefix_values = self.prefix_keys

    @property
    def prefix_tokens(self) -> int:
        """Tokens of the prefix."""
        return self.prefix_keys.shape[2]


class _ReadView:
    """prefix | frames by stamp | new tokens, built layer by layer in a buffer."""

    def __init__(self, parts: Parts, buffer: ReadBuffer, *, room: int) -> None:
        self._parts, self._buffer = parts, buffer
        self._refs = parts.short_term.refs()
        self._slots = parts.short_term.slots()
        self._past = parts.prefix_tokens + len(self._refs) * parts.shape.tokens_per_frame
        self._room = self._past + room
        if self._room > parts.shape.max_positions:
            raise TooManyTokens(
                f'the view needs {self._room} positions, the model has {parts.shape.max_positions}'
            )
        self._length: list[int | None] = [None] * parts.shape.layers
        self._mask: Tensor | None = None
        buffer.reserve(self._room)
        parts.rotary.reserve(self._room)

    @property
    def frames(self) -> int:
        """Frames the view reads."""
        return len(self._refs)

    def _extend(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Append new tokens to a layer; returns rotated queries, and rotated keys, values seen."""
        start = self._length[layer]
        keys, values = self._buffer_of(layer)
        if start is None:
            start = self._past
            self._build(layer, keys, values)
        end = start + k.shape[1]
        if end > self._room:
            raise TooManyTokens(
                f'the view has room for {self._room - self._past} new tokens, '
                f'got {end - self._past}'
            )
        self._length[layer] = end
        rotary = self._parts.rotary
        rotary.rotate(k, first=start, out=keys[:, start:end])
        values[:, start:end] = v
        rotated = rotary.rotate(q, first=start, out=torch.empty_like(q))
        return rotated, keys[:, :end], values[:, :end]

    def _buffer_of(self, layer: int) -> tuple[Tensor, Tensor]:
        return self._buffer.keys[layer], self._buffer.values[layer]

    def _build(self, layer: int, keys: Tensor, values: Tensor) -> None:
        """Write prefix and frames into the buffer, keys rotated to positions 0..past-1."""
        parts, prefix, past = self._parts, self._parts.prefix_tokens, self._past
        parts.rotary.rotate(parts.prefix_keys[layer], first=0, out=keys[:, :prefix])
        values[:, :prefix] = parts.prefix_values[layer]
        frame_keys, frame_values = (
            block[layer].index_select(1, self._slots).flatten(1, 2)  # [kv_heads, tokens, head_dim]
            for block in (parts.short_term.keys, parts.short_term.values)
        )
        parts.rotary.rotate(frame_keys, first=prefix, out=keys[:, prefix:past])
        values[:, prefix:past] = frame_values

    def _attention(self, q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Causal attention of the last tokens of `keys`, [tokens, q_heads * head_dim]."""
        q_heads, tokens, width = q.shape
        kv_heads, seen, _ = keys.shape
        grouped = q.reshape(1, kv_heads, -1, width)  # a group's queries, rows of its kv head
        mask = self._causal(tokens, seen, q_heads // kv_heads) if tokens > 1 else None
        out = scaled_dot_product_attention(grouped, keys[None], values[None], attn_mask=mask)
        return out.view(q_heads, tokens, width).transpose(0, 1).reshape(tokens, q_heads * width)

    def _causal(self, tokens: int, seen: int, group: int) -> Tensor:
        """Additive mask of the last `tokens` of `seen`, once for each query head of a group."""
        if self._mask is None or self._mask.shape != (group * tokens, seen):
            hidden = self._buffer.keys.new_full((tokens, seen), -torch.inf)
            self._mask = hidden.triu_(seen - tokens + 1).repeat(group, 1)
        return self._mask


class StepView(_ReadView):
    """
    What a step's tokens read and, once committed, become part of.

    They read the frames held when the step was taken, whatever their stamps; see `Memory.step`.
    """

    def __init__(
        self,
        parts: Parts,
        buffer: ReadBuffer,
        *,
        room: int,
        keep: Callable[[Tensor, Tensor], None],
    ) -> None:
        super().__init__(parts, buffer, room=room)
        self._keep = keep
        self._new: list[tuple[Tensor, Tensor]] = []

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend as `View.attend` says, layer after layer, all tokens of the step at once."""
        if layer != len(self._new):
            raise ValueError(
                f'a step reads each layer once, expected layer {len(self._new)}, got {layer}'
            )
        self._new.append((k, v))
        return self._attention(*self._extend(layer, q, k, v))

    def commit(self) -> None:
        """Keep the step's tokens; call it once, when every layer has attended."""
        if len(self._new) != self._parts.shape.layers:
            raise RuntimeError(
                f'{len(self._new)} of {self._parts.shape.layers} layers have attended'
            )
        keys, values = zip(*self._new, strict=True)
        self._keep(torch.stack(keys), torch.stack(values))

    def _buffer_of(self, layer: int) -> tuple[Tensor, Tensor]:
        """One layer's room suffices: a step visits each layer once."""
        return self._buffer.keys[0], self._buffer.values[0]


class QuestionView(_ReadView):
    """What a question and its answer read, none of it kept; the first read is the question."""

    def __init__(
        self, parts: Parts, buffer: ReadBuffer, *, room: int, evidence: EvidenceLayers
    ) -> None:
        super().__init__(parts, buffer, room=room)
        self._evidence = evidence
        self._rows: dict[int, Tensor] = {}

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend as `View.attend` says."""
        rotated, keys, values = self._extend(layer, q, k, v)
        if layer in self._evidence.layers and layer not in self._rows:
            self._rows[layer] = attention_row(rotated[:, -1], keys, self._evidence.heads)
        return self._attention(rotated, keys, values)

    def evidence(self) -> list[tuple[FrameRef, float]]:
        """Frames and their share of the attention on frames, best first, after the question."""
        return frame_shares(
            list(self._rows.values()),
            self._refs,
            first=self._parts.prefix_tokens,
            tokens_per_frame=self._parts.shape.tokens_per_frame,
        )
