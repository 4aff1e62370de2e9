# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Language layers of any shape with random weights on a device, and what a memory costs there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import Qwen2Model

from livevlm_bench.copies import Copies
from livevlm_bench.one_camera import CAMERA, fill, frame
from livevlm_bench.shapes import (
    ANSWER_TOKENS,
    PREFIX_TOKENS,
    QUESTION_TOKENS,
    Shape,
    cache_shape,
)
from livevlm_ros.memory import (
    Memory,
    MemoryConfig,
    QuestionView,
    RetrievalSettings,
)
from livevlm_ros.memory.settings import largest_page
from livevlm_ros.model.language import LanguageLayers


class Layers:
    """
    Layers with random weights in bfloat16, and random words for them.

    :param model: to run; None: one of the shape is built
    """

    def __init__(self, shape: Shape, *, device: str, model: Qwen2Model | None = None) -> None:
        torch.manual_seed(0)
        if model is None:
            with torch.device(device):
                model = Qwen2Model._from_config(shape.config, dtype=torch.bfloat16).eval()
        self.model, self.device = model, torch.device(device)
        self.layers = LanguageLayers(model)
        config = shape.config
        self.shape = cache_shape(config, tokens_per_frame=shape.tokens_per_frame)
        self.choosing, self._hidden = shape.choosing, config.hidden_size
        self.weight_bytes = sum(weights.nbytes for weights in model.parameters())

    def words(self, count: int) -> Tensor:
        """Return embeddings of random words, [count, hidden]."""
        ids = torch.randint(self.model.embed_tokens.num_embeddings, (count,))
        return self.model.embed_tokens(ids.to(self.device))

    def frame(self) -> Tensor:
        """Return a frame's tokens, random, [tokens_per_frame, hidden]."""
        size = (self.shape.tokens_per_frame, self._hidden)
        return torch.randn(size, dtype=torch.bfloat16, device=self.device)

    def next_token(self, hidden: Tensor) -> int:
        """Return the likeliest next token; the head is tied to the embeddings."""
        return int(torch.mv(self.model.embed_tokens.weight, hidden).argmax())


class Row(NamedTuple):
    """
    A memory that is measured.

    :param named: whether two layers are named to choose pages, else many vote
    """

    preset: str
    frames: int
    named: bool = False

    @property
    def name(self) -> str:
        """The row's name in tables and reports."""
        how = ' (two layers choose)' if self.named else ''
        return f'{self.preset}@{self.frames}{how}'


@torch.inference_mode()
def measure(layers: Layers, row: Row, *, questions: int, steps: int) -> dict[str, Any]:
    """
    Fill a memory with noise and measure questions, decoding and steps.

    :param questions: that count, after two others
    :param steps: that are timed one by one, and then again as fast as they can be
    """
    began = time.perf_counter()
    with closing(new_memory(layers, row)) as memory:
        fill(memory, range(row.frames))
        filled_s = time.perf_counter() - began
        _restart_peak(layers.device)
        found = _questions(layers, memory, questions)
        found |= _steps(layers, memory, steps, first=row.frames)
        sizes = memory.sizes()
        predicted = layers.weight_bytes + sizes.device_bytes + sizes.read_bytes
        return {
            'preset': row.preset,
            'frames': row.frames,
            'two_layers_choose': row.named,
            **found,
            'device_bytes': sizes.device_bytes,
            'read_bytes': sizes.read_bytes,
            'weight_bytes': layers.weight_bytes,
            'predicted_bytes': predicted,
            **_allocated(layers.device),
            'host_bytes': sizes.host_bytes,
            'archive_lost': sizes.archive_lost,
            'short_term_tokens': sizes.short_term_tokens,
            'filled_s': filled_s,
        }


def new_memory(layers: Layers, row: Row) -> Memory:
    """Build a memory with a prefix, and RAM for every frame."""
    shape = layers.shape
    heads = {layer: tuple(range(shape.q_heads)) for layer in layers.choosing}
    retrieval = RetrievalSettings(largest_page(shape.tokens_per_frame), heads if row.named else {})
    frame_bytes = shape.tokens_per_frame * shape.token_bytes(2)
    memory = Memory(
        MemoryConfig(row.preset, archive_host_bytes=(row.frames + 100) * frame_bytes),
        shape,
        (CAMERA,),
        layers.device,
        torch.bfloat16,
        retrieval=retrieval,
    )
    with memory.write_prefix() as view:
        layers.layers.read(layers.words(PREFIX_TOKENS), view)
    return memory


def _questions(layers: Layers, memory: Memory, count: int) -> dict[str, Any]:
    """Time questions that have not been asked before, and what they decode."""
    firsts, tokens = [], []
    for number in range(-2, count):
        question = layers.words(QUESTION_TOKENS)
        wait(layers.device)
        began = time.perf_counter()
        view, hidden = _read(layers, memory, question)
        layers.next_token(hidden)
        first_s = time.perf_counter() - began
        began = time.perf_counter()
        for _ in range(ANSWER_TOKENS):
            hidden = layers.layers.read(question[:1], view)
            layers.next_token(hidden)
        if number >= 0:
            firsts.append(first_s)
            tokens.append((time.perf_counter() - began) / ANSWER_TOKENS)
    stages: dict[str, float] = {}
    _read(layers, memory, layers.words(QUESTION_TOKENS), stages)
    with Copies() as copies:
        view, _ = _read(layers, memory, layers.words(QUESTION_TOKENS))
    return {
        'first_token_ms': median(firsts) * 1e3,
        'first_token_all_ms': [each * 1e3 for each in firsts],
        'decode_ms': median(tokens) * 1e3,
        'stages_ms': stages,
        'tokens_read': sum(view.tokens_read) / len(view.tokens_read),
        'pages_ranked': view.ranked,
        'host_to_device_bytes': copies.to_device,
        'device_to_host_bytes': copies.to_host,
    }


def _read(
    layers: Layers, memory: Memory, question: Tensor, stages: dict[str, float] | None = None
) -> tuple[QuestionView, Tensor]:
    """Read a question over its views; note in `stages` when each was found and read, in ms."""
    began = time.perf_counter()

    def note(name: str) -> None:
        if stages is not None:
            wait(layers.device)
            stages[name] = (time.perf_counter() - began) * 1e3

    view = None
    extra_tokens = len(question) + ANSWER_TOKENS
    views = memory.readings(tokens=len(question), extra_tokens=extra_tokens)
    for number, view in enumerate(views):
        note(f'view {number} found')
        hidden = layers.layers.read(question, view)
        note(f'view {number} read')
    assert view is not None
    return view, hidden


def _steps(layers: Layers, memory: Memory, count: int, *, first: int) -> dict[str, Any]:
    """Time steps one by one, and again as fast as they come."""
    took = []
    for second in range(first, first + count):
        tokens = layers.frame()
        wait(layers.device)
        began = time.perf_counter()
        put_frame(layers, memory, tokens, second)
        wait(layers.device)
        took.append(time.perf_counter() - began)
        memory.settle()
    tokens = layers.frame()
    began = time.perf_counter()
    for second in range(first + count, first + 2 * count):
        put_frame(layers, memory, tokens, second)
    memory.settle()
    wait(layers.device)
    rate = count / (time.perf_counter() - began)
    return {
        'step_ms': median(took) * 1e3,
        'slowest_step_ms': max(took) * 1e3,
        'steps_per_s': rate,
    }


def put_frame(layers: Layers, memory: Memory, tokens: Tensor, second: int) -> None:
    """Take a frame's tokens, [tokens_per_frame, hidden], into a memory."""
    view = memory.step([frame(second)])
    layers.layers.read(tokens, view)
    view.commit()


def wait(device: torch.device) -> None:
    """Wait until a GPU has done all it was given."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def _restart_peak(device: torch.device) -> None:
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)


def _allocated(device: torch.device) -> Mapping[str, int]:
    """Return the device's bytes of live tensors and the most there were since the restart."""
    if device.type != 'cuda':
        return {}
    return {
        'allocated_bytes': torch.cuda.memory_allocated(device),
        'most_allocated_bytes': torch.cuda.max_memory_allocated(device),
    }
