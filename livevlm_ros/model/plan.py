# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a model takes, by the files of its folder, before a weight is read. It needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from livevlm_ros.memory import CacheShape
from livevlm_ros.model.config import ITEM_BYTES, LAYER_BITS, ModelConfig
from livevlm_ros.model.families import family_name
from livevlm_ros.model.folder import CheckpointError, read_json, read_yaml
from livevlm_ros.model.shapes import shape_of
from livevlm_ros.model.weight_files import count_numbers, weight_files

STORED = {'F32': 'float32', 'F16': 'float16', 'BF16': 'bfloat16'}
"""Types of numbers, by their names in a file of safetensors."""

AT_WORK = 3
"""Packs that the heap has grown by when a layer's weights are packed one after another."""


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """
    What a model takes.

    :param family: its `model_type`
    :param shape: what it writes into a memory
    :param image_numbers: of the embeddings of an image
    :param numbers: of all weights
    :param layer_numbers: of those of the language layers that are packed anew
    :param layer_matrix_numbers: of those without biases
    :param low_bits_bytes: of the latter in 8 and 4 bits
    :param low_bits_refused: why they cannot have so few; empty: they can
    :param widest_numbers: of the largest of those packs
    :param counted: whether `numbers` are those of the headers; else computed from config.json
    :param stored: the type they are stored in; of several, that of the most
    :param memory_settings: the checkpoint's parsed `memory.yaml`
    """

    family: str
    shape: CacheShape
    image_numbers: int
    numbers: int
    layer_numbers: int
    layer_matrix_numbers: int
    low_bits_bytes: Mapping[int, int]
    low_bits_refused: str
    widest_numbers: int
    counted: bool
    stored: str
    memory_settings: Mapping[str, Any]

    @classmethod
    def of(cls, folder: Path, image_tokens: int = 0) -> ModelPlan:
        """
        Read the small files of a folder, and the headers of its weights if they are there.

        :param image_tokens: as `ModelConfig` has them
        :raises CheckpointError: naming what is wrong with a file
        """
        family, config = family_name(folder), read_json(folder / 'config.json')
        shape = shape_of(family, config, folder, image_tokens)
        before, after = _text_tokens(folder, shape.before(0.0), shape.after)
        by_type = _stored_numbers(folder)
        named = config.get('dtype') or config.get('torch_dtype') or 'float32'
        stored = max(by_type, key=lambda name: by_type[name]) if by_type else named
        return cls(
            family=family,
            shape=shape.cache_shape(before, after),
            image_numbers=shape.image_tokens * shape.embedding_width,
            numbers=sum(by_type.values()) or shape.numbers,
            layer_numbers=shape.layer_numbers,
            layer_matrix_numbers=shape.layer_matrix_numbers,
            low_bits_bytes={
                bits: shape.low_bits_bytes(bits) for bits in LAYER_BITS.values() if bits
            },
            low_bits_refused=shape.low_bits_refused(),
            widest_numbers=shape.widest_numbers,
            counted=bool(by_type),
            stored=STORED.get(stored, stored),
            memory_settings=read_yaml(folder / 'memory.yaml'),
        )

    def weight_bytes(self, number: str, layer_bits: int | None = None) -> int:
        """
        Bytes of the weights in a type.

        :param layer_bits: of one of the language layers; None: those of the type
        """
        if layer_bits is None:
            return self.numbers * ITEM_BYTES[number]
        others = self.numbers - self.layer_matrix_numbers
        return others * ITEM_BYTES[number] + self.low_bits_bytes[layer_bits]

    def loading_bytes(self, config: ModelConfig) -> int:
        """
        Most RAM while loading: the files, which are mapped, and what is made of them.

        Weights in the type they are stored in are the mapped files themselves; those of the
        language layers are packed beside them. For fewer bits they are read one by one, and only
        the widest is there in other types too.
        """
        if (bits := config.layer_bits) is not None:
            widest = AT_WORK * self.widest_numbers  # a byte each
            return self.weight_bytes(config.number, bits) + widest
        files = self.weight_bytes(self.stored) if self.stored in ITEM_BYTES else 0
        if config.number != self.stored:
            return files + self.weight_bytes(config.number)
        if config.device != 'cpu':
            return files
        return (
            files
            + (self.layer_numbers + AT_WORK * self.widest_numbers) * ITEM_BYTES[config.number]
        )


def _stored_numbers(folder: Path) -> Mapping[str, int]:
    """Count weights by type; none where a file is missing, or is not what it should be."""
    if not all(file.is_file() for file in weight_files(folder)):
        return {}
    try:
        return count_numbers(folder)
    except SafetensorError:  # a Git LFS pointer, or a part of the file: loading says which
        return {}


def _text_tokens(folder: Path, *texts: str) -> list[int]:
    """Count the tokens of pieces of text."""
    if not any(texts):
        return [0 for _ in texts]
    from tokenizers import Tokenizer

    file = folder / 'tokenizer.json'
    if not file.is_file():
        raise CheckpointError(f"{folder}: tokenizer.json is missing, which counts a frame's text")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers raises no other
        raise CheckpointError(f'{file}: not a tokenizer ({error})') from error
    return [len(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts]
