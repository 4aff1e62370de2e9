# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from livevlm_ros.model import ModelConfig, load_model
from livevlm_ros.model.language import next_token


def test_packed_weights_exist_once(checkpoint: Path) -> None:
    model = load_model(ModelConfig(str(checkpoint)))
    for layer in model.hf.model.language_model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        for parts in ([attention.q_proj, attention.k_proj, attention.v_proj], [mlp.gate_proj]):
            storages = {part.weight.untyped_storage().data_ptr() for part in parts}
            assert len(storages) == 1
    q, k = (getattr(attention, name).weight for name in ('q_proj', 'k_proj'))
    assert q.untyped_storage().data_ptr() == k.untyped_storage().data_ptr()
    gate, up = mlp.gate_proj.weight, mlp.up_proj.weight
    assert gate.untyped_storage().data_ptr() == up.untyped_storage().data_ptr()


def test_the_transformers_model_underneath_still_says_the_same(
    checkpoint: Path, reference: Callable, images: Callable[..., list[np.ndarray]]
) -> None:
    untouched = reference(checkpoint)
    expected = untouched.logits(images(3), 'what color')
    untouched.hf = load_model(ModelConfig(str(checkpoint))).hf
    torch.testing.assert_close(
        untouched.logits(images(3), 'what color'), expected, rtol=0, atol=1e-5
    )


def test_temperature_zero_takes_the_likeliest() -> None:
    assert next_token(torch.tensor([0.0, 3.0, 2.9]), temperature=0.0, generator=None) == 1


def test_a_seed_decides_what_is_drawn_and_temperature_how_boldly() -> None:
    scores = torch.tensor([1.0, 2.0, 0.0])

    def drawn(seed: int, temperature: float) -> list[int]:
        source = torch.Generator().manual_seed(seed)
        draw = [next_token(scores, temperature=temperature, generator=source) for _ in range(300)]
        return [int(token) for token in draw]

    assert drawn(1, 1.0) == drawn(1, 1.0)
    assert drawn(1, 1.0) != drawn(2, 1.0)
    assert set(drawn(1, 1.0)) == {0, 1, 2}
    assert drawn(1, 0.05) == [1] * 300
