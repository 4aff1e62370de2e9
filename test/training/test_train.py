# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A training run: it learns a little, leaves a checkpoint that loads, and goes on from one."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from livevlm_ros.model import ModelConfig, load_model
from livevlm_ros.training.train import TrainingConfig, train


@pytest.fixture(scope='module')
def first(tmp_path_factory):
    root = tmp_path_factory.mktemp('run')
    config = TrainingConfig(
        out=root / 'first', minutes=0.1, tower_minutes=0.1, clips=450, cache=root / 'cache', seed=5
    )
    return config, train(config)


@pytest.mark.slow
def test_a_run_leaves_a_checkpoint_that_the_model_room_loads(first):
    config, measured = first
    model = load_model(ModelConfig(path=str(config.out)))
    image = np.full((120, 160, 3), 90, np.uint8)
    assert model.encode_frames([image]).shape == (1, 9, 256)
    assert set(measured) == {'8', '16', '64'}
    record = json.loads((config.out / 'training.json').read_text())
    assert record['runs'][-1]['curve'][-1]['held_out']['16'].keys() == measured['16'].keys()
    assert record['runs'][-1]['device'] == 'cpu'
    weights = load_file(config.out / 'model.safetensors')
    assert {weight.dtype for weight in weights.values()} == {torch.float16}


@pytest.mark.slow
def test_a_run_goes_on_from_a_checkpoint_and_keeps_its_tower(first):
    config, _ = first
    second = replace(
        config, out=config.out.with_name('second'), resume=config.out, minutes=0.05, workers=1
    )
    train(second)
    before = load_file(config.out / 'model.safetensors')
    after = load_file(second.out / 'model.safetensors')
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert not any('vision_tower' in name or 'projector' in name for name in changed)
