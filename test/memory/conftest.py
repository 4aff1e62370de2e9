# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small cache, random tokens for it, attention written the plain way, and a device run dry."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from livevlm_ros.memory import (
    CacheShape,
    FrameRef,
    Memory,
    MemoryConfig,
    QuestionView,
    ReadFilter,
    RetrievalSettings,
    View,
)

SHAPE = CacheShape(
    layers=2,
    q_heads=4,
    kv_heads=2,
    head_dim=8,
    tokens_per_frame=4,
    rope_theta=10000.0,
    max_positions=2048,
)
PAGE = 2  # tokens: two pages a frame

SMALL: dict[str, dict[str, Any]] = {  # tiers that overflow soon, and an archive that loses no bit
    'recent': {'short_term_frames': 4},
    'full': {'full_max_tokens': 160},
    'rekv': {'short_term_frames': 4, 'retrieval_frames': 3},
    'livevlm': {'short_term_frames': 4, 'long_term_frames': 8, 'retrieval_frames': 3},
    'balanced': {
        'short_term_frames': 4,
        'long_term_frames': 8,
        'retrieval_frames': 3,
        'archive_bits': 16,
    },
}


@pytest.fixture
def shape() -> CacheShape:
    return SHAPE


class Tokens:
    """What a model's layers would hand to a view for some tokens; half precision can tell them."""

    def __init__(self, seed: int, tokens: int, shape: CacheShape = SHAPE) -> None:
        source = torch.Generator().manual_seed(seed)
        heads = shape.q_heads + 2 * shape.kv_heads
        drawn = torch.randn(shape.layers, heads, tokens, shape.head_dim, generator=source)
        drawn = drawn.half().float()
        self.q, self.k, self.v = drawn.split((shape.q_heads, shape.kv_heads, shape.kv_heads), 1)

    def attend(self, view: View) -> Tensor:
        """Send the tokens up through the layers of a view; return what came of those it needed."""
        out = []
        for layer in range(len(self.q)):
            attended = view.attend(layer, self.q[layer], self.k[layer], self.v[layer])
            if attended is None:
                break
            out.append(attended)
        nothing = self.q.new_empty(0, self.q.shape[2], SHAPE.q_heads * SHAPE.head_dim)
        return torch.stack(out) if out else nothing  # [layers, tokens, q_heads * head_dim]


@pytest.fixture
def tokens() -> Callable[..., Tokens]:
    return Tokens


@pytest.fixture
def see() -> Callable[..., Tokens]:
    """See frames in one step; what they were made of is drawn from their stamps and cameras."""

    def see(memory: Memory, *refs: FrameRef, needle: float | None = None) -> Tokens:
        seed = abs(refs[0].stamp_ns) + 1000 * len(refs[0].camera)
        new = Tokens(seed, SHAPE.tokens_per_frame * len(refs))
        if needle is not None:
            new.k[:] = needle
        view = memory.step(refs)
        new.attend(view)
        view.commit()
        return new

    return see


@pytest.fixture
def watch(see: Callable) -> Callable[..., None]:
    """See a frame of each camera at each stamp, and let all of it be archived."""

    def watch(
        memory: Memory, stamps: Sequence[int], *cameras: str, needles: Sequence = ()
    ) -> None:
        for stamp in stamps:
            for camera in cameras or ('front',):
                see(memory, FrameRef(camera, stamp), needle=5.0 if stamp in needles else None)
            memory.settle()

    return watch


@pytest.fixture
def make() -> Iterator[Callable[..., Memory]]:
    """Make a memory with a prefix of two tokens."""
    made: list[Memory] = []

    def make(
        *cameras: str,
        prefix: int = 2,
        page_tokens: int = PAGE,
        heads: dict[int, tuple[int, ...]] | None = None,
        shape: CacheShape = SHAPE,
        **settings: Any,
    ) -> Memory:
        retrieval = RetrievalSettings(page_tokens, heads or {})
        memory = Memory(
            MemoryConfig(**settings), shape, cameras or ('front',), retrieval=retrieval
        )
        made.append(memory)
        if prefix:
            with memory.write_prefix() as view:
                Tokens(0, prefix, shape).attend(view)
        return memory

    yield make
    for memory in made:
        memory.close()


@pytest.fixture
def small(make: Callable) -> Callable[..., Memory]:
    """Make a memory of two cameras, or those named, that overflows soon."""

    def small(preset: str, *cameras: str, **settings: Any) -> Memory:
        return make(
            *(cameras or ('left', 'right')), preset=preset, **{**SMALL[preset], **settings}
        )

    return small


@pytest.fixture
def ask() -> Callable[..., tuple[Tensor, list[QuestionView]]]:
    """Ask as the engine does; return the answer's attention, and the views it was read over."""

    def ask(
        memory: Memory,
        *,
        seed: int = 900,
        want: float | None = None,
        reading: ReadFilter | None = None,
        key: str | None = None,
        patience_s: float | None = None,
        answer: Sequence[int] = (),
    ) -> tuple[Tensor, list[QuestionView]]:
        question, views, out = Tokens(seed, 4), [], torch.empty(0)
        if want is not None:
            question.q[:] = want
        for view in memory.readings(
            tokens=4,
            extra_tokens=4 + len(answer),
            reading=reading,
            key=key,
            patience_s=patience_s,
        ):
            views.append(view)
            out = question.attend(view)
        later = [Tokens(token, 1).attend(views[-1]) for token in answer]
        return torch.cat([out, *later], dim=1), views

    return ask


def turned(x: Tensor, shape: CacheShape = SHAPE) -> Tensor:
    """Turn keys or queries to positions 0..n-1, as complex numbers, [..., tokens, head_dim]."""
    half = shape.head_dim // 2
    frequencies = shape.rope_theta ** (-torch.arange(half) / half)
    angles = torch.arange(x.shape[-2])[:, None] * frequencies
    rotated = torch.complex(x[..., :half], x[..., half:]) * torch.polar(
        torch.ones_like(angles), angles
    )
    return torch.cat((rotated.real, rotated.imag), -1)


@pytest.fixture
def reference() -> Callable[[Sequence[Tokens]], Tensor]:
    """Causal attention over whole sequences, token by token, without any cache."""

    def reference(parts: Sequence[Tokens]) -> Tensor:
        q, k, v = (torch.cat([getattr(part, name) for part in parts], 2) for name in 'qkv')
        q, k = turned(q), turned(k)
        group = SHAPE.q_heads // SHAPE.kv_heads
        out = torch.empty_like(q)
        for layer in range(SHAPE.layers):
            for head in range(SHAPE.q_heads):
                keys, values = k[layer, head // group], v[layer, head // group]
                for row in range(q.shape[2]):
                    scores = keys[: row + 1] @ q[layer, head, row] / SHAPE.head_dim**0.5
                    out[layer, head, row] = scores.softmax(0) @ values[: row + 1]
        return out.transpose(1, 2).flatten(2)  # [layers, tokens, q_heads * head_dim]

    return reference


@pytest.fixture
def run_dry(runs_out) -> Callable[..., int]:
    """
    Do something again and again, each time with memory for one more tensor, until it succeeds.

    After each failure `check` is called; returned is how often it failed.
    """

    def run_dry(attempt: Callable[[], object], check: Callable[[], object]) -> int:
        for failures in range(1000):
            no_memory = MemoryError() if failures % 2 else torch.OutOfMemoryError('no memory left')
            try:
                with runs_out(failures + 1, no_memory):
                    attempt()
            except (torch.OutOfMemoryError, MemoryError):
                check()
            else:
                return failures
        raise AssertionError('it never succeeded')

    return run_dry


class Held:
    """All that a memory holds and says of itself, to be compared."""

    def __init__(self, memory: Memory) -> None:
        state = memory.state()
        rows = {name: part.whole() for name, part in state.rows.items()}
        self.tensors, self.facts = state.tensors | rows, state.facts
        self.told = memory.refs(), memory.newest(), memory.newest(ReadFilter(last_ns=20))
        sizes = memory.sizes()
        self.sizes = replace(sizes, read_bytes=0)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Held)
            and (self.told, self.sizes, self.facts) == (other.told, other.sizes, other.facts)
            and self.tensors.keys() == other.tensors.keys()
            and all(torch.equal(part, other.tensors[name]) for name, part in self.tensors.items())
        )


@pytest.fixture
def held() -> Callable[[Memory], Held]:
    return Held
