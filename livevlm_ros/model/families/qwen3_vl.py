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

from livevlm_ros.memory import FramePositions
from livevlm_ros.model.family import Family, FrameText, VideoText
from livevlm_ros.model.folder import CheckpointError
from livevlm_ros.model.language import Decoder
from livevlm_ros.model.preprocess import Preprocessor, Size

SIZE: Size = (384, 512)
"""Of every frame: that of most cameras in proportion, and no more tokens than it needs."""

VIDEO = '<|video_pad|>'
START, END = '<|vision_start|>', '<|vision_end|>'
TENTHS = 1_000_000  # of a second, after which the time begins anew: more than a day
PAIR = 2
AXES = 3  # time, row, column


class Qwen3VL(Family):
    """The family of Qwen3-VL checkpoints."""

    network = Qwen3VLForConditionalGeneration
    parts = {'text_config': 'qwen3_vl_text', 'vision_config': 'qwen3_vl_vision'}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.video = VideoText(self.config.video_token_id, f'{START}{VIDEO}{END}', VIDEO)
        self._after = self.ids(END)
        self.check_text('\n', _before, VIDEO, END, '')
        vision = self.config.vision_config
        unit = vision.patch_size * vision.spatial_merge_size
        if any(edge % unit for edge in SIZE) or vision.temporal_patch_size != PAIR:
            raise CheckpointError(
                f'{folder}: config.json says patch_size = {vision.patch_size}, spatial_merge_size '
                f'= {vision.spatial_merge_size}, temporal_patch_size = '
                f'{vision.temporal_patch_size}, expected patches that divide a frame of '
                f'{SIZE[1]} by {SIZE[0]} pixels, and {PAIR} frames in one'
            )
        self._rows, self._columns = (edge // unit for edge in SIZE)
        self.image_tokens = self._rows * self._columns
        self.preprocess = FixedSize.from_folder(folder, size=SIZE)

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
        grid = [edge // vision.patch_size for edge in SIZE]
        seen = network.model.visual(
            _patches(pixels, vision.patch_size, vision.spatial_merge_size),
            grid_thw=torch.tensor([[1, *grid]] * len(pixels), device=pixels.device),
        )
        wide = torch.cat((seen.pooler_output, *seen.deepstack_features), dim=-1)
        return wide.unflatten(0, (len(pixels), self.image_tokens))

    def frame_text(self, seconds: float) -> FrameText:
        """Return the time and the markers around an image."""
        return FrameText(self.ids(_before(seconds)), self._after)

    def positions(self) -> FramePositions:
        """
        Return those of M-RoPE: an image takes up as many as its longer side.

        :raises CheckpointError: for sections that are not all of a head
        """
        text, around = self.config.text_config, self.frame_text(0.0)
        sections = text.rope_parameters.get('mrope_section')
        pairs = text.head_dim // 2
        if not isinstance(sections, list) or len(sections) != AXES or sum(sections) != pairs:
            raise CheckpointError(
                f'{self.folder}: config.json says mrope_section = {sections}, expected {AXES} '
                f'numbers that add up to {pairs}, half of head_dim'
            )
        first, longer = len(around.before), max(self._rows, self._columns)
        before = tuple(range(first))
        after = tuple(first + longer + number for number in range(len(around.after)))
        places = range(self.image_tokens)
        image = (
            tuple(first for _ in places),
            tuple(first + place // self._columns for place in places),
            tuple(first + place % self._columns for place in places),
        )
        return FramePositions(
            offsets=tuple((*before, *axis, *after) for axis in image),
            advance=first + longer + len(after),
            axes=tuple(_axis(pair, sections) for pair in range(pairs)),
        )


def _before(seconds: float) -> str:
    """Return the text before an image."""
    tenths = int(seconds * 10) % TENTHS
    return f'<{tenths // 10:05d}.{tenths % 10} seconds>{START}'


def _axis(pair: int, sections: list[int]) -> int:
    """Return the axis that turns a pair: they take turns until a section is used up."""
    axis = pair % AXES
    return axis if axis and pair < AXES * sections[axis] else 0


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
