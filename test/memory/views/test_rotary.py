# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from transformers import Qwen2Config
from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding, apply_rotary_pos_emb

from livevlm_ros.memory import CacheShape
from livevlm_ros.memory.views.rotary import RotaryTable


@pytest.mark.parametrize(('width', 'theta'), [(8, 10000.0), (64, 1e6)])
@pytest.mark.parametrize('first', [0, 7])
def test_keys_turn_as_in_transformers_qwen2(width: int, theta: float, first: int) -> None:
    shape = CacheShape(1, 2, 2, width, 3, theta, 4096)
    config = Qwen2Config(
        hidden_size=2 * width,
        num_attention_heads=2,
        rope_parameters={'rope_type': 'default', 'rope_theta': theta},
    )
    keys = torch.randn(2, 40, width, generator=torch.Generator().manual_seed(0))
    positions = torch.arange(first, first + 40)[None]
    cos, sin = Qwen2RotaryEmbedding(config)(keys, positions)
    expected, _ = apply_rotary_pos_emb(keys[None], keys[None], cos, sin)

    table = RotaryTable(shape, device=torch.device('cpu'), dtype=torch.float32)
    table.reserve(first + 40)
    turned = table.rotate(keys, first=first, out=torch.empty_like(keys))
    torch.testing.assert_close(turned, expected[0], rtol=0, atol=1e-6)


def test_a_longer_table_keeps_the_angles_of_the_shorter_one(shape: CacheShape) -> None:
    table = RotaryTable(shape, device=torch.device('cpu'), dtype=torch.float32)
    table.reserve(10)
    before = table.cos.clone()
    table.reserve(1000)
    assert len(table.cos) >= 1000
    assert torch.equal(table.cos[:10], before)
