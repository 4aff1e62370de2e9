# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Weights of few bits exist once, stand for as many numbers, and are refused by name."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from livevlm_kernels.low_bits import GROUP
from livevlm_ros.model import CheckpointError, ModelConfig, load_model
from livevlm_ros.model.checkpoint import open_weights
from livevlm_ros.model.families import open_family
from livevlm_ros.model.low_bits import LowBitsLinear
from livevlm_ros.model.plan import ModelPlan
from livevlm_ros.model.shape import LOW_BITS_GROUP
from livevlm_ros.weights import EMBEDDED


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Copy the embedded model, to be broken."""
    return Path(shutil.copytree(EMBEDDED, tmp_path / 'model'))


@pytest.mark.parametrize('bits', [8, 4])
def test_weights_are_as_large_as_planned_and_exist_once(bits: int) -> None:
    plan, network = ModelPlan.of(EMBEDDED), open_family(EMBEDDED).network
    loaded = open_weights(EMBEDDED, network, dtype=torch.float32, layer_bits=bits)
    kept = sum(each.nbytes for each in loaded.parameters())
    assert kept == plan.weight_bytes('float32', bits) < plan.weight_bytes('float16')
    model = load_model(ModelConfig(weights=f'int{bits}'))
    assert (model.parameters, model.weight_bytes) == (plan.numbers, kept)
    assert model.types == f'float32, its language layers in int{bits}'
    layers = model.hf.model.language_model.layers
    lowered = [each for each in layers.modules() if isinstance(each, LowBitsLinear)]
    assert len(lowered) == 7 * len(layers) and not any(hasattr(each, 'codes') for each in lowered)


def test_the_loader_and_the_kernels_mean_the_same_groups() -> None:
    assert GROUP == LOW_BITS_GROUP


def test_the_vision_tower_and_the_head_keep_their_type() -> None:
    model = load_model(ModelConfig(weights='int8', dtype='bfloat16'))
    assert model.hf.lm_head.weight.dtype == torch.bfloat16
    assert {each.dtype for each in model.hf.model.vision_tower.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (lambda weight: weight[:-1], 'the weights lack 1 tensors of config.json, first .*q_proj'),
        (lambda weight: weight * torch.nan, 'q_proj.scales holds NaN or infinity'),
        (None, 'the weights lack 1 tensors of config.json, first .*q_proj'),
    ],
)
def test_weights_that_cannot_be_used_are_refused_in_a_line(
    folder: Path, change: Callable | None, said: str
) -> None:
    file = folder / 'model.safetensors'
    tensors = load_file(file)
    name = next(name for name in tensors if name.endswith('q_proj.weight') and 'language' in name)
    weight = tensors.pop(name)
    if change is not None:
        tensors[name] = change(weight).contiguous()
    save_file(tensors, file, metadata={'format': 'pt'})
    with pytest.raises(CheckpointError, match=said) as refused:
        load_model(ModelConfig(str(folder), weights='int8'))
    assert '\n' not in str(refused.value)


def test_widths_that_leave_a_group_incomplete_are_refused_before_weights_are_read(
    folder: Path,
) -> None:
    config = json.loads((folder / 'config.json').read_text())
    config['text_config']['intermediate_size'] = 500
    (folder / 'config.json').write_text(json.dumps(config))
    with pytest.raises(
        CheckpointError, match='intermediate_size = 500, expected a multiple of 64'
    ):
        load_model(ModelConfig(str(folder), weights='int4'))
