# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The shape of LLaVA-OneVision."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from livevlm_ros.model.folder import CheckpointError
from livevlm_ros.model.shape import ModelShape, linear
from livevlm_ros.model.shapes.siglip import siglip_numbers


class LlavaOnevisionShape(ModelShape):
    """
    SigLIP, its patch grid halved and rounded up on each side, and Qwen2.

    Fewer tokens are means of squares of these.
    """

    defaults = {
        'text_config': {
            'vocab_size': 151936,
            'hidden_size': 4096,
            'intermediate_size': 22016,
            'num_hidden_layers': 32,
            'num_attention_heads': 32,
            'num_key_value_heads': 32,
            'max_position_embeddings': 32768,
            'rope_theta': 10_000.0,
        },
        'vision_config': {
            'hidden_size': 768,
            'intermediate_size': 3072,
            'num_hidden_layers': 12,
            'num_channels': 3,
            'image_size': 224,
            'patch_size': 16,
        },
    }
    qkv_bias = True

    def __init__(self, config: Mapping[str, Any], folder: Path, image_tokens: int = 0) -> None:
        super().__init__(config, folder, image_tokens)
        strategy = config.get('vision_feature_select_strategy', 'full')
        if strategy != 'full':
            raise CheckpointError(
                f'{folder}: config.json says vision_feature_select_strategy = {strategy!r}, '
                "expected 'full': SigLIP has no token of the whole image to leave out"
            )
        side = self.vision['image_size']
        self.size = side, side
        rows = math.ceil(side // self.vision['patch_size'] / 2)
        fewer = ((rows // square) ** 2 for square in range(1, rows + 1) if not rows % square)
        self.image_tokens = self._chosen(rows**2, fewer)

    @property
    def tied(self) -> bool:
        """Whether the head is the embedding: either part of the file may say so."""
        return super().tied or bool(self.text.get('tie_word_embeddings'))

    def vision_numbers(self) -> int:
        """Return those of SigLIP, the projector and image_newline."""
        width, chosen = self.text['hidden_size'], self.config.get('vision_feature_layer', -1)
        features = self.vision['hidden_size'] * (1 if isinstance(chosen, int) else len(chosen))
        projector = linear(features, width) + linear(width, width)
        if not self.config.get('multimodal_projector_bias', True):
            projector -= 2 * width
        return int(siglip_numbers(self) + projector + width)


SHAPE = LlavaOnevisionShape
