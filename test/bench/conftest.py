# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small random languages, and a pretrained one."""

from collections.abc import Callable

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Qwen2Config

from livevlm_bench.facts import built_in_facts
from livevlm_bench.language_model import LanguageModel
from livevlm_bench.smollm2 import load_smollm2
from livevlm_bench.timed_layers import Language, random_language
from livevlm_ros.replay.errors import BadInput

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
    """Build layers whose frames have 18 tokens, pages 16."""

    def build(dtype: torch.dtype = torch.float32) -> Language:
        return random_language('small', SMALL, tokens_per_frame=18, dtype=dtype)

    return build


CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    '<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}'
)


def _tokenizer() -> PreTrainedTokenizerFast:
    """Train a byte-level BPE on the facts."""
    pieces = Tokenizer(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    said = [sentence for kind in built_in_facts('table') for sentence in (*kind.say, kind.ask)]
    pieces.train_from_iterator(said, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        eos_token='<|im_end|>',
        additional_special_tokens=['<|im_start|>'],
    )
    tokenizer.chat_template = CHAT
    return tokenizer


@pytest.fixture(scope='session')
def text_parts() -> Callable[..., tuple[LlamaForCausalLM, PreTrainedTokenizerFast]]:
    """Build a small random Llama that reads text of bytes and a few words, the same each time."""

    def build(**widths: int) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
        torch.manual_seed(5)
        tokenizer = _tokenizer()
        small = {
            'hidden_size': 48,
            'intermediate_size': 80,
            'num_attention_heads': 6,
            'num_key_value_heads': 2,
        }
        config = LlamaConfig(
            **(small | widths),
            vocab_size=len(tokenizer),
            num_hidden_layers=4,
            max_position_embeddings=4096,
            initializer_range=0.15,
        )
        return LlamaForCausalLM(config).eval().requires_grad_(False), tokenizer

    return build


@pytest.fixture(scope='session')
def text_model(text_parts: Callable) -> LanguageModel:
    return LanguageModel(*text_parts(), name='small')


@pytest.fixture(scope='session')
def pretrained() -> LanguageModel:
    """Load SmolLM2, or skip with a word where it cannot be had."""
    try:
        return load_smollm2()
    except BadInput as error:
        pytest.skip(str(error))
