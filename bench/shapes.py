# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The dimensions of LLaVA-OneVision's language layers, and of what is asked of them."""

from __future__ import annotations

from typing import NamedTuple

from transformers import Qwen2Config

from livevlm_ros.memory import CacheShape

PREFIX_TOKENS, QUESTION_TOKENS, ANSWER_TOKENS = 14, 20, 8


class Shape(NamedTuple):
    """
    A model's dimensions.

    :param choosing: layers that choose pages where two are named for it
    """

    name: str
    config: Qwen2Config
    tokens_per_frame: int
    choosing: tuple[int, int]


def qwen2(*, hidden: int, mlp: int, layers: int, heads: int, kv_heads: int) -> Qwen2Config:
    """Return the language layers of a LLaVA-OneVision of these dimensions."""
    return Qwen2Config(
        vocab_size=152_000,
        hidden_size=hidden,
        intermediate_size=mlp,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=32_768,
        rope_parameters={'rope_type': 'default', 'rope_theta': 1e6},
    )


HALF_BILLION = Shape(
    '0.5b', qwen2(hidden=896, mlp=4864, layers=24, heads=14, kv_heads=2), 196, (16, 17)
)
SEVEN_BILLION = Shape(
    '7b', qwen2(hidden=3584, mlp=18_944, layers=28, heads=28, kv_heads=4), 196, (18, 19)
)


def cache_shape(config: Qwen2Config, *, tokens_per_frame: int) -> CacheShape:
    """Return what layers of these dimensions write into a memory."""
    return CacheShape(
        layers=config.num_hidden_layers,
        q_heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        head_dim=config.hidden_size // config.num_attention_heads,
        tokens_per_frame=tokens_per_frame,
        rope_theta=config.rope_parameters['rope_theta'],
        max_positions=config.max_position_embeddings,
    )
