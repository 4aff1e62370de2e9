# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is particular to a kind of model: all that the rest of the room leaves to `families/`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from torch import Tensor
from transformers import PreTrainedModel
from transformers.configuration_utils import PreTrainedConfig

from livevlm_ros.memory import CacheShape
from livevlm_ros.model.checkpoint import open_config, open_tokenizer
from livevlm_ros.model.folder import CheckpointError
from livevlm_ros.model.language import Decoder
from livevlm_ros.model.preprocess import Preprocessor
from livevlm_ros.model.shapes import shape_of

DAY_S = 86400


@dataclass(frozen=True, slots=True)
class VideoText:
    """
    How a chat holds a video.

    :param token: id of the token that stands for all of its frames
    :param marker: what the chat template writes for a video; empty: that token
    :param text: what replaces the marker, with that token in it
    """

    token: int
    marker: str = ''
    text: str = ''


@dataclass(frozen=True, slots=True)
class FrameText:
    """
    The text around one frame.

    :param before: ids of the tokens before its image
    :param after: ids of those after it
    """

    before: list[int]
    after: list[int]


class Family(ABC):
    """
    A kind of model, as the files beside the weights of one checkpoint describe it.

    A module of `families/` has one by the name `FAMILY`. Its constructor also sets:

    - `preprocess`: camera images to what the vision tower takes,
    - `video`: how the chat holds a video.

    `form` is what the module of `shapes/` says by the same name.

    :param folder: of the checkpoint
    :param image_tokens: as `ModelConfig` has them
    :raises CheckpointError: naming what is missing, or what this family does not do
    """

    network: ClassVar[type[PreTrainedModel]]
    """The class of transformers that its weights are of."""
    parts: ClassVar[Mapping[str, str]]
    """Entries of config.json that describe parts, and the `model_type` that each must have."""

    preprocess: Preprocessor
    video: VideoText

    def __init__(self, folder: Path, image_tokens: int = 0) -> None:
        self.folder, self.config = folder, open_config(folder)
        _check_config(folder, self.config, self.parts)
        self.form = shape_of(self.config.model_type, self.config.to_dict(), folder, image_tokens)
        self.tokenizer = open_tokenizer(folder)
        self._after = self.ids(self.form.after)

    @abstractmethod
    def decoder(self, network: PreTrainedModel) -> Decoder:
        """Return the language model without its head."""

    @abstractmethod
    def features(self, network: PreTrainedModel, pixels: Tensor) -> Tensor:
        """
        Turn images into language tokens, as one batch.

        :param pixels: as `preprocess` makes them, [images, 3, height, width]
        :returns: [images, image_tokens, hidden]; or wider, as `LanguageLayers.read` takes them
        """

    def frame_text(self, seconds: float) -> FrameText:
        """
        Return the text around a frame, at any time as many tokens before its image and after it.

        :param seconds: since the start of the stream
        """
        return FrameText(self.ids(self.form.before(seconds)), self._after)

    def before_question(self, network: PreTrainedModel) -> Tensor | None:
        """Return embeddings that close the video and are no word's, [tokens, hidden]; or None."""
        return None

    def shape(self) -> CacheShape:
        """
        Return what the language layers write into a memory.

        :raises CheckpointError: if the model has no positions for a frame and a question
        """
        around = self.frame_text(0.0)
        return self.form.cache_shape(len(around.before), len(around.after))

    def ids(self, text: str) -> list[int]:
        """Return the tokens of a piece of the chat."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        return ids

    def check_text(self, intro: str, image: str, outro: str) -> None:
        """
        Refuse a tokenizer that has not the same tokens for a frame wherever and whenever it is.

        :param intro: what a video begins with
        :param image: in place of the image
        :param outro: what a video ends with
        """
        before, after = self.form.before, self.form.after
        lengths = {len(self.ids(before(second))) for second in range(0, DAY_S, 997)}
        parts = [intro, before(0), image, after, before(61), image, after, outro]
        apart = [token for part in parts for token in self.ids(part)]
        if len(lengths) > 1 or apart != self.ids(''.join(parts)):
            raise CheckpointError(
                f'{self.folder}: the tokenizer joins what stands before and after a frame, or has '
                'more tokens for some times than for others; expected one that splits at line '
                'ends and between digits'
            )


def _check_config(folder: Path, config: PreTrainedConfig, parts: Mapping[str, str]) -> None:
    """Refuse parts of another kind, and attention that the memory does not do."""
    for key, expected in parts.items():
        given = getattr(config, key).model_type
        if given != expected:
            raise CheckpointError(
                f'{folder}: config.json says {key}.model_type = {given!r}, expected {expected!r} '
                f'in a {config.model_type} checkpoint'
            )
    rope_type = config.text_config.rope_parameters.get('rope_type', 'default')
    sliding = getattr(config.text_config, 'use_sliding_window', False)
    if rope_type != 'default' or sliding:
        raise CheckpointError(
            f'{folder}: config.json says rope_type = {rope_type!r}, use_sliding_window = '
            f'{sliding}, expected default rotary positions and full attention'
        )
