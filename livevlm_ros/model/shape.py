# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What config.json alone says of a model: how large it is, and what a frame is to it. No torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from livevlm_ros.memory import RESERVED_POSITIONS, CacheShape, FramePositions
from livevlm_ros.model.folder import CheckpointError

LOW_BITS_GROUP = 64
"""Inputs that share a scale and a zero in four bits; kernels want widths that it divides."""

SCALE_BYTES = 2

Size = tuple[int, int]
"""Height and width."""


class ModelShape(ABC):
    """
    The shape of a kind of model.

    A module of `shapes/` has one by the name `SHAPE`. Its constructor also sets:

    - `size`: of what the vision tower takes, in pixels,
    - `image_tokens`: language tokens of an image, always as many.

    :param config: config.json, parsed
    :param folder: of the checkpoint, named in errors
    :param image_tokens: as `ModelConfig` has them
    :raises CheckpointError: for what is missing, or what this family does not do
    """

    defaults: ClassVar[Mapping[str, Mapping[str, Any]]]
    """By the entry of a part, what transformers takes where that part does not say."""
    qkv_bias: ClassVar[bool] = False
    qk_norm: ClassVar[bool] = False
    after: ClassVar[str] = ''
    """The text after each image."""

    size: Size
    image_tokens: int

    def __init__(self, config: Mapping[str, Any], folder: Path, image_tokens: int = 0) -> None:
        self.config, self.folder, self._wished_tokens = config, folder, image_tokens
        self.text, self.vision = (
            {**self.defaults[part], **self._part(part)}
            for part in ('text_config', 'vision_config')
        )
        given = (self.text.get(entry) or {} for entry in ('rope_scaling', 'rope_parameters'))
        self.rope = {
            name: value
            for entry in ({'rope_theta': self.text['rope_theta']}, *given)
            for name, value in entry.items()
        }

    def _part(self, name: str) -> Mapping[str, Any]:
        part = self.config.get(name)
        if not isinstance(part, Mapping):
            raise CheckpointError(f'{self.folder}: config.json has no {name}')
        return part

    def _chosen(self, own: int, others: Iterable[int] = ()) -> int:
        """
        Return the tokens of an image that are wished for.

        :param own: as many as there are without a wish
        :param others: that this family can make
        :raises CheckpointError: for a wish that is none of these
        """
        possible = sorted({own, *others})
        if self._wished_tokens and self._wished_tokens not in possible:
            raise CheckpointError(
                f'{self.folder}: image_tokens is {self._wished_tokens}, expected '
                f'{" or ".join(map(str, possible))}; 0 is {own}'
            )
        return self._wished_tokens or own

    def before(self, seconds: float) -> str:
        """
        Return the text before an image.

        :param seconds: since the start of the stream
        """
        return ''

    def positions(self, before: int, after: int) -> FramePositions | None:
        """
        Return how positions run through a frame; None: one token after another.

        :param before: tokens before its image
        :param after: tokens after it
        """
        return None

    @property
    def embedding_width(self) -> int:
        """Width of what `Family.features` gives for a token of an image."""
        return int(self.text['hidden_size'])

    @property
    def head_dim(self) -> int:
        """Width of a head."""
        width, heads = self.text['hidden_size'], self.text['num_attention_heads']
        return int(self.text.get('head_dim') or width // heads)

    def cache_shape(self, before: int, after: int) -> CacheShape:
        """
        Return what the language layers write into a memory, for arguments as of `positions`.

        :raises CheckpointError: if the model has no positions for a frame and a question
        """
        shape = CacheShape(
            layers=self.text['num_hidden_layers'],
            q_heads=self.text['num_attention_heads'],
            kv_heads=self.text['num_key_value_heads'],
            head_dim=self.head_dim,
            tokens_per_frame=before + self.image_tokens + after,
            rope_theta=self.rope['rope_theta'],
            max_positions=self.text['max_position_embeddings'],
            text_tokens=before + after,
            positions=self.positions(before, after),
        )
        least = RESERVED_POSITIONS + shape.tokens_per_frame
        if shape.max_positions < least:
            raise CheckpointError(
                f'{self.folder}: config.json says max_position_embeddings = '
                f'{shape.max_positions}, expected at least {least}: a frame has '
                f'{shape.tokens_per_frame} tokens, and {RESERVED_POSITIONS} are kept for the chat'
            )
        return shape

    @property
    def numbers(self) -> int:
        """Numbers of all weights."""
        width, vocabulary = self.text['hidden_size'], self.text['vocab_size']
        embeddings = vocabulary * width * (1 if self.tied else 2)
        norms = self.text['num_hidden_layers'] * (2 * width + 2 * self.head_dim * self.qk_norm)
        return embeddings + self.layer_numbers + norms + width + self.vision_numbers()

    @property
    def tied(self) -> bool:
        """Whether the head is the embedding."""
        return bool(self.config.get('tie_word_embeddings'))

    @property
    def layer_numbers(self) -> int:
        """Numbers of what the language layers multiply by, which are packed anew at loading."""
        return self.layer_matrix_numbers + self._layers * self._qkv_width * self.qkv_bias

    @property
    def layer_matrix_numbers(self) -> int:
        """Numbers of those without biases, which may have a few bits each."""
        width, inner = self.text['hidden_size'], self.text['intermediate_size']
        attention = width * self._qkv_width + self._q_width * width
        return int(self._layers * (attention + 3 * width * inner))

    def low_bits_bytes(self, bits: int) -> int:
        """
        Return bytes of them with scales, as the kernels' `low_bits` has them.

        :param bits: of a number, 8 or 4
        """
        width, inner = self.text['hidden_size'], self.text['intermediate_size']
        attention = self._layers * self._qkv_width  # outputs, always of eight bits
        others = self._layers * (2 * width + 2 * inner)
        numbers = self.layer_matrix_numbers - attention * width
        if bits == 4:
            rest = numbers // 2 + 2 * SCALE_BYTES * numbers // LOW_BITS_GROUP
        else:
            rest = numbers + SCALE_BYTES * others
        return int(attention * (width + SCALE_BYTES) + rest)

    def saved_bytes(self, itemsize: int, bits: int | None) -> int:
        """
        Return the bytes that fewer bits save.

        :param itemsize: bytes of a number otherwise
        :param bits: as for `low_bits_bytes`; None: not fewer
        :raises CheckpointError: for a width that has no such numbers
        """
        if bits is None:
            return 0
        if refused := self.low_bits_refused():
            raise CheckpointError(refused)
        return self.layer_matrix_numbers * itemsize - self.low_bits_bytes(bits)

    def low_bits_refused(self) -> str:
        """Say which width leaves a group of numbers incomplete; empty: none."""
        widths = {
            'hidden_size': self.text['hidden_size'],
            'intermediate_size': self.text['intermediate_size'],
            'num_attention_heads * head_dim': self._q_width,
            'num_key_value_heads * head_dim': (self._qkv_width - self._q_width) // 2,
        }
        for name, width in widths.items():
            if width % LOW_BITS_GROUP:
                return (
                    f'{self.folder}: config.json says {name} = {width}, expected a multiple of '
                    f'{LOW_BITS_GROUP} for weights in 8 or 4 bits: set weights to auto'
                )
        return ''

    @property
    def _layers(self) -> int:
        return int(self.text['num_hidden_layers'])

    @property
    def _q_width(self) -> int:
        return int(self.text['num_attention_heads'] * self.head_dim)

    @property
    def _qkv_width(self) -> int:
        return self._q_width + int(2 * self.text['num_key_value_heads'] * self.head_dim)

    @property
    def widest_numbers(self) -> int:
        """Numbers of the largest of those packs, the two sides of a gate."""
        return int(2 * self.text['hidden_size'] * self.text['intermediate_size'])

    @abstractmethod
    def vision_numbers(self) -> int:
        """Return the numbers of the vision tower, and of what leads from it to the language."""

    def tower_numbers(self, layers: int) -> int:
        """Return the numbers of transformer layers with biases and norms with two weights."""
        width, inner = self.vision['hidden_size'], self.vision['intermediate_size']
        feed_forward = linear(width, inner) + linear(inner, width)
        return int(layers * (4 * linear(width, width) + feed_forward + 4 * width))


def linear(inputs: int, outputs: int) -> int:
    """Numbers of a linear layer with a bias."""
    return inputs * outputs + outputs
