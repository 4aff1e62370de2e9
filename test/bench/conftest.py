# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small random language."""

from collections.abc import Callable

import pytest
import torch
from transformers import Qwen2Config

from livevlm_bench.language import Language, random_language

SMALL = Qwen2Config(
    vocab_size=64,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=4,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=32_768,
    rope_parameters={'rope_type': 'default', 'rope_theta': 1e6},
)


@pytest.fixture(scope='session')
def language() -> Callable[..., Language]:
    """Build layers whose frames have 18 tokens, pages 9."""

    def build(dtype: torch.dtype = torch.float32) -> Language:
        return random_language('small', SMALL, tokens_per_frame=18, dtype=dtype)

    return build
