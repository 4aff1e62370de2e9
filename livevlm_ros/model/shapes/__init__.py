# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The shapes of the models of `families/`, a module each by the same name, without torch.

`siglip` is a part that some of them share.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from livevlm_ros.model.shape import ModelShape


def shape_of(
    family: str, config: Mapping[str, Any], folder: Path, image_tokens: int = 0
) -> ModelShape:
    """
    Return the shape of a model.

    :param family: its `model_type`, a known one
    :param config: config.json, parsed
    :param folder: of the checkpoint, named in errors
    :param image_tokens: as `ModelConfig` has them
    :raises CheckpointError: naming what is missing, or what this family does not do
    """
    shape: type[ModelShape] = import_module(f'{__name__}.{family}').SHAPE
    return shape(config, folder, image_tokens)
