# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from livevlm_ros.model import CheckpointError, ModelConfig
from livevlm_ros.model.plan import ModelPlan
from livevlm_ros.weights import EMBEDDED

MEASURE = """
import ctypes, gc, json, sys
from livevlm_ros.model import ModelConfig, load_model

def bytes_of(name):
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    lines = open('/proc/self/status').read().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))

load_model(ModelConfig(weights=sys.argv[3]))  # what is imported late is there
anonymous, all_of_it = bytes_of('RssAnon'), bytes_of('VmRSS')
open('/proc/self/clear_refs', 'w').write('5')  # the peak begins anew
model = load_model(ModelConfig(sys.argv[1], dtype=sys.argv[2], weights=sys.argv[3]))
print(json.dumps([bytes_of('VmHWM') - all_of_it, bytes_of('RssAnon') - anonymous]))
"""


@pytest.fixture(scope='module')
def large(tmp_path_factory: pytest.TempPathFactory, save_hub_form: Callable) -> Path:
    """Save 90 million numbers as float16."""
    vision = {'hidden_size': 512, 'intermediate_size': 2048, 'num_hidden_layers': 6}
    vision |= {'num_attention_heads': 8, 'image_size': 224, 'patch_size': 14}
    text = {'hidden_size': 896, 'intermediate_size': 4096, 'num_hidden_layers': 4}
    text |= {'num_attention_heads': 14, 'num_key_value_heads': 2, 'vocab_size': 20000}
    folder = tmp_path_factory.mktemp('large')
    saved: Path = save_hub_form(folder, vision, text, dtype=torch.float16)
    return saved


def _measured(folder: Path, config: ModelConfig) -> tuple[int, int]:
    """Return bytes at the peak of loading a model, and those that stay."""
    given = [str(folder), config.dtype, config.weights]
    command = [sys.executable, '-c', MEASURE, *given]
    peak, kept = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return peak, kept


@pytest.mark.slow
@pytest.mark.parametrize('dtype', ['float32', 'bfloat16', 'float16'])
def test_loading_takes_and_keeps_what_was_planned(large: Path, dtype: str) -> None:
    config, plan = ModelConfig(str(large), dtype=dtype), ModelPlan.of(large)
    peak, kept = _measured(large, config)
    assert peak == pytest.approx(plan.loading_bytes(config), rel=0.1)
    if dtype != plan.stored:  # those are the mapped files, but for the language layers
        assert kept == pytest.approx(plan.weight_bytes(dtype), rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
@pytest.mark.parametrize('weights', ['int8', 'int4'])
def test_loading_few_bits_never_holds_the_layers_in_another_type(
    large: Path, dtype: str, weights: str
) -> None:
    config, plan = ModelConfig(str(large), dtype=dtype, weights=weights), ModelPlan.of(large)
    peak, kept = _measured(large, config)
    assert kept == pytest.approx(plan.weight_bytes(dtype, config.layer_bits), rel=0.05)
    assert peak == pytest.approx(plan.loading_bytes(config), rel=0.15)
    assert peak < kept + 2 * plan.layer_numbers  # those of 16 bits alone are more


def test_the_embedded_model_is_stored_in_half_of_what_a_cpu_computes_in() -> None:
    plan = ModelPlan.of(EMBEDDED)
    assert (plan.stored, plan.counted) == ('float16', True)
    assert plan.weight_bytes('float32') == 2 * plan.weight_bytes('float16') == 4 * plan.numbers
    assert plan.loading_bytes(ModelConfig()) == 6 * plan.numbers
    assert plan.loading_bytes(ModelConfig(device='cuda')) == 4 * plan.numbers


def test_weights_that_were_not_fetched_are_computed(tmp_path: Path) -> None:
    (tmp_path / 'config.json').write_bytes((EMBEDDED / 'config.json').read_bytes())
    (tmp_path / 'model.safetensors').write_text('version https://git-lfs.github.com/spec/v1')
    plan = ModelPlan.of(tmp_path)
    assert (plan.numbers, plan.counted) == (ModelPlan.of(EMBEDDED).numbers, False)
    assert plan.stored == 'float16'


def test_a_tokenizer_is_needed_where_a_frame_has_text(tmp_path: Path) -> None:
    config = {'model_type': 'qwen3_vl', 'text_config': {}, 'vision_config': {}}
    (tmp_path / 'config.json').write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match='tokenizer.json is missing'):
        ModelPlan.of(tmp_path)
    (tmp_path / 'tokenizer.json').write_text('{}')
    with pytest.raises(CheckpointError, match='tokenizer.json: not a tokenizer'):
        ModelPlan.of(tmp_path)
