# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a checkpoint finds pages: the entry `retrieval` of the `memory.yaml` beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from livevlm_ros.memory.shape import CacheShape

PAGE_TOKENS = 16
"""Most tokens of a page (C), as LiveVLM has it; a page is a whole part of a frame."""

VOTERS = 8
"""Most layers that choose where none is named: more cost as much each and find no more."""


@dataclass(frozen=True, slots=True)
class RetrievalSettings:
    """
    How a checkpoint finds pages.

    :param page_tokens: tokens of a page (C), a divisor of those of a frame
    :param heads: query heads that choose, by layer; empty: all of `voting_layers`
    """

    page_tokens: int
    heads: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def from_settings(cls, settings: Mapping, shape: CacheShape) -> RetrievalSettings:
        """
        Read `retrieval: {page_tokens: 14, heads: {18: [6, 7]}}` of a checkpoint's `memory.yaml`.

        :param settings: the whole file; without the entry all heads of `voting_layers` choose
        :raises ValueError: naming a key that is unknown, a page that is no part of a frame, or a
            layer or head that the model does not have
        """
        entry = settings.get('retrieval') or {}
        if not isinstance(entry, Mapping) or not set(entry) <= {'page_tokens', 'heads'}:
            raise ValueError(
                f'memory.yaml: retrieval takes the keys page_tokens and heads, got {entry!r}'
            )
        frame = shape.tokens_per_frame
        page_tokens = entry.get('page_tokens', page_of(shape))
        if type(page_tokens) is not int or page_tokens < 1 or frame % page_tokens:
            raise ValueError(
                f'memory.yaml: retrieval.page_tokens must divide the {frame} tokens of a frame, '
                f'got {page_tokens!r}'
            )
        if shape.whole_frames and page_tokens != frame:
            raise ValueError(
                f'memory.yaml: retrieval.page_tokens must be the {frame} tokens of a frame, for '
                f'this model does not read frames in parts, got {page_tokens}'
            )
        return cls(page_tokens, _heads(entry.get('heads'), shape))

    def layers(self, shape: CacheShape) -> tuple[int, ...]:
        """Return the layers that choose, ascending; none named: some middle and upper ones."""
        return tuple(sorted(self.heads)) or voting_layers(shape.layers)


def voting_layers(layers: int) -> tuple[int, ...]:
    """Return the layers that choose where none is named, spread over the middle and upper ones."""
    first = layers // 3
    voters = min(VOTERS, layers - first)
    return tuple(
        first + round(n * (layers - 1 - first) / max(1, voters - 1)) for n in range(voters)
    )


def page_of(shape: CacheShape) -> int:
    """Return the tokens of a page where a checkpoint names none."""
    frame = shape.tokens_per_frame
    return frame if shape.whole_frames else largest_page(frame)


def largest_page(frame_tokens: int) -> int:
    """Return the largest part of a frame that has at most `PAGE_TOKENS` tokens."""
    return next(n for n in range(min(PAGE_TOKENS, frame_tokens), 0, -1) if not frame_tokens % n)


def _heads(given: object, shape: CacheShape) -> dict[int, tuple[int, ...]]:
    if given is None:
        return {}
    by_layer: Mapping = given if isinstance(given, Mapping) else {None: given}
    heads: dict[int, tuple[int, ...]] = {}
    for layer, listed in by_layer.items():
        if not (
            _below(layer, shape.layers)
            and isinstance(listed, list | tuple)
            and listed
            and all(_below(head, shape.q_heads) for head in listed)
        ):
            raise ValueError(
                f'memory.yaml: retrieval.heads must list, by layer from 0 to {shape.layers - 1}, '
                f'query heads from 0 to {shape.q_heads - 1}, got {given!r}'
            )
        heads[layer] = tuple(listed)
    return heads


def _below(number: object, limit: int) -> bool:
    return type(number) is int and 0 <= number < limit
