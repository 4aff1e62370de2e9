# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Our path and transformers' own forward pass give the same next-token logits."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import livevlm_ros.model
from livevlm_ros.model import ModelConfig, load_model

EMBEDDED = Path(livevlm_ros.model.__file__).parent / 'embedded'
QUESTION = 'what color was the car'
TOLERANCE = 1e-4


@pytest.mark.parametrize('preset', ['full', 'recent'])
@pytest.mark.parametrize('steps', [[1] * 7, [3, 1, 3], [7]])
def test_logits_equal_transformers_own(
    checkpoint: Path,
    preset: str,
    steps: list[int],
    reference: Callable,
    images: Callable,
    watch: Callable,
    ask: Callable,
) -> None:
    model, frames = load_model(ModelConfig(str(checkpoint))), images(7)
    logits, _ = ask(model, watch(model, frames, steps, preset=preset), QUESTION)
    expected = reference(checkpoint).logits(frames, QUESTION)
    assert expected.std() > 0.1  # the checkpoint says something
    assert (logits - expected).abs().max() < TOLERANCE


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_gpu_says_what_the_cpu_says(
    checkpoint: Path, images: Callable, watch: Callable, ask: Callable
) -> None:
    scores = []
    for device in ('cpu', 'cuda'):
        model = load_model(ModelConfig(str(checkpoint), dtype='float32', device=device))
        logits, _ = ask(model, watch(model, images(7), [3, 1, 3], short_term_frames=5), QUESTION)
        scores.append(logits.cpu())
    assert (scores[0] - scores[1]).abs().max() < 100 * TOLERANCE  # convolutions in TF32


def test_a_ring_that_overflowed_differs(
    word_checkpoint: Path, reference: Callable, images: Callable, watch: Callable, ask: Callable
) -> None:
    model, frames = load_model(ModelConfig(str(word_checkpoint))), images(7)
    memory = watch(model, frames, [1] * 7, short_term_frames=3)
    logits, _ = ask(model, memory, QUESTION)
    whole = reference(word_checkpoint).logits(frames, QUESTION)
    assert (logits - whole).abs().max() > 100 * TOLERANCE


def test_greedy_answers_equal_generate(
    checkpoint: Path, reference: Callable, images: Callable, watch: Callable
) -> None:
    model, frames = load_model(ModelConfig(str(checkpoint))), images(5)
    memory = watch(model, frames, [2, 3], preset='full')
    expected = reference(checkpoint).answer(frames, QUESTION, tokens=24)
    prompt = model.question(QUESTION)
    view = memory.question(extra_tokens=prompt.tokens + 24)
    tokens = model.answer_tokens(model.read(prompt.embeds, view), view, temperature=0.0)
    ours = [token.id for token, _ in zip(tokens, range(24), strict=False)]
    assert ours == [
        token for token in expected if token != model.hf.config.text_config.eos_token_id
    ]


@pytest.mark.parametrize('preset', ['full', 'recent'])
def test_the_embedded_model_has_parity(
    preset: str, reference: Callable, images: Callable, watch: Callable, ask: Callable
) -> None:
    model, frames = load_model(ModelConfig()), images(12, height=96, width=96)
    logits, _ = ask(model, watch(model, frames, [1, 4, 7], preset=preset), QUESTION)
    expected = reference(EMBEDDED).logits(frames, QUESTION)
    assert (logits - expected).abs().max() < TOLERANCE


@pytest.mark.slow
@pytest.mark.timeout(900)  # a gigabyte is written and read
def test_the_half_billion_configuration_has_parity(
    tmp_path: Path,
    save_hub_form: Callable,
    reference: Callable,
    images: Callable,
    watch: Callable,
    ask: Callable,
) -> None:
    """
    Build the hub's 0.5B configuration at random, with 2 of its 26 vision layers.

    The tower's layers are transformers' own code on both sides; the 24 language layers are not.
    """
    vision = {
        'hidden_size': 1152,
        'intermediate_size': 4304,
        'num_hidden_layers': 2,
        'num_attention_heads': 16,
        'image_size': 384,
        'patch_size': 14,
    }
    text = {
        'hidden_size': 896,
        'intermediate_size': 4864,
        'num_hidden_layers': 24,
        'num_attention_heads': 14,
        'num_key_value_heads': 2,
        'vocab_size': 152000,
        'max_position_embeddings': 32768,
        'rope_parameters': {'rope_type': 'default', 'rope_theta': 1e6},
    }
    save_hub_form(tmp_path, vision, text, dtype=torch.float16, max_shard_size='500MB')
    frames = images(3, height=384, width=384)
    expected = reference(tmp_path).logits(frames, QUESTION)
    model = load_model(ModelConfig(str(tmp_path)))
    assert model.shape.tokens_per_frame == 196
    logits, view = ask(model, watch(model, frames, [1, 2], preset='full'), QUESTION)
    assert torch.isfinite(logits).all()
    assert (logits - expected).abs().max() < TOLERANCE
    assert sum(share for _, share in view.evidence()) == pytest.approx(1.0, abs=1e-6)
