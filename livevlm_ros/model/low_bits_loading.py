# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Loading a checkpoint with the weights of its language layers in eight or four bits.

transformers reads one tensor at a time and hands over those of the language layers, so that none
of them is there as floating point numbers for longer than it takes to quantise it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor, nn
from transformers import GenerationConfig, PreTrainedModel
from transformers.core_model_loading import ConversionOps
from transformers.quantizers import HfQuantizer
from transformers.quantizers.auto import register_quantization_config, register_quantizer
from transformers.utils.quantization_config import QuantizationConfigMixin

from livevlm_ros.model.low_bits import LowBitsLinear
from livevlm_ros.model.weight_files import weight_files

METHOD = 'livevlm_low_bits'


def low_bits_source(folder: Path, config: Any, bits: int) -> dict[str, Any]:
    """
    Return what `from_pretrained` takes in place of a folder.

    :param config: as transformers has parsed it
    :param bits: of a weight of the language layers, 8 or 4
    """
    source = {
        'pretrained_model_name_or_path': None,
        'config': config,
        'state_dict': {
            name: _Stored(file, name) for file in weight_files(folder) for name in _names(file)
        },
        'quantization_config': LowBitsConfig(bits),
    }
    if (folder / 'generation_config.json').is_file():
        source['generation_config'] = GenerationConfig.from_pretrained(folder)
    return source


def _names(file: Path) -> Sequence[str]:
    with safe_open(file, framework='pt') as weights:
        names: Sequence[str] = weights.keys()
    return names


class _Stored:
    """A tensor of a file, read when it is asked for, and copied: the file is let go of."""

    def __init__(self, file: Path, name: str) -> None:
        self._file, self._name = file, name

    def __getitem__(self, all_of_it: object) -> Tensor:
        with safe_open(self._file, framework='pt') as weights:
            tensor: Tensor = weights.get_tensor(self._name).clone()
        return tensor


@register_quantization_config(METHOD)
class LowBitsConfig(QuantizationConfigMixin):
    """How transformers is asked for it."""

    def __init__(self, bits: int) -> None:
        self.quant_method, self.bits = METHOD, bits


@register_quantizer(METHOD)
class LowBitsQuantizer(HfQuantizer):
    """Which weights are handed over: those of the linear layers of the decoder's layers."""

    is_trainable = False

    def is_serializable(self) -> bool:
        """Return that such a model is not saved."""
        return False

    def param_needs_quantization(
        self, model: PreTrainedModel, param_name: str, **others: Any
    ) -> bool:
        """Return whether a weight is handed over."""
        module, _, name = param_name.rpartition('.')
        if name != 'weight':
            return False
        found = model.get_submodule(module)
        return isinstance(found, nn.Linear) and any(
            found is each for each in model.get_decoder().layers.modules()
        )

    def get_quantize_ops(self) -> ConversionOps:
        """Return what takes them."""
        return _Lower(self.quantization_config.bits)


class _Lower(ConversionOps):
    """Replace a linear layer when its weight has come."""

    def __init__(self, bits: int) -> None:
        self._bits = bits

    def convert(
        self,
        input_dict: Mapping[str, Any],
        source_patterns: Sequence[str],
        target_patterns: Sequence[str],
        *,
        model: PreTrainedModel,
        full_layer_name: str,
        missing_keys: set[str],
        **others: Any,
    ) -> dict[str, Any]:
        """Replace it; transformers has nothing to set, and misses a weight that does not fit."""
        (weight,) = next(iter(input_dict.values()))
        name = full_layer_name.rpartition('.')[0]
        linear = model.get_submodule(name)
        if weight.shape == linear.weight.shape:
            model.set_submodule(name, LowBitsLinear(name, linear, weight, self._bits))
            missing_keys.discard(full_layer_name)
        return {}
