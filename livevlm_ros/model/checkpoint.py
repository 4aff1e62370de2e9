# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A checkpoint folder: found, checked and opened.

Weights come from safetensors only, and no code of a checkpoint is ever run. What is wrong with a
folder is said before transformers sees it, by the name of the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError, safe_open
from transformers import (
    AutoTokenizer,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from livevlm_ros.weights import EMBEDDED

ARCHITECTURE = {
    'model_type': 'llava_onevision',
    'text_config': 'qwen2',
    'vision_config': 'siglip_vision_model',
}
PICKLES = ('*.bin', '*.pt', '*.pth', '*.ckpt', '*.pkl')
HUB_FILES = ('*.json', '*.safetensors', '*.txt', '*.jinja', '*.yaml')


class CheckpointError(ValueError):
    """A checkpoint that cannot be used: says what was given, what was expected and what to do."""


def checkpoint_folder(path: str) -> Path:
    """
    Find the folder of `embedded`, a folder name or a hub name.

    A hub name is downloaded when it is not cached.

    :raises CheckpointError: if there is no such folder, or the hub does not give it
    """
    folder = EMBEDDED if path == 'embedded' else Path(path).expanduser()
    if folder.is_dir():
        return folder
    if path == 'embedded' or folder.exists() or not re.fullmatch(r'[\w-][\w.-]*/[\w.-]+', path):
        raise CheckpointError(
            f'no model folder {folder}: expected "embedded", a folder with a LLaVA-OneVision '
            'checkpoint, or a hub name such as llava-hf/llava-onevision-qwen2-0.5b-ov-hf'
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(path, allow_patterns=list(HUB_FILES)))
    except Exception as error:  # the hub client's network and cache errors have no common base
        raise CheckpointError(
            f'model {path}: no such folder here, and the hub did not give it ({error}); '
            'download it once with network, or unset HF_HUB_OFFLINE'
        ) from error


def read_json(file: Path) -> dict[str, Any]:
    """Parse a JSON object; `CheckpointError` names the file and what is wrong with it."""
    if not file.is_file():
        raise CheckpointError(f'{file.parent}: {file.name} is missing')
    try:
        parsed = json.loads(file.read_text(encoding='utf-8'))
    except ValueError as error:
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
    except (ValueError, yaml.YAMLError) as error:
        raise CheckpointError(f'{file}: not valid YAML ({error})') from error
    if not isinstance(parsed, dict):
        raise CheckpointError(f'{file}: expected a mapping, got {type(parsed).__name__}')
    return parsed


def check_files(folder: Path) -> None:
    """
    Look at architecture and weights without loading anything.

    :raises CheckpointError: for another architecture; missing, truncated or pickled weights
    """
    _check_architecture(folder)
    _check_weights(folder)


def open_weights(folder: Path, *, dtype: torch.dtype) -> LlavaOnevisionForConditionalGeneration:
    """
    Load the weights of a folder that `check_files` let pass, ready for inference on the CPU.

    :raises CheckpointError: if the weights do not fit config.json, or are not finite numbers
    """
    try:
        with no_progress_bar():
            model, report = LlavaOnevisionForConditionalGeneration.from_pretrained(
                folder,
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
            )
    except Exception as error:  # transformers has no common base for what a config can get wrong
        raise CheckpointError(f'{folder}: transformers cannot load it ({error})') from error
    absent = sorted(report['missing_keys']) + sorted(map(str, report['mismatched_keys']))
    if absent:
        raise CheckpointError(
            f'{folder}: the weights lack {len(absent)} tensors of config.json, first {absent[0]}; '
            'expected every one: the files are of another model, or a part of them is missing'
        )
    _check_numbers(folder, model)
    return model.eval().requires_grad_(False)


@contextmanager
def no_progress_bar() -> Iterator[None]:
    """Keep transformers from drawing on stderr."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _check_architecture(folder: Path) -> None:
    config = read_json(folder / 'config.json')
    for key, expected in ARCHITECTURE.items():
        entry = config.get(key)
        given = entry.get('model_type') if isinstance(entry, dict) else entry
        if given != expected:
            where = 'model_type' if key == 'model_type' else f'{key}.model_type'
            raise CheckpointError(
                f'{folder}: config.json says {where} = {given!r} '
                f'(architectures {config.get("architectures")}), expected {expected!r}: '
                'a LLaVA-OneVision checkpoint in the form of transformers (llava-hf)'
            )
    text = config['text_config']
    rope = text.get('rope_parameters') or text.get('rope_scaling') or {}
    rope_type = rope.get('rope_type', rope.get('type', 'default'))
    if rope_type != 'default' or text.get('use_sliding_window'):
        raise CheckpointError(
            f'{folder}: config.json says rope_type = {rope_type!r}, use_sliding_window = '
            f'{text.get("use_sliding_window", False)}, expected default rotary positions '
            'and full attention'
        )


def weight_files(folder: Path) -> list[Path]:
    """
    Return the files that the weights of a folder are in, be they there or not.

    :raises CheckpointError: for an index that names none
    """
    index = folder / 'model.safetensors.index.json'
    if index.is_file():
        shards = read_json(index).get('weight_map')
        if not isinstance(shards, dict) or not shards:
            raise CheckpointError(f'{index}: expected a weight_map')
        return [folder / name for name in sorted(set(shards.values()))]
    return [folder / 'model.safetensors']


def _check_weights(folder: Path) -> None:
    files = weight_files(folder)
    pickles = sorted(file.name for pattern in PICKLES for file in folder.glob(pattern))
    if pickles and not any(file.is_file() for file in files):
        raise CheckpointError(
            f'{folder}: weights are pickled ({pickles[0]}), which can run code and is '
            'refused; expected model.safetensors: convert them with safetensors'
        )
    for file in files:
        if not file.is_file():
            raise CheckpointError(
                f'{folder}: {file.name} is missing, expected weights in safetensors'
            )
        try:
            with safe_open(file, framework='pt'):
                pass
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f'{file}: truncated or corrupt, not a whole safetensors file ({error}); '
                'fetch it again'
            ) from error


@torch.inference_mode()
def _check_numbers(folder: Path, model: LlavaOnevisionForConditionalGeneration) -> None:
    """Refuse NaN and infinity: extremes tell both, in one pass and without a copy."""
    for name, weights in model.named_parameters():
        if not torch.stack(weights.aminmax()).isfinite().all():
            raise CheckpointError(
                f'{folder}: {name} holds NaN or infinity as '
                f'{str(weights.dtype).removeprefix("torch.")}, expected finite numbers: '
                'fetch the files again, or ask for a wider dtype'
            )


def open_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """
    Load the tokenizer with its chat template.

    :raises CheckpointError: naming the file that is missing or does not parse
    """
    if not (folder / 'tokenizer.json').is_file() and not (folder / 'vocab.json').is_file():
        raise CheckpointError(f'{folder}: tokenizer.json is missing')
    read_json(folder / 'tokenizer_config.json')
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
    except Exception as error:  # the Rust tokenizer raises bare Exception
        raise CheckpointError(f'{folder}: the tokenizer cannot be read ({error})') from error
    legacy = folder / 'chat_template.json'
    if legacy.is_file() and not (folder / 'chat_template.jinja').is_file():
        # It belongs to the whole model; the tokenizer's own would be that of the text model.
        tokenizer.chat_template = read_json(legacy).get('chat_template')
    if not tokenizer.chat_template:
        raise CheckpointError(
            f'{folder}: no chat template, expected chat_template.jinja, chat_template.json '
            'or chat_template in tokenizer_config.json'
        )
    return tokenizer
