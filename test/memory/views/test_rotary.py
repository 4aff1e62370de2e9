# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from transformers import Qwen2Config
from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding, apply_rotary_pos_emb
from transformers.models.qwen3_vl.configuration_qwen3_vl import Qwen3VLTextConfig
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLTextRotaryEmbedding

from livevlm_ros.memory import CacheShape, FramePositions
from livevlm_ros.memory.views.rotary import RotaryTable, grown


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


# Frames of one token of text, an image of two rows and three columns, and one token of text.
GRID = FramePositions(
    offsets=((0, *[1] * 6, 4), (0, 1, 1, 1, 2, 2, 2, 4), (0, 1, 2, 3, 1, 2, 3, 4)),
    advance=5,
    axes=(0, 1, 2, 0, 1, 2, 0, 0),
)


@pytest.mark.parametrize('prefix', [0, 2, 5])
def test_frames_with_rows_and_columns_turn_as_in_transformers_qwen3_vl(prefix: int) -> None:
    rope = {'rope_type': 'default', 'rope_theta': 1e4, 'mrope_section': [4, 2, 2]}
    config = Qwen3VLTextConfig(head_dim=16, rope_parameters=rope)
    shape = CacheShape(1, 2, 2, 16, 8, 1e4, 4096, text_tokens=2, positions=GRID)
    frames, text = 3, 4
    base = [prefix + 5 * frame for frame in range(frames)]
    positions = torch.tensor(
        [
            [*range(prefix), *(start + place for start in base for place in axis)]
            + [prefix + 5 * frames + number for number in range(text)]
            for axis in GRID.offsets
        ]
    )
    keys = torch.randn(2, positions.shape[1], 16, generator=torch.Generator().manual_seed(0))
    cos, sin = Qwen3VLTextRotaryEmbedding(config)(keys, positions[:, None])
    expected, _ = apply_rotary_pos_emb(keys[None], keys[None], cos, sin)

    table = RotaryTable(shape, device=torch.device('cpu'), dtype=torch.float32)
    table.reserve(50)  # before the prefix is known
    table.reserve(keys.shape[1], prefix=prefix)
    past, turned = prefix + 8 * frames, torch.empty_like(keys)
    table.rotate(keys[:, :10], first=0, out=turned[:, :10])
    table.rotate(keys[:, 10:past], first=10, out=turned[:, 10:past])
    table.rotate_text(keys[:, past:], first=past, past=past, out=turned[:, past:])
    torch.testing.assert_close(turned, expected[0], rtol=0, atol=1e-6)


def test_room_grows_to_the_same_size_however_it_came_there() -> None:
    assert grown(0, 10) == 10 and grown(1, 4) == 5
    assert grown(grown(grown(10, 11), 20), 60) == grown(10, 60) >= 60
