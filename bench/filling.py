# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Memories full of frames that nobody has seen: random keys and values, kept as those of a step are.

Short-term, bucketing and archive do their whole work. The frames do not go through the language
layers, which takes hours at this length: what they attended to is not looked at, so no token
has a score and bucketing keeps the earliest as sinks, the rest evenly over time. That decides
which tokens stay, not how many, and not how they are found.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from livevlm_bench.one_camera import CAMERA, fill
from livevlm_bench.timed_layers import Language
from livevlm_ros.memory import EvidenceHeads, Memory, MemoryConfig, RetrievalSettings
from livevlm_ros.memory.archive.costs import LEAST_FRAMES, index_bytes
from livevlm_ros.memory.shape import CacheShape
from livevlm_ros.memory.tiers import archive_layout

AUTHORS_REKV = 'rekv-authors'
"""ReKV as its authors run it: their window, only the frames found are read, two passes."""


def memory_config(name: str) -> MemoryConfig:
    """Return the memory of a row: a preset, or `AUTHORS_REKV`."""
    if name == AUTHORS_REKV:
        return MemoryConfig('rekv', short_term_frames=76, retrieval='frames-only')
    return MemoryConfig(name)


def archive_in_ram(
    config: MemoryConfig, shape: CacheShape, retrieval: RetrievalSettings, *, frames: int
) -> MemoryConfig:
    """Give one camera's archive RAM for so many frames."""
    record, index = frame_bytes(config, shape, retrieval)
    return replace(config, archive_host_bytes=max(frames, LEAST_FRAMES) * (record + index))


def archive_on_disk(
    config: MemoryConfig,
    shape: CacheShape,
    retrieval: RetrievalSettings,
    *,
    frames: int,
    folder: str,
) -> MemoryConfig:
    """Give one camera's archive as little RAM as it can work with, and disk for so many frames."""
    record, index = frame_bytes(config, shape, retrieval)
    return replace(
        config,
        archive_host_bytes=LEAST_FRAMES * (record + index) + frames * index,
        archive_disk_bytes=frames * record,
        path=folder,
    )


def frame_bytes(
    config: MemoryConfig, shape: CacheShape, retrieval: RetrievalSettings
) -> tuple[int, int]:
    """Return the bytes of an archived frame's record, and of what goes with it in RAM."""
    layout, sketched = archive_layout(config, shape, retrieval)
    return layout.record_bytes, index_bytes(layout, sketched)


def empty(language: Language, *, preset: str, archive_frames: int) -> Memory:
    """
    Build a memory of a row's name, with the model's prefix and RAM for so many frames.

    :returns: the memory, to be closed by the caller
    """
    shape = language.shape
    retrieval = RetrievalSettings.from_settings(language.settings, shape)
    memory = Memory(
        archive_in_ram(memory_config(preset), shape, retrieval, frames=archive_frames),
        shape,
        (CAMERA,),
        dtype=language.dtype,
        evidence=EvidenceHeads.from_settings(language.settings, shape, retrieval.heads),
        retrieval=retrieval,
    )
    with torch.inference_mode(), memory.write_prefix() as view:
        language.read(language.prefix, view)
    return memory


def filled(language: Language, *, preset: str, frames: int) -> Memory:
    """
    Build a memory that has seen so many frames, 1 s apart, and keeps what its preset does.

    :returns: the memory, to be closed by the caller
    """
    memory = empty(language, preset=preset, archive_frames=frames)
    torch.manual_seed(frames)
    fill(memory, range(frames))
    return memory
