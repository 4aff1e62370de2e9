# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which model runs, in which type, on which device."""

from __future__ import annotations

import re
from dataclasses import dataclass

ITEM_BYTES = {'float32': 4, 'bfloat16': 2, 'float16': 2}
DTYPES = ('auto', *ITEM_BYTES)
LAYER_BITS = {'auto': None, 'int8': 8, 'int4': 4}
"""Bits of a weight of the language layers; None: as many as the rest has."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """
    The model to load.

    :param path: `embedded`, a folder with a checkpoint of a known family, or a name on the
        Hugging Face hub
    :param dtype: type of weights and cache; `auto` is float32 on a CPU and bfloat16 on a GPU
    :param device: `cpu`, `cuda` or `cuda:N`
    :param weights: of the language layers: `int8`, `int4`, or `auto`, which is as `dtype`
    :param image_tokens: language tokens of an image, one of the numbers that its family can make;
        0: as many as without a wish
    :raises ValueError: for an unknown type or name of a device, or a number below 0
    """

    path: str = 'embedded'
    dtype: str = 'auto'
    device: str = 'cpu'
    weights: str = 'auto'
    image_tokens: int = 0

    def __post_init__(self) -> None:
        """Refuse what no machine could load."""
        if not self.path:
            raise ValueError('model path is empty, expected "embedded", a folder or a hub name')
        if self.dtype not in DTYPES:
            raise ValueError(f'dtype must be one of {", ".join(DTYPES)}, got {self.dtype!r}')
        if not re.fullmatch(r'cpu|cuda(:\d+)?', self.device):
            raise ValueError(f'device must be cpu, cuda or cuda:N, got {self.device!r}')
        if self.weights not in LAYER_BITS:
            raise ValueError(
                f'weights must be one of {", ".join(LAYER_BITS)}, got {self.weights!r}'
            )
        if self.image_tokens < 0:
            raise ValueError(f'image_tokens must be 0 or more, got {self.image_tokens}')

    @property
    def number(self) -> str:
        """The type that `dtype` stands for."""
        if self.dtype != 'auto':
            return self.dtype
        return 'float32' if self.device == 'cpu' else 'bfloat16'

    @property
    def types(self) -> str:
        """In words, the types of the weights."""
        if self.layer_bits is None:
            return self.number
        return f'{self.number}, its language layers in {self.weights}'

    @property
    def layer_bits(self) -> int | None:
        """Bits of a weight of the language layers; None: as many as `number` has."""
        return LAYER_BITS[self.weights]
