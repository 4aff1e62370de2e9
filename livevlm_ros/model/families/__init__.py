# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The kinds of models that are known, a module each, by the name config.json calls them.

Which of them a folder holds is found in config.json alone, before torch is imported.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from livevlm_ros.model.folder import CheckpointError, read_json

if TYPE_CHECKING:
    from livevlm_ros.model.family import Family


def known_families() -> list[str]:
    """Return every `model_type` that has a module here."""
    return sorted(module.name for module in iter_modules(__path__))


def family_name(folder: Path) -> str:
    """
    Return the `model_type` of the checkpoint in a folder.

    :raises CheckpointError: if it is not known, naming those that are
    """
    config, known = read_json(folder / 'config.json'), known_families()
    name = config.get('model_type')
    if name not in known:
        raise CheckpointError(
            f'{folder}: config.json says model_type = {name!r} '
            f'(architectures {config.get("architectures")}), expected one of {", ".join(known)}: '
            'a checkpoint of such a model in the form of transformers'
        )
    return str(name)


def open_family(folder: Path, image_tokens: int = 0) -> Family:
    """
    Read what the files of a checkpoint say beside its weights.

    :param image_tokens: as `ModelConfig` has them
    :raises CheckpointError: for an unknown family, or naming what is wrong with the files
    """
    family: type[Family] = import_module(f'{__name__}.{family_name(folder)}').FAMILY
    return family(folder, image_tokens)
