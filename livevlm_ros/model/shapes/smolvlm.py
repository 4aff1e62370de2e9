# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The shape of SmolVLM2."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from livevlm_ros.model.folder import CheckpointError
from livevlm_ros.model.shape import ModelShape
from livevlm_ros.model.shapes.siglip import siglip_numbers

AROUND, GLOBAL = '<fake_token_around_image>', '<global-img>'
MINUTES = 100


class SmolVLMShape(ModelShape):
    """
    A SigLIP-like tower, patches shuffled into fewer and wider ones, and Llama.

    Before each image stands when it was taken, in minutes and seconds since the stream began;
    after 100 minutes the minutes begin anew, for a frame has as many tokens at any time.
    """

    defaults = {
        'text_config': {
            'vocab_size': 32000,
            'hidden_size': 4096,
            'intermediate_size': 11008,
            'num_hidden_layers': 32,
            'num_attention_heads': 32,
            'num_key_value_heads': 32,
            'max_position_embeddings': 2048,
            'rope_theta': 10_000.0,
        },
        'vision_config': {
            'hidden_size': 1152,
            'intermediate_size': 3072,
            'num_hidden_layers': 12,
            'num_channels': 3,
            'image_size': 224,
            'patch_size': 32,
        },
    }
    after = AROUND

    def __init__(self, config: Mapping[str, Any], folder: Path, image_tokens: int = 0) -> None:
        super().__init__(config, folder, image_tokens)
        self.scale = config.get('scale_factor', 2)
        edge = self.vision['image_size']
        side = edge // self.vision['patch_size']
        if side % self.scale:
            raise CheckpointError(
                f'{folder}: config.json gives an image {side} by {side} patches, scale_factor = '
                f'{self.scale} does not divide them'
            )
        self.size = edge, edge
        self.image_tokens = self._chosen((side // self.scale) ** 2)

    def before(self, seconds: float) -> str:
        """Return the time and the markers before an image."""
        minute, second = divmod(int(seconds), 60)
        return f'\nFrame from {minute % MINUTES:02d}:{second:02d}:{AROUND}{GLOBAL}'

    def vision_numbers(self) -> int:
        """Return those of the tower and the connector."""
        shuffled = self.vision['hidden_size'] * self.scale**2
        return int(siglip_numbers(self) + shuffled * self.text['hidden_size'])


SHAPE = SmolVLMShape
