# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The shapes of the hub's configurations, against networks of transformers without weights."""

from pathlib import Path

import pytest
import torch
import transformers
from transformers import AutoConfig

from livevlm_ros.model import CheckpointError
from livevlm_ros.model.families import known_families
from livevlm_ros.model.shapes import shape_of

QWEN2 = {
    'model_type': 'qwen2',
    'hidden_size': 896,
    'intermediate_size': 4864,
    'num_hidden_layers': 24,
    'num_attention_heads': 14,
    'num_key_value_heads': 2,
    'vocab_size': 152000,
    'rope_theta': 1e6,
    'tie_word_embeddings': True,
}
SIGLIP = {
    'model_type': 'siglip_vision_model',
    'hidden_size': 1152,
    'intermediate_size': 4304,
    'num_hidden_layers': 26,
    'num_attention_heads': 16,
    'image_size': 384,
    'patch_size': 14,
    'vision_use_head': False,
}
SMOLLM2 = {
    'model_type': 'llama',
    'hidden_size': 960,
    'intermediate_size': 2560,
    'num_hidden_layers': 32,
    'num_attention_heads': 15,
    'num_key_value_heads': 5,
    'vocab_size': 49280,
    'max_position_embeddings': 8192,
    'rope_theta': 1e5,
    'pad_token_id': 2,
}
SMOL_TOWER = {
    'model_type': 'smolvlm_vision',
    'hidden_size': 768,
    'intermediate_size': 3072,
    'num_hidden_layers': 12,
    'num_attention_heads': 12,
    'image_size': 512,
    'patch_size': 16,
}
QWEN3 = {
    'model_type': 'qwen3_vl_text',
    'hidden_size': 2048,
    'intermediate_size': 6144,
    'num_hidden_layers': 28,
    'num_attention_heads': 16,
    'num_key_value_heads': 8,
    'head_dim': 128,
    'vocab_size': 151936,
    'max_position_embeddings': 262144,
    'rope_theta': 5e6,
    'rope_scaling': {'rope_type': 'default', 'mrope_section': [24, 20, 20]},
}
QWEN3_TOWER = {
    'model_type': 'qwen3_vl',
    'hidden_size': 1024,
    'intermediate_size': 4096,
    'depth': 24,
    'num_heads': 16,
    'out_hidden_size': 2048,
    'deepstack_visual_indexes': [5, 11, 17],
}
HUB = {
    'llava_onevision': (QWEN2, SIGLIP, {}),
    'smolvlm': (SMOLLM2, SMOL_TOWER, {'scale_factor': 4, 'image_token_id': 49190}),
    'qwen3_vl': (QWEN3, QWEN3_TOWER, {'tie_word_embeddings': True}),
}
CLASSES = {
    'llava_onevision': 'LlavaOnevisionForConditionalGeneration',
    'smolvlm': 'SmolVLMForConditionalGeneration',
    'qwen3_vl': 'Qwen3VLForConditionalGeneration',
}
HERE = Path('folder')


def _config(family: str) -> dict:
    text, vision, rest = HUB[family]
    return {'model_type': family, 'text_config': text, 'vision_config': vision, **rest}


@pytest.mark.parametrize('family', known_families())
def test_as_many_numbers_as_a_network_of_transformers_has(family: str) -> None:
    config = AutoConfig.for_model(**_config(family))
    with torch.device('meta'):
        network = getattr(transformers, CLASSES[family])(config)
    expected = sum(parameter.numel() for parameter in network.parameters())
    assert shape_of(family, _config(family), HERE).numbers == expected


@pytest.mark.parametrize('family', known_families())
def test_what_a_file_does_not_say_is_what_transformers_takes(family: str) -> None:
    bare = {
        part: {'model_type': _config(family)[part]['model_type']}
        for part in ('text_config', 'vision_config')
    }
    config = AutoConfig.for_model(family, **bare)
    shape = shape_of(family, bare | {'scale_factor': 1}, HERE)
    for part in bare:
        filled = getattr(config, part).to_dict()
        filled.update(filled.get('rope_parameters') or {} if part == 'text_config' else {})
        for name, value in shape.defaults[part].items():
            assert filled[name] == value or filled[name] == list(value), (part, name)


@pytest.mark.parametrize(
    ('family', 'tokens', 'token_bytes'),
    [('llava_onevision', 196, 12), ('smolvlm', 64, 40), ('qwen3_vl', 192, 112)],
)
def test_a_frame_of_the_hubs_models(family: str, tokens: int, token_bytes: int) -> None:
    shape = shape_of(family, _config(family), HERE).cache_shape(5, 1)
    assert (shape.tokens_per_frame, shape.text_tokens) == (tokens + 6, 6)
    assert shape.token_bytes(2) == token_bytes * 1024


@pytest.mark.parametrize(
    ('family', 'tokens', 'size'),
    [
        ('llava_onevision', 49, (384, 384)),
        ('llava_onevision', 4, (384, 384)),
        ('smolvlm', 64, (512, 512)),
        ('qwen3_vl', 48, (192, 256)),
        ('qwen3_vl', 108, (288, 384)),
        ('qwen3_vl', 768, (768, 1024)),
    ],
)
def test_an_image_may_have_more_or_fewer_tokens(
    family: str, tokens: int, size: tuple[int, int]
) -> None:
    shape = shape_of(family, _config(family), HERE, tokens)
    assert (shape.image_tokens, shape.size) == (tokens, size)
    assert shape.cache_shape(5, 1).tokens_per_frame == tokens + 6


@pytest.mark.parametrize(
    ('family', 'tokens', 'said'),
    [
        ('llava_onevision', 100, 'is 100, expected 1 or 4 or 49 or 196; 0 is 196'),
        ('smolvlm', 16, 'is 16, expected 64; 0 is 64'),
        ('qwen3_vl', 196, 'expected 12 or 48 or 108 or 192 or 300 or 432 or 588 or 768; 0 is 192'),
    ],
)
def test_tokens_that_a_family_cannot_make_are_refused_with_those_it_can(
    family: str, tokens: int, said: str
) -> None:
    with pytest.raises(CheckpointError, match=said):
        shape_of(family, _config(family), HERE, tokens)


@pytest.mark.parametrize(
    ('family', 'width'), [('llava_onevision', 896), ('smolvlm', 960), ('qwen3_vl', 4 * 2048)]
)
def test_an_embedding_is_as_wide_as_states_and_what_is_added_to_them(
    family: str, width: int
) -> None:
    assert shape_of(family, _config(family), HERE).embedding_width == width


def test_a_file_without_a_part_is_refused() -> None:
    with pytest.raises(CheckpointError, match='folder: config.json has no vision_config'):
        shape_of('smolvlm', {'text_config': {}}, HERE)
