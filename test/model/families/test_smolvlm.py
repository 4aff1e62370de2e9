# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""SmolVLM2: its frames, pixels and chat, and what its files may not say."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from livevlm_ros.model import BadQuestion, CheckpointError, ModelConfig, load_model
from livevlm_ros.model.families import open_family

QUESTION = 'what color was the car'
TOLERANCE = 1e-4


@pytest.fixture
def checkpoint(smolvlm: Any) -> Path:
    folder: Path = smolvlm.folder
    return folder


@torch.inference_mode()
def test_features_are_those_of_get_image_features(smolvlm: Any) -> None:
    family, network = open_family(smolvlm.folder), smolvlm.reference(smolvlm.folder).hf
    pixels = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    whole = network.model.get_image_features(pixels[None]).pooler_output[0]
    assert torch.equal(family.features(network, pixels).flatten(0, 1), whole)


def test_text_and_image_are_one_frame_of_the_memory(checkpoint: Path, images: Callable) -> None:
    model = load_model(ModelConfig(str(checkpoint)))
    before = len(model._family.frame_text(0.0).before)
    assert model.shape.tokens_per_frame == before + 16 + 1
    assert model.shape.text_tokens == before + 1
    assert model.image == slice(before, before + 16)
    frames = model.encode_frames(images(2), [5.0, 65.9])
    assert frames.shape == (2, model.shape.tokens_per_frame, 48)
    said = [model._family.tokenizer.decode(model._family.frame_text(s).before) for s in (5, 65.9)]
    ends = ':<fake_token_around_image><global-img>'
    assert said == [f'\nFrame from 00:05{ends}', f'\nFrame from 01:05{ends}']


def test_the_chat_is_the_checkpoints_where_it_has_a_place_for_a_video(
    checkpoint: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / 'own'))
    template = folder / 'chat_template.jinja'
    own = template.read_text().replace(
        '{% endif %}{% endfor %}<end',
        "{% elif line['type'] == 'video' %}<video>{% endif %}{% endfor %}<end",
    )
    template.write_text('Be brief. ' + own)
    model = load_model(ModelConfig(str(folder)))
    prefix = model._family.tokenizer.decode(model._chat.prefix_ids)
    assert prefix.startswith('Be brief. <|im_start|>User: You are provided the following series')


def test_a_question_that_holds_the_place_of_the_video_is_refused(checkpoint: Path) -> None:
    model = load_model(ModelConfig(str(checkpoint)))
    with pytest.raises(BadQuestion, match="'<video>', a marker of the chat"):
        model.question('what is <video> ?')


@pytest.mark.parametrize(('height', 'width'), [(480, 640), (33, 97), (64, 40)])
def test_pixels_are_those_of_pil_resized_to_the_longest_edge_and_then_squared(
    checkpoint: Path, images: Callable, height: int, width: int
) -> None:
    (image,) = images(1, height=height, width=width)
    edge = 32 / max(height, width)
    first = [int(side * edge) + int(side * edge) % 2 for side in (width, height)]
    resized = Image.fromarray(image)
    for size in (first, (32, 32)):
        resized = resized.resize(size, Image.Resampling.LANCZOS)
    expected = np.asarray(resized) / 255 * 2 - 1
    pixels = open_family(checkpoint).preprocess([image])[0].permute(1, 2, 0)
    assert np.allclose(pixels, expected, atol=1e-6)


def test_a_tokenizer_with_more_tokens_for_some_times_is_refused(
    checkpoint: Path, tmp_path: Path, merging_tokenizer: Any
) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / 'merged'))
    merging_tokenizer.save_pretrained(folder)
    with pytest.raises(CheckpointError, match='more tokens for some times than for others'):
        open_family(folder)


@pytest.mark.parametrize(
    ('name', 'changes', 'said'),
    [
        ('config', {'scale_factor': 3}, '8 by 8 patches, scale_factor = 3 does not divide'),
        ('config', {'text_config': {'model_type': 'qwen2'}}, "'qwen2', expected 'llama'"),
        ('preprocessor_config', {'max_image_size': None}, 'max_image_size is None'),
        ('preprocessor_config', {'video_sampling': None, 'size': 7}, 'size of a video is 7'),
    ],
)
def test_what_other_files_say_is_refused_in_a_line(
    checkpoint: Path, tmp_path: Path, name: str, changes: dict, said: str
) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / 'bad'))
    settings = json.loads((folder / f'{name}.json').read_text())
    (folder / f'{name}.json').write_text(json.dumps({**settings, **changes}))
    with pytest.raises(CheckpointError, match=said) as refused:
        open_family(folder)
    assert '\n' not in str(refused.value)


@pytest.mark.slow
@pytest.mark.timeout(900)  # a gigabyte is written and read
def test_the_half_billion_configuration_has_parity(
    smolvlm: Any, tmp_path: Path, images: Callable, watch: Callable, ask: Callable
) -> None:
    """Build SmolVLM2-500M-Video-Instruct's configuration at random, with 2 of 12 tower layers."""
    vision = {
        'hidden_size': 768,
        'intermediate_size': 3072,
        'num_hidden_layers': 2,
        'num_attention_heads': 12,
        'image_size': 512,
        'patch_size': 16,
    }
    text = {
        'hidden_size': 960,
        'intermediate_size': 2560,
        'num_hidden_layers': 8,
        'num_attention_heads': 15,
        'num_key_value_heads': 5,
        'vocab_size': 49280,
        'max_position_embeddings': 8192,
        'rope_parameters': {'rope_type': 'default', 'rope_theta': 1e5},
    }
    smolvlm.save(tmp_path, vision, text, scale=4, dtype=torch.float16)
    frames = images(8, height=512, width=512)
    expected = smolvlm.reference(tmp_path).logits(frames)
    model = load_model(ModelConfig(str(tmp_path)))
    assert model.shape.tokens_per_frame - model.shape.text_tokens == 64
    logits, view = ask(model, watch(model, frames, [1] * 8, preset='full'), QUESTION)
    assert torch.isfinite(logits).all()
    assert (logits - expected).abs().max() < TOLERANCE
    assert sum(share for _, share in view.evidence()) == pytest.approx(1.0, abs=1e-6)
