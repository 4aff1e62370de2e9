# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The shape of Qwen3-VL."""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd, isqrt
from pathlib import Path
from typing import Any

from livevlm_ros.memory import FramePositions
from livevlm_ros.model.folder import CheckpointError
from livevlm_ros.model.shape import ModelShape, Size, linear

SIZE: Size = (384, 512)
"""Of every frame: that of most cameras in proportion, and no more tokens than it needs."""

LARGEST = 2
"""As many times this size, on each side, a frame may have."""

START, END = '<|vision_start|>', '<|vision_end|>'
TENTHS = 1_000_000  # of a second, after which the time begins anew: more than a day
PAIR = 2
AXES = 3  # time, row, column


class Qwen3VLShape(ModelShape):
    """
    A tower that takes frames in pairs and merges patches, and Qwen3 with M-RoPE.

    Before each image stands when it was taken, in seconds since the stream began, with zeros
    before it: a frame has as many tokens at any time. More or fewer tokens are those of a frame
    that is larger or smaller, in the same proportions.
    """

    defaults = {
        'text_config': {
            'vocab_size': 151936,
            'hidden_size': 4096,
            'intermediate_size': 22016,
            'num_hidden_layers': 32,
            'num_attention_heads': 32,
            'num_key_value_heads': 32,
            'head_dim': 128,
            'max_position_embeddings': 128000,
            'rope_theta': 500_000.0,
        },
        'vision_config': {
            'depth': 27,
            'hidden_size': 1152,
            'intermediate_size': 4304,
            'in_channels': 3,
            'patch_size': 16,
            'spatial_merge_size': 2,
            'temporal_patch_size': 2,
            'out_hidden_size': 3584,
            'num_position_embeddings': 2304,
            'deepstack_visual_indexes': (8, 16, 24),
        },
    }
    qk_norm = True
    after = END

    def __init__(self, config: Mapping[str, Any], folder: Path, image_tokens: int = 0) -> None:
        super().__init__(config, folder, image_tokens)
        patch, merge, pair = (
            self.vision[name]
            for name in ('patch_size', 'spatial_merge_size', 'temporal_patch_size')
        )
        unit = patch * merge
        if any(edge % unit for edge in SIZE) or pair != PAIR:
            raise CheckpointError(
                f'{folder}: config.json says patch_size = {patch}, spatial_merge_size '
                f'= {merge}, temporal_patch_size = {pair}, expected patches that divide a frame '
                f'of {SIZE[1]} by {SIZE[0]} pixels, and {PAIR} frames in one'
            )
        rows, columns = (edge // unit for edge in SIZE)
        parts = gcd(rows, columns)
        least = rows * columns // parts**2
        others = (least * scale**2 for scale in range(1, LARGEST * parts + 1))
        self.image_tokens = self._chosen(rows * columns, others)
        scale = isqrt(self.image_tokens // least)
        self.grid = rows // parts * scale, columns // parts * scale
        self.size = self.grid[0] * unit, self.grid[1] * unit

    def before(self, seconds: float) -> str:
        """Return the time and the marker before an image."""
        tenths = int(seconds * 10) % TENTHS
        return f'<{tenths // 10:05d}.{tenths % 10} seconds>{START}'

    def positions(self, before: int, after: int) -> FramePositions:
        """
        Return those of M-RoPE: an image takes up as many as its longer side.

        :raises CheckpointError: for sections that are not all of a head
        """
        sections, pairs = self.rope.get('mrope_section'), self.head_dim // 2
        if not isinstance(sections, list) or len(sections) != AXES or sum(sections) != pairs:
            raise CheckpointError(
                f'{self.folder}: config.json says mrope_section = {sections}, expected {AXES} '
                f'numbers that add up to {pairs}, half of head_dim'
            )
        rows, columns = self.grid
        longer = max(rows, columns)
        ahead = tuple(range(before))
        behind = tuple(before + longer + number for number in range(after))
        places = range(self.image_tokens)
        image = (
            tuple(before for _ in places),
            tuple(before + place // columns for place in places),
            tuple(before + place % columns for place in places),
        )
        return FramePositions(
            offsets=tuple((*ahead, *axis, *behind) for axis in image),
            advance=before + longer + after,
            axes=tuple(_axis(pair, sections) for pair in range(pairs)),
        )

    @property
    def embedding_width(self) -> int:
        """Width of an embedding, and of what is added to the states of the first layers."""
        return super().embedding_width * (1 + len(self.vision['deepstack_visual_indexes']))

    def vision_numbers(self) -> int:
        """Return those of the tower, and of its mergers, with two norms of different width."""
        vision, width = self.vision, self.vision['hidden_size']
        deeper = len(vision['deepstack_visual_indexes'])
        merged = width * vision['spatial_merge_size'] ** 2
        volume = vision['in_channels'] * PAIR * vision['patch_size'] ** 2
        embeddings = linear(volume, width) + vision['num_position_embeddings'] * width
        merger = linear(merged, merged) + linear(merged, vision['out_hidden_size'])
        norms = 2 * width + deeper * 2 * merged
        return int(
            embeddings + self.tower_numbers(vision['depth']) + (1 + deeper) * merger + norms
        )


def _axis(pair: int, sections: list[int]) -> int:
    """Return the axis that turns a pair: they take turns until a section is used up."""
    axis = pair % AXES
    return axis if axis and pair < AXES * sections[axis] else 0


SHAPE = Qwen3VLShape
