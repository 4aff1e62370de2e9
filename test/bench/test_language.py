# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import torch

from livevlm_bench.language import HALF_BILLION, Language, embedded_language
from livevlm_ros.memory import Memory, MemoryConfig


def test_random_layers_speak_after_a_question(language: Callable[..., Language]) -> None:
    small = language()
    memory = Memory(MemoryConfig('recent'), small.shape, ('front',))
    views = [memory.question(extra_tokens=len(small.question)) for _ in range(2)]
    tokens = [small.first_token(view) for view in views]
    assert tokens[0] == tokens[1]
    assert 0 <= tokens[0] < 64


def test_the_first_token_is_the_likeliest(language: Callable[..., Language]) -> None:
    small = language()
    memory = Memory(MemoryConfig('recent'), small.shape, ('front',))
    with torch.inference_mode():
        view = memory.question(extra_tokens=len(small.question))
        scores = small.logits(small.read(small.question, view))
    view = memory.question(extra_tokens=len(small.question))
    assert small.first_token(view) == scores.argmax()


def test_the_large_shape_is_that_of_llava_onevision() -> None:
    layers, heads = HALF_BILLION.num_hidden_layers, HALF_BILLION.num_attention_heads
    assert (layers, heads, HALF_BILLION.hidden_size // heads) == (24, 14, 64)
    assert HALF_BILLION.num_key_value_heads == 2


def test_the_embedded_model_comes_with_its_settings() -> None:
    embedded = embedded_language()
    assert embedded.settings['retrieval'] and embedded.shape.tokens_per_frame == 9
    assert len(embedded.prefix) and 15 <= len(embedded.question) <= 25
