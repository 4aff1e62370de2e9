# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A checkpoint folder: found, and the small files beside its weights read. It needs no torch."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from livevlm_ros.weights import EMBEDDED

MOST_BYTES = {
    '*config.json': 2**24,
    'tokenizer*.json': 2**27,
    'vocab.json': 2**27,
    'added_tokens.json': 2**24,
    'special_tokens_map.json': 2**24,
    'chat_template.json': 2**24,
    'model.safetensors.index.json': 2**24,
    'training.json': 2**24,
    'merges.txt': 2**26,
    'vocab.txt': 2**26,
    'chat_template.jinja': 2**20,
    'additional_chat_templates/*.jinja': 2**20,
    'vocabulary.yaml': 2**18,
    'memory.yaml': 2**18,
}
"""Sizes that none of the files that are read beside the weights comes near."""

HUB_FILES = ('*.json', '*.safetensors', '*.txt', '*.jinja', '*.yaml')


class CheckpointError(ValueError):
    """A checkpoint that cannot be used: says what was given, what was expected and what to do."""


def checkpoint_folder(path: str) -> Path:
    """
    Find the folder of `embedded`, a folder name or a hub name.

    A hub name is downloaded when it is not cached.

    :raises CheckpointError: if there is no such folder, the hub does not give it, or it holds a
        file that is far too large
    """
    folder = _found(path)
    _check_sizes(folder)
    return folder


def _found(path: str) -> Path:
    folder = EMBEDDED if path == 'embedded' else Path(path).expanduser()
    if folder.is_dir():
        return folder
    if path == 'embedded' or folder.exists() or not re.fullmatch(r'[\w-][\w.-]*/[\w.-]+', path):
        raise CheckpointError(
            f'no model folder {folder}: expected "embedded", a folder with a checkpoint, or a hub '
            'name such as llava-hf/llava-onevision-qwen2-0.5b-ov-hf'
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(path, allow_patterns=list(HUB_FILES)))
    except Exception as error:  # the hub client's network and cache errors have no common base
        raise CheckpointError(
            f'model {path}: no such folder here, and the hub did not give it ({error}); '
            f'download it once with network (hf download {path}), or unset HF_HUB_OFFLINE'
        ) from error


def _check_sizes(folder: Path) -> None:
    """
    Look at the sizes of the files that are read beside the weights before anything parses them.

    :raises CheckpointError: naming one that is far too large
    """
    for pattern, most in MOST_BYTES.items():
        for file in sorted(folder.glob(pattern)):
            size = file.stat().st_size if file.is_file() else 0  # a link may lead nowhere
            if size > most:
                raise CheckpointError(
                    f'{file}: {size / 1e6:.0f} MB, expected at most {most / 1e6:.3g}: it is '
                    'damaged, or not what its name says'
                )


def read_json(file: Path) -> dict[str, Any]:
    """Parse a JSON object; `CheckpointError` names the file and what is wrong with it."""
    if not file.is_file():
        raise CheckpointError(f'{file.parent}: {file.name} is missing')
    try:
        parsed = json.loads(file.read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f'{file}: not valid JSON ({error})') from error
    if not isinstance(parsed, dict):
        raise CheckpointError(f'{file}: expected a JSON object, got {type(parsed).__name__}')
    return parsed


def read_yaml(file: Path) -> dict[str, Any]:
    """Parse a YAML mapping beside the weights; {} when the file is absent."""
    if not file.is_file():
        return {}
    try:
        parsed = yaml.safe_load(file.read_text(encoding='utf-8')) or {}
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise CheckpointError(f'{file}: not valid YAML ({error})') from error
    if not isinstance(parsed, dict):
        raise CheckpointError(f'{file}: expected a mapping, got {type(parsed).__name__}')
    return parsed
