# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.nn.functional import avg_pool2d

from livevlm_ros.model import ModelConfig, load_model
from livevlm_ros.model.families.llava_onevision import frame_features, means_of_squares

VISION = {
    'hidden_size': 32,
    'intermediate_size': 64,
    'num_hidden_layers': 3,
    'num_attention_heads': 4,
    'image_size': 40,
    'patch_size': 8,
}
TEXT = {
    'vocab_size': 16,
    'hidden_size': 48,
    'intermediate_size': 80,
    'num_hidden_layers': 1,
    'num_attention_heads': 6,
    'num_key_value_heads': 2,
}
WIDE = {
    'vocab_size': 320,
    'num_hidden_layers': 3,
    'initializer_range': 0.15,
    'max_position_embeddings': 4096,
    'rope_parameters': {'rope_type': 'default', 'rope_theta': 1e6},
    'hidden_size': 128,
    'intermediate_size': 192,
    'num_attention_heads': 8,
    'num_key_value_heads': 4,
}


@pytest.mark.parametrize('layer', [-1, -2, 1, [-2, -1]])
@torch.inference_mode()
def test_features_are_exactly_those_of_get_video_features_without_newline(
    network: Callable, layer: int | list[int]
) -> None:
    model = network(VISION, TEXT, seed=3, vision_feature_layer=layer).model
    pixels = torch.randn(4, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    whole = model.get_video_features(pixels[None]).pooler_output[0]
    features = frame_features(model, pixels)
    assert features.shape == (4, 9, 48)
    assert torch.equal(features.flatten(0, 1), whole[:-1])
    assert torch.equal(whole[-1], model.image_newline)


@pytest.mark.parametrize(
    ('side', 'patch'), [(16, 16), (80, 16), (112, 16), (100, 16), (224, 14), (384, 14)]
)
@torch.inference_mode()
def test_grids_of_any_size_pool_as_in_get_video_features(
    network: Callable, side: int, patch: int
) -> None:
    vision = {**VISION, 'image_size': side, 'patch_size': patch}
    model = network(vision, TEXT, seed=3).model
    pixels = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    whole = model.get_video_features(pixels[None]).pooler_output[0]
    assert torch.equal(frame_features(model, pixels).flatten(0, 1), whole[:-1])


def test_a_grid_of_5_by_5_patches_pools_to_9_tokens(checkpoint: Path, images: Callable) -> None:
    model = load_model(ModelConfig(str(checkpoint)))
    assert model.shape.tokens_per_frame == 9
    assert model.image == slice(0, 9)
    assert model.encode_frames(images(2)).shape == (2, 9, 48)


def test_fewer_tokens_are_means_of_squares() -> None:
    features = torch.randn(2, 14 * 14, 5, generator=torch.Generator().manual_seed(0))
    grid = features.transpose(1, 2).unflatten(2, (14, 14))
    expected = avg_pool2d(grid, 2).flatten(2).transpose(1, 2)
    torch.testing.assert_close(means_of_squares(features, 49), expected)
    assert means_of_squares(features, 196) is features


def test_a_memory_takes_frames_of_fewer_tokens(
    checkpoint: Path, images: Callable, watch: Callable, ask: Callable
) -> None:
    usual = load_model(ModelConfig(str(checkpoint)))
    model = load_model(ModelConfig(str(checkpoint), image_tokens=1))
    assert (model.shape.tokens_per_frame, model.image) == (1, slice(0, 1))
    found, whole = model.encode_frames(images(2)), usual.encode_frames(images(2))
    torch.testing.assert_close(found, whole.mean(1, keepdim=True))
    memory = watch(model, images(4), [1] * 4, preset='balanced', short_term_frames=2)
    memory.settle()
    assert memory.sizes().archive_tokens == 2 and memory.sizes().short_term_tokens == 2
    assert torch.isfinite(ask(model, memory, 'what color was the car')[0]).all()
    memory.close()


def test_a_batch_of_images_of_any_sizes_equals_one_by_one(
    checkpoint: Path, images: Callable
) -> None:
    model = load_model(ModelConfig(str(checkpoint)))
    mixed = [*images(1), *images(1, height=120, width=33), *images(1, height=7, width=200)]
    batch = model.encode_frames(mixed)
    single = torch.cat([model.encode_frames([image]) for image in mixed])
    torch.testing.assert_close(batch, single, rtol=0, atol=1e-5)


@pytest.mark.parametrize('bits', [8, 4])
def test_fewer_bits_say_what_the_same_weights_say(
    tmp_path: Path, lowered: Callable, images: Callable, save_hub_form: Callable, bits: int
) -> None:
    folder = save_hub_form(tmp_path, VISION, TEXT | WIDE)
    same, own = lowered(folder, images(5), 'what color was the car', bits)
    assert same.largest < 0.1 and same.equal > 0.8
    assert own.typical < {8: 0.05, 4: 0.7}[bits]


def test_the_plan_is_what_is_loaded(checkpoint: Path, planned: Callable) -> None:
    planned(checkpoint)
