# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What a checkpoint folder holds, checked and opened: configuration, tokenizer, weights.

Weights come from safetensors only, and no code of a checkpoint is ever run. What is wrong with a
folder is said before transformers sees it, by the name of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.configuration_utils import PreTrainedConfig
from transformers.utils import logging

from livevlm_ros.model.folder import CheckpointError, read_json
from livevlm_ros.model.weight_files import check_header, weight_files

PICKLES = ('*.bin', '*.pt', '*.pth', '*.ckpt', '*.pkl')
LFS_POINTER = b'version https://git-lfs'


def open_config(folder: Path) -> PreTrainedConfig:
    """
    Parse config.json as transformers does, defaults filled in.

    :raises CheckpointError: if transformers refuses it
    """
    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # transformers has no common base for what a config can get wrong
        raise CheckpointError(
            f'{folder}: transformers cannot read config.json ({error})'
        ) from error


def open_weights(
    folder: Path,
    network: type[PreTrainedModel],
    *,
    dtype: torch.dtype,
    layer_bits: int | None = None,
) -> PreTrainedModel:
    """
    Load the weights of a folder that `check_weights` let pass, ready for inference on the CPU.

    :param network: the class of transformers that they are of
    :param layer_bits: of a weight of the language layers, 8 or 4; None: those of `dtype`
    :raises CheckpointError: if the weights do not fit config.json, or are not finite numbers
    """
    source: dict[str, Any] = {'pretrained_model_name_or_path': folder}
    if layer_bits is not None:
        from livevlm_ros.model.low_bits_loading import low_bits_source

        source = low_bits_source(folder, open_config(folder), layer_bits)
    try:
        with quietly():
            model, report = network.from_pretrained(
                **source,
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
def quietly() -> Iterator[None]:
    """Keep transformers from drawing on stderr, and from a report of what is refused in a line."""
    shown, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            logging.enable_progress_bar()


def check_weights(folder: Path) -> None:
    """
    Look at the files of the weights without loading any.

    :raises CheckpointError: for weights that are missing, truncated, pickled or not fetched
    """
    files = weight_files(folder)
    pickles = sorted(file.name for pattern in PICKLES for file in folder.glob(pattern))
    if pickles and not any(file.is_file() for file in files):
        raise CheckpointError(
            f'{folder}: weights are pickled ({pickles[0]}), which can run code and is '
            'refused; expected model.safetensors: convert them with safetensors'
        )
    for file in files:
        if not file.is_file():
            raise CheckpointError(f'{folder}: {_absent(folder, file)}')
        if _is_pointer(file):
            raise CheckpointError(
                f'{file}: a Git LFS pointer, expected the weights themselves: run git lfs pull'
            )
        check_header(file)
        try:
            with safe_open(file, framework='pt'):
                pass
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f'{file}: truncated or corrupt, not a whole safetensors file ({error}); '
                'fetch it again'
            ) from error


def _absent(folder: Path, file: Path) -> str:
    """Say which file is missing: one of the weights, or the index that would name them."""
    shard = next(iter(sorted(folder.glob('model-*.safetensors'))), None)
    if shard is not None and file.name == 'model.safetensors':
        return f'{file.name}.index.json is missing, which says what is in {shard.name} and others'
    return f'{file.name} is missing, expected weights in safetensors'


def _is_pointer(file: Path) -> bool:
    with file.open('rb') as opened:
        return opened.read(len(LFS_POINTER)) == LFS_POINTER


@torch.inference_mode()
def _check_numbers(folder: Path, model: PreTrainedModel) -> None:
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
