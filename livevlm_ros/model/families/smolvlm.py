# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
SmolVLM2: a SigLIP-like tower, patches shuffled into fewer and wider ones, and Llama.

A video is text with images in it. Before each image stands when it was taken, in minutes and
seconds since the stream began; after 100 minutes the minutes begin anew, for a frame has as many
tokens at any time. The video begins with a sentence that states how many frames it has and how
long it is; a stream knows neither, so the sentence stands there without them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import SmolVLMForConditionalGeneration
from transformers.models.smolvlm.processing_smolvlm import (
    DEFAULT_CHAT_TEMPLATE,
    DEFAULT_MEDIA_OUTTRO,
)

from livevlm_ros.model.family import Family, VideoText
from livevlm_ros.model.folder import CheckpointError
from livevlm_ros.model.language import Decoder
from livevlm_ros.model.preprocess import Preprocessor, Size

INTRO = 'You are provided the following series of frames from a video.\n'
VIDEO = '<video>'
LARGEST_EDGE = 4096


class SmolVLM(Family):
    """The family of SmolVLM and SmolVLM2 checkpoints."""

    network = SmolVLMForConditionalGeneration
    parts = {'text_config': 'llama', 'vision_config': 'smolvlm_vision'}

    def __init__(self, folder: Path, image_tokens: int = 0) -> None:
        super().__init__(folder, image_tokens)
        if VIDEO not in self.tokenizer.chat_template:  # transformers puts its own in place of it
            self.tokenizer.chat_template = DEFAULT_CHAT_TEMPLATE
        token = self.config.image_token_id
        image = self.tokenizer.convert_ids_to_tokens(token)
        self.video = VideoText(token, VIDEO, f'{INTRO}{image}{DEFAULT_MEDIA_OUTTRO}')
        self.check_text(INTRO, image, DEFAULT_MEDIA_OUTTRO)
        self.preprocess = TwiceResized.from_folder(folder, size=self.form.size)

    def decoder(self, network: SmolVLMForConditionalGeneration) -> Decoder:
        """Return Llama without its head."""
        return network.model.text_model

    def features(self, network: SmolVLMForConditionalGeneration, pixels: Tensor) -> Tensor:
        """
        Encode frames as one batch, each as one image.

        `get_image_features` of transformers also leaves out images whose every number is 0.
        """
        patches = network.model.vision_model(pixel_values=pixels).last_hidden_state
        return network.model.connector(patches)


class TwiceResized(Preprocessor):
    """As the checkpoints' videos are: the longest edge to its size, then all to a square."""

    _longest_edge: int

    def _check_size(self, settings: dict[str, Any], source: Path) -> None:
        sampling = settings.get('video_sampling') or {}
        size = sampling.get('video_size') or settings.get('size') or {}
        square = settings.get('max_image_size')
        longest = size.get('longest_edge') if isinstance(size, dict) else None
        if not isinstance(longest, int) or square != {'longest_edge': self._size[0]}:
            raise CheckpointError(
                f'{source}: the size of a video is {size}, max_image_size is {square}, expected '
                f'a longest_edge and a longest_edge of {self._size[0]} as config.json'
            )
        self._longest_edge = min(longest, LARGEST_EDGE)

    def _sizes(self, size: Size) -> list[Size]:
        height, width = size
        longest, ratio = self._longest_edge, width / height
        if width >= height:
            first = _even(longest / ratio), longest
        else:
            first = longest, _even(longest * ratio)
        return [first, *super()._sizes(size)]


def _even(edge: float) -> int:
    whole = int(edge)
    return max(whole + whole % 2, 1)


FAMILY = SmolVLM
