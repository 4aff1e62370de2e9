# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Memories full of frames that nobody has seen: random keys and values, kept as those of a step are.

Short-term, bucketing and archive do their whole work. Left out is the frames' own way through the
language layers, hours of it at this length: what they attended to is not looked at, so no token
has a score and bucketing keeps the earliest as sinks, the rest evenly over time. That decides
which tokens stay, not how many, and not how they are found.
"""

from __future__ import annotations

import torch

from livevlm_bench.language import Language
from livevlm_ros.memory import EvidenceLayers, FrameRef, Memory, MemoryConfig, RetrievalSettings

CAMERA = 'camera'
CLIP = 8
"""Frames that are stored together."""

SCALE_BITS = 2
"""Upper bound of what scales of the archive add to each number below 16 bits."""

ROW_BYTES = 128
"""Upper bound of what the archive's table takes of a token in a layer."""


def archive_bytes(language: Language, *, bits: int, frames: int) -> int:
    """Return RAM in which an archive holds so many frames whole, with a little to spare."""
    shape = language.shape
    numbers = shape.token_bytes(1)
    token_bytes = numbers * (bits + SCALE_BITS) // 8 + shape.layers * ROW_BYTES
    return token_bytes * shape.tokens_per_frame * (frames + 2 * CLIP)


@torch.inference_mode()
def filled(language: Language, *, preset: str, frames: int) -> Memory:
    """
    Build a memory as the preset has it, with the model's prefix and so many frames, 1 s apart.

    :returns: the memory, to be closed by the caller
    """
    config = MemoryConfig(preset)
    bits = config.archive_bits
    memory = Memory(
        MemoryConfig(preset, archive_host_bytes=archive_bytes(language, bits=bits, frames=frames)),
        language.shape,
        (CAMERA,),
        dtype=language.dtype,
        evidence=EvidenceLayers.from_settings(language.settings, language.shape),
        retrieval=RetrievalSettings.from_settings(language.settings),
    )
    with memory.write_prefix() as view:
        language.read(language.prefix, view)
    source = torch.Generator().manual_seed(frames)
    for first in range(0, frames, CLIP):
        refs = [
            FrameRef(CAMERA, stamp_ns=second * 10**9)
            for second in range(first, min(first + CLIP, frames))
        ]
        _store(memory, refs, language, source)
    memory.settle()
    return memory


def _store(
    memory: Memory, refs: list[FrameRef], language: Language, source: torch.Generator
) -> None:
    """Store frames as the commit of a step that has attended does."""
    shape = language.shape
    block = (shape.layers, shape.kv_heads, len(refs) * shape.tokens_per_frame, shape.head_dim)
    both = torch.randn(2, *block, generator=source).to(language.dtype)
    memory._keep(refs, *both)
