# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small cache, random tokens for it, and attention written once more, the plain way."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from livevlm_ros.memory import CacheShape, FrameRef, Memory, MemoryConfig, RetrievalSettings, View

SHAPE = CacheShape(
    layers=2,
    q_heads=4,
    kv_heads=2,
    head_dim=8,
    tokens_per_frame=3,
    rope_theta=10000.0,
    max_positions=2048,
)


@pytest.fixture
def shape() -> CacheShape:
    return SHAPE


class Tokens:
    """What a model's layers would hand to a view for some tokens."""

    def __init__(self, seed: int, tokens: int, shape: CacheShape = SHAPE) -> None:
        source = torch.Generator().manual_seed(seed)
        width = (tokens, shape.head_dim)
        self.q = torch.randn(shape.layers, shape.q_heads, *width, generator=source)
        self.k = torch.randn(shape.layers, shape.kv_heads, *width, generator=source)
        self.v = torch.randn(shape.layers, shape.kv_heads, *width, generator=source)

    def attend(self, view: View) -> Tensor:
        """Send the tokens through every layer of a view, [layers, tokens, q_heads * head_dim]."""
        layers = range(len(self.q))
        return torch.stack([view.attend(i, self.q[i], self.k[i], self.v[i]) for i in layers])


@pytest.fixture
def tokens() -> Callable[..., Tokens]:
    return Tokens


@pytest.fixture
def see() -> Callable[..., Tokens]:
    """See frames in one step; what they were made of is drawn from their stamps."""

    def see(memory: Memory, *refs: FrameRef) -> Tokens:
        seed = refs[0].stamp_ns + 1000 * len(refs[0].camera)
        new = Tokens(seed, SHAPE.tokens_per_frame * len(refs))
        view = memory.step(refs)
        new.attend(view)
        view.commit()
        return new

    return see


@pytest.fixture
def make() -> Callable[..., Memory]:
    """Make a memory with a prefix of two tokens."""

    def make(*cameras: str, prefix: int = 2, page_tokens: int = 16, **settings) -> Memory:
        retrieval = RetrievalSettings(page_tokens=page_tokens)
        config = MemoryConfig(**settings)
        memory = Memory(config, SHAPE, cameras or ('front',), retrieval=retrieval)
        if prefix:
            with memory.write_prefix() as view:
                Tokens(0, prefix).attend(view)
        return memory

    return make


@pytest.fixture
def reference() -> Callable[[Sequence[Tokens]], Tensor]:
    """Causal attention over whole sequences, token by token, without any cache."""

    def reference(parts: Sequence[Tokens]) -> Tensor:
        q, k, v = (torch.cat([getattr(part, name) for part in parts], 2) for name in 'qkv')
        q, k = _turned(q), _turned(k)
        group = SHAPE.q_heads // SHAPE.kv_heads
        out = torch.empty_like(q)
        for layer in range(SHAPE.layers):
            for head in range(SHAPE.q_heads):
                keys, values = k[layer, head // group], v[layer, head // group]
                for row in range(q.shape[2]):
                    scores = keys[: row + 1] @ q[layer, head, row] / SHAPE.head_dim**0.5
                    out[layer, head, row] = scores.softmax(0) @ values[: row + 1]
        return out.transpose(1, 2).flatten(2)  # [layers, tokens, q_heads * head_dim]

    def _turned(x: Tensor) -> Tensor:
        """Rotary position as complex numbers, [..., tokens, head_dim]."""
        half = SHAPE.head_dim // 2
        frequencies = SHAPE.rope_theta ** (-torch.arange(half) / half)
        angles = torch.arange(x.shape[-2])[:, None] * frequencies
        turned = torch.complex(x[..., :half], x[..., half:]) * torch.polar(
            torch.ones_like(angles), angles
        )
        return torch.cat((turned.real, turned.imag), -1)

    return reference
