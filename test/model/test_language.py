# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaModel

from livevlm_ros.memory import CacheShape, FrameRef, Memory, MemoryConfig
from livevlm_ros.model import ModelConfig, load_model
from livevlm_ros.model.language import LanguageLayers, next_token

LLAMA = {
    'vocab_size': 32,
    'hidden_size': 48,
    'intermediate_size': 80,
    'num_hidden_layers': 5,
    'num_attention_heads': 6,
    'num_key_value_heads': 2,
    'initializer_range': 0.15,
}
LLAMA_SHAPE = CacheShape(
    layers=5,
    q_heads=6,
    kv_heads=2,
    head_dim=8,
    tokens_per_frame=4,
    rope_theta=10000.0,
    max_positions=2048,
)


def llama(**config: object) -> LlamaModel:
    torch.manual_seed(3)
    return LlamaModel(LlamaConfig(**LLAMA, **config)).eval()


class Looking:
    """Look at the first layers, and end the read at the last of them."""

    def __init__(self, last_layer: int | None = None) -> None:
        self.seen: list[tuple[int, Tensor]] = []
        self._last_layer = last_layer

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor | None:
        self.seen.append((layer, q))
        if layer == self._last_layer:
            return None
        return q.transpose(0, 1).flatten(1)  # any output of that shape


@torch.inference_mode()
def test_llama_layers_without_biases_say_what_transformers_says() -> None:
    words = torch.randint(32, (4 * 5 + 3,), generator=torch.Generator().manual_seed(1))
    expected = llama()(words[None]).last_hidden_state[0]
    model = llama()
    layers, embeds = LanguageLayers(model), model.embed_tokens(words)
    memory = Memory(MemoryConfig('full'), LLAMA_SHAPE, ('front',))
    for first, end in ((0, 2), (2, 3), (3, 5)):  # frames of 4 tokens
        view = memory.step([FrameRef('front', stamp) for stamp in range(first, end)])
        layers.read(embeds[4 * first : 4 * end], view)
        view.commit()
    view = memory.question(extra_tokens=3)
    states = layers.read_states(embeds[20:], view, last=2)
    torch.testing.assert_close(states, expected[-2:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('bias', ['attention_bias', 'mlp_bias'])
def test_biases_that_would_be_left_out_are_refused(bias: str) -> None:
    with pytest.raises(ValueError, match='bias'):
        LanguageLayers(llama(**{bias: True}))


@pytest.mark.parametrize('last_layer', [0, 2, 4])
@torch.inference_mode()
def test_a_view_that_ends_the_read_costs_the_layers_before_it(last_layer: int) -> None:
    model = llama()
    counted: list[int] = []
    for layer in model.layers:
        layer.mlp.act_fn = Counting(layer.mlp.act_fn, counted)
    layers, embeds = LanguageLayers(model), model.embed_tokens(torch.arange(7))
    probe, whole = Looking(last_layer), Looking()
    layers.read(embeds, probe)
    assert [layer for layer, _ in probe.seen] == list(range(last_layer + 1))
    assert len(counted) == last_layer
    layers.read(embeds, whole)
    for (_, ours), (_, theirs) in zip(probe.seen, whole.seen, strict=False):
        assert torch.equal(ours, theirs)


class Counting(torch.nn.Module):
    """An activation that counts its calls."""

    def __init__(self, inner: torch.nn.Module, counted: list[int]) -> None:
        super().__init__()
        self._inner, self._counted = inner, counted

    def forward(self, hidden: Tensor) -> Tensor:
        self._counted.append(len(hidden))
        return self._inner(hidden)


def test_packed_weights_exist_once(checkpoint: Path) -> None:
    model = load_model(ModelConfig(str(checkpoint)))
    for layer in model.hf.model.language_model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        for parts in ([attention.q_proj, attention.k_proj, attention.v_proj], [mlp.gate_proj]):
            storages = {part.weight.untyped_storage().data_ptr() for part in parts}
            assert len(storages) == 1
    q, k = (getattr(attention, name).weight for name in ('q_proj', 'k_proj'))
    assert q.untyped_storage().data_ptr() == k.untyped_storage().data_ptr()
    gate, up = mlp.gate_proj.weight, mlp.up_proj.weight
    assert gate.untyped_storage().data_ptr() == up.untyped_storage().data_ptr()


def test_the_transformers_model_underneath_still_says_the_same(
    checkpoint: Path, reference: Callable, images: Callable[..., list[np.ndarray]]
) -> None:
    untouched = reference(checkpoint)
    expected = untouched.logits(images(3), 'what color')
    untouched.hf = load_model(ModelConfig(str(checkpoint))).hf
    torch.testing.assert_close(
        untouched.logits(images(3), 'what color'), expected, rtol=0, atol=1e-5
    )


def test_temperature_zero_takes_the_likeliest() -> None:
    assert next_token(torch.tensor([0.0, 3.0, 2.9]), temperature=0.0, generator=None) == 1


def test_a_seed_decides_what_is_drawn_and_temperature_how_boldly() -> None:
    scores = torch.tensor([1.0, 2.0, 0.0])

    def drawn(seed: int, temperature: float) -> list[int]:
        source = torch.Generator().manual_seed(seed)
        draw = [next_token(scores, temperature=temperature, generator=source) for _ in range(300)]
        return [int(token) for token in draw]

    assert drawn(1, 1.0) == drawn(1, 1.0)
    assert drawn(1, 1.0) != drawn(2, 1.0)
    assert set(drawn(1, 1.0)) == {0, 1, 2}
    assert drawn(1, 0.05) == [1] * 300
