# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Camera images to what the vision tower takes, as the checkpoint's own preprocessor file says.

The resize runs on uint8 and rounds as PIL's does, which the checkpoints were trained with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from livevlm_ros.model.folder import CheckpointError, read_json

# The first that exists: video processor, transformers 5's joint file, image processor.
FILES = (
    ('video_preprocessor_config.json', None),
    ('processor_config.json', 'video_processor'),
    ('preprocessor_config.json', None),
)
MODES = {1: 'lanczos', 2: 'bilinear', 3: 'bicubic'}  # numbers of PIL.Image.Resampling

Size = tuple[int, int]
"""Height and width."""


class Preprocessor:
    """Resize, rescale and normalise; made from a checkpoint folder by `from_folder`."""

    def __init__(self, settings: dict[str, Any], *, source: Path, size: Size) -> None:
        """
        Read a preprocessor file's settings.

        :param settings: the parsed file
        :param source: the file, named in errors
        :param size: that the vision tower expects
        :raises CheckpointError: naming the key that is missing or asks for what this preprocessor
            does not do
        """
        self._size = size
        self._check_size(settings, source)
        if not settings.get('do_resize', True):
            raise CheckpointError(
                f'{source}: do_resize is {settings["do_resize"]}, expected true: cameras give '
                'images of any size'
            )
        if settings.get('resample') not in MODES:
            raise CheckpointError(
                f'{source}: resample is {settings.get("resample")}, '
                'expected 1 (Lanczos), 2 (bilinear) or 3 (bicubic)'
            )
        self._mode = MODES[settings['resample']]
        scale, mean, std = 1.0, [0.0] * 3, [1.0] * 3
        if settings.get('do_rescale', True):
            scale = settings.get('rescale_factor', 1 / 255)
            if not isinstance(scale, int | float) or not 0 < scale < math.inf:
                raise CheckpointError(
                    f'{source}: rescale_factor is {scale}, expected a number above 0, as 1/255'
                )
        if settings.get('do_normalize', True):
            mean, std = (_three(settings, key, source) for key in ('image_mean', 'image_std'))
            if not all(std):
                raise CheckpointError(f'{source}: image_std is {std}, expected numbers but 0')
        # (x * scale - mean) / std in one multiplication and one addition, float32 [3, 1, 1]
        deviation = torch.tensor(std, dtype=torch.float64).view(3, 1, 1)
        self._scale = (scale / deviation).float()
        self._shift = (-torch.tensor(mean, dtype=torch.float64).view(3, 1, 1) / deviation).float()

    @classmethod
    def from_folder(cls, folder: Path, *, size: Size) -> Preprocessor:
        """
        Read the checkpoint's preprocessor file.

        :raises CheckpointError: if there is none, or as the constructor
        """
        for name, entry in FILES:
            if (folder / name).is_file():
                parsed = read_json(folder / name)
                settings = parsed.get(entry) if entry else parsed
                if settings:
                    return cls(settings, source=folder / name, size=size)
        raise CheckpointError(f'{folder}: preprocessor_config.json is missing')

    def _check_size(self, settings: dict[str, Any], source: Path) -> None:
        height, width = self._size
        size = settings.get('size')
        if size != {'height': height, 'width': width}:
            raise CheckpointError(
                f'{source}: size is {size}, expected height {height} and width {width} as '
                'config.json'
            )

    def __call__(self, images: Sequence[np.ndarray]) -> Tensor:
        """
        Make a batch of pixels.

        :param images: uint8 RGB, each [height, width, 3], of any sizes
        :returns: float32 [images, 3, height, width] on the CPU
        :raises ValueError: for an image of another type or shape
        """
        pixels = torch.stack([self._resized(image) for image in images])
        return torch.addcmul(self._shift, pixels.float(), self._scale)

    def _resized(self, image: np.ndarray) -> Tensor:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise ValueError(
                'expected an RGB image, uint8 [height, width, 3], '
                f'got {image.dtype} {list(image.shape)}'
            )
        rows = torch.from_numpy(np.require(image, requirements=['C', 'W']))  # [height, width, 3]
        pixels = rows.permute(2, 0, 1)[None]  # [1, 3, height, width], channels last
        for size in self._sizes((len(image), image.shape[1])):
            if pixels.shape[2:] != size:
                pixels = self._resize(pixels, size)
        return pixels[0]

    def _sizes(self, size: Size) -> list[Size]:
        """Return the sizes that an image takes on, one after another."""
        return [self._size]

    def _resize(self, pixels: Tensor, size: Size) -> Tensor:
        if self._mode != 'lanczos':
            return interpolate(pixels, size, mode=self._mode, antialias=True)
        image = Image.fromarray(pixels[0].permute(1, 2, 0).contiguous().numpy())
        resized = np.array(image.resize(size[::-1], Image.Resampling.LANCZOS))
        return torch.from_numpy(resized).permute(2, 0, 1)[None]


def _three(settings: dict[str, Any], key: str, source: Path) -> list[float]:
    numbers = settings.get(key)
    if (
        not isinstance(numbers, list)
        or len(numbers) != 3
        or not all(isinstance(number, int | float) for number in numbers)
    ):
        raise CheckpointError(f'{source}: {key} is {numbers}, expected three numbers')
    return numbers
