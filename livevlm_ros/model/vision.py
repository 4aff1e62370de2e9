# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Frames to language tokens: vision tower, projector, pooling, without the newline.

Equal to `get_video_features` of transformers but for its last row, image_newline, which a stream
adds once, before the question.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from transformers import LlavaOnevisionModel


def tokens_per_frame(model: LlavaOnevisionModel) -> int:
    """Language tokens of one frame: the patch grid, halved and rounded up on each side."""
    vision = model.config.vision_config
    return math.ceil(vision.image_size // vision.patch_size / 2) ** 2


def frame_features(model: LlavaOnevisionModel, pixels: Tensor) -> Tensor:
    """
    Encode frames as one batch.

    :param pixels: preprocessed images, [frames, 3, side, side]
    :returns: [frames, tokens_per_frame, hidden]
    """
    tower, config = model.vision_tower, model.config
    states = [
        tower.embeddings(pixels)
    ]  # after 0, 1, ... encoder layers, each [frames, patches, width]
    for layer in tower.encoder.layers:
        states.append(layer(states[-1], attention_mask=None))
    chosen = config.vision_feature_layer
    if isinstance(chosen, int):
        features = states[chosen]
    else:
        features = torch.cat([states[number] for number in chosen], dim=-1)
    if config.vision_feature_select_strategy == 'default':
        features = features[:, 1:]
    return model.apply_pooling(model.multi_modal_projector(features))
