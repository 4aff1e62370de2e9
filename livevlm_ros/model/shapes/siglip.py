# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The numbers of a SigLIP tower without its head."""

from __future__ import annotations

from livevlm_ros.model.shape import ModelShape, linear


def siglip_numbers(shape: ModelShape) -> int:
    """Return those of patches, their positions, the layers and the norm after them."""
    vision = shape.vision
    width, patch = vision['hidden_size'], vision['patch_size']
    places = (vision['image_size'] // patch) ** 2
    embeddings = linear(vision['num_channels'] * patch**2, width) + places * width
    return int(embeddings + shape.tower_numbers(vision['num_hidden_layers']) + 2 * width)
