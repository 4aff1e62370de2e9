# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Qwen3-VL, and what is made of it, such as Cosmos-Reason2.

Before each image stands when it was taken, in seconds since the stream began, with zeros before
it: a frame has as many tokens at any time. An image has rows and columns of positions (M-RoPE),
interleaved over the pairs of a head. Features of some tower layers are added to the states of the
first language layers (DeepStack). The tower takes frames in pairs: each is paired with itself, so
that it is encoded when it comes and every frame has a time of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import Qwen3VLForConditionalGeneration

from livevlm_ros.model.family import Family, VideoText
from livevlm_ros.model.language import Decoder
from livevlm_ros.model.preprocess import Preprocessor
from livevlm_ros.model.shapes.qwen3_vl import END, PAIR, START

VIDEO = '<|video_pad|>'


class Qwen3VL(Family):
    """The family of Qwen3-VL checkpoints."""

    network = Qwen3VLForConditionalGeneration
    parts = {'text_config': 'qwen3_vl_text', 'vision_config': 'qwen3_vl_vision'}

    def __init__(self, folder: Path, image_tokens: int = 0) -> None:
        super().__init__(folder, image_tokens)
        self.video = VideoText(self.config.video_token_id, f'{START}{VIDEO}{END}', VIDEO)
        self.check_text('\n', VIDEO, '')
        self.preprocess = FixedSize.from_folder(folder, size=self.form.size)

    def decoder(self, network: Qwen3VLForConditionalGeneration) -> Decoder:
        """Return Qwen3 without its head."""
        return network.model.language_model

    def features(self, network: Qwen3VLForConditionalGeneration, pixels: Tensor) -> Tensor:
        """
        Encode frames as one batch.

        :returns: [frames, image_tokens, (1 + layers) * hidden], behind each embedding what is
            added to the states of the first layers
        """
        vision = self.config.vision_config
        grid = [edge // vision.patch_size for edge in self.form.size]
        seen = network.model.visual(
            _patches(pixels, vision.patch_size, vision.spatial_merge_size),
            grid_thw=torch.tensor([[1, *grid]] * len(pixels), device=pixels.device),
        )
        wide = torch.cat((seen.pooler_output, *seen.deepstack_features), dim=-1)
        return wide.unflatten(0, (len(pixels), self.form.image_tokens))


def _patches(pixels: Tensor, patch: int, merge: int) -> Tensor:
    """
    Cut frames into patches, those that are merged beside each other, each twice in time.

    :param pixels: [frames, 3, height, width]
    :returns: [patches, 3 * 2 * patch * patch]
    """
    cut = pixels.unflatten(3, (-1, merge, patch)).unflatten(2, (-1, merge, patch))
    # [frames, rows, columns, merge, merge, 3, patch, patch]
    ordered = cut.permute(0, 2, 5, 3, 6, 1, 4, 7)
    paired = ordered[..., None, :, :].expand(*ordered.shape[:6], PAIR, patch, patch)
    return paired.flatten(0, 4).flatten(1)


class FixedSize(Preprocessor):
    """To one size, whatever number of pixels the checkpoint's own file allows."""

    def _check_size(self, settings: dict[str, Any], source: Path) -> None:
        pass


FAMILY = Qwen3VL
