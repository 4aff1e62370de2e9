# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
LLaVA-OneVision: SigLIP, its features pooled to half on each side, and Qwen2.

Frames follow each other without a word between them. image_newline, the last row of what
`get_video_features` of transformers gives for a video, comes once, before the question.
"""

from __future__ import annotations

from math import isqrt
from pathlib import Path

import torch
from torch import Tensor
from transformers import (
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionModel,
)

from livevlm_ros.model.family import Family, VideoText
from livevlm_ros.model.language import Decoder
from livevlm_ros.model.preprocess import Preprocessor


class LlavaOnevision(Family):
    """The family of llava-hf's LLaVA-OneVision checkpoints, and of the embedded model."""

    network = LlavaOnevisionForConditionalGeneration
    parts = {'text_config': 'qwen2', 'vision_config': 'siglip_vision_model'}

    def __init__(self, folder: Path, image_tokens: int = 0) -> None:
        super().__init__(folder, image_tokens)
        self.video = VideoText(self.config.video_token_id)
        self.preprocess = Preprocessor.from_folder(folder, size=self.form.size)

    def decoder(self, network: LlavaOnevisionForConditionalGeneration) -> Decoder:
        """Return Qwen2 without its head."""
        return network.model.language_model

    def features(self, network: LlavaOnevisionForConditionalGeneration, pixels: Tensor) -> Tensor:
        """Encode frames as `frame_features` does, and take means where fewer are wished for."""
        return means_of_squares(frame_features(network.model, pixels), self.form.image_tokens)

    def before_question(self, network: LlavaOnevisionForConditionalGeneration) -> Tensor:
        """Return image_newline, [1, hidden]."""
        return network.model.image_newline[None]


def frame_features(model: LlavaOnevisionModel, pixels: Tensor) -> Tensor:
    """
    Encode frames as one batch.

    :param pixels: preprocessed images, [frames, 3, side, side]
    :returns: [frames, image_tokens, hidden]
    """
    tower, chosen = model.vision_tower, model.config.vision_feature_layer
    states = [
        tower.embeddings(pixels)
    ]  # after 0, 1, ... encoder layers, each [frames, patches, width]
    for layer in tower.encoder.layers:
        states.append(layer(states[-1], attention_mask=None))
    if isinstance(chosen, int):
        features = states[chosen]
    else:
        features = torch.cat([states[number] for number in chosen], dim=-1)
    return model.apply_pooling(model.multi_modal_projector(features))


def means_of_squares(features: Tensor, tokens: int) -> Tensor:
    """
    Take the means of squares of an image's tokens.

    :param features: [frames, image_tokens, hidden], row after row of a square image
    :param tokens: that are wished for, whose root divides that of `image_tokens`
    :returns: [frames, tokens, hidden]; the same where they are as many
    """
    side = isqrt(tokens)
    square = isqrt(features.shape[1]) // side
    if square == 1:
        return features
    return features.unflatten(1, (side, square, side, square)).mean(dim=(2, 4)).flatten(1, 2)


FAMILY = LlavaOnevision
