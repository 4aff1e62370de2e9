# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an engine has once it is loaded: model, memory, thumbnails, snapshots, costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import torch

from livevlm_ros.engine.album import Album
from livevlm_ros.engine.budget import Costs
from livevlm_ros.engine.config import EngineConfig
from livevlm_ros.engine.horizon import Horizon
from livevlm_ros.engine.shortage import Shortages, out_of_memory
from livevlm_ros.engine.snapshots import Snapshots, check_folder, check_ram
from livevlm_ros.engine.warmup import warm_up
from livevlm_ros.memory import EvidenceHeads, Memory, RetrievalSettings
from livevlm_ros.model import ModelConfig, VideoLanguageModel

LoadModel = Callable[[ModelConfig], VideoLanguageModel]
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class EngineParts:
    """The parts the engine thread works with."""

    model: VideoLanguageModel
    memory: Memory
    album: Album
    snapshots: Snapshots
    costs: Costs
    shortages: Shortages
    horizon: Horizon
    load_s: float

    def forget(self) -> int:
        """Forget every frame; return how many."""
        self.album.clear()
        return self.memory.clear()


@torch.inference_mode()
def build_parts(config: EngineConfig, *, load: LoadModel, progress: Progress) -> EngineParts:
    """
    Load the weights, measure what work costs, write the prefix into a memory, restore the rest.

    :param progress: called with what happens next and the share done, [0, 1]
    :raises CheckpointError: for weights that cannot be used
    :raises ValueError: for a memory that cannot be built for this model, a device without room
        for both, a folder that cannot hold its snapshot, or a snapshot that cannot be read now
    """
    if config.snapshot:
        check_folder(Path(config.memory.path))
        check_ram(config.memory.archive_disk_bytes if config.memory.archive_bits else 0)
    try:
        return _built(config, load, progress)
    except torch.OutOfMemoryError as error:
        raise ValueError(
            f'device {config.model.device!r} has no room for model and memory: '
            f'{out_of_memory(error)}'
        ) from error


def _built(config: EngineConfig, load: LoadModel, progress: Progress) -> EngineParts:
    started = time.monotonic()
    progress('weights', 0.0)
    model = load(config.model)
    progress('warm-up', 0.6)
    costs = _measured(config, model)
    progress('memory', 0.9)
    memory, album, snapshots = _restored(config, model)
    horizon = Horizon.of(memory.sizes().room, config)
    progress('ready', 1.0)
    load_s = time.monotonic() - started
    return EngineParts(model, memory, album, snapshots, costs, Shortages(), horizon, load_s)


def _measured(config: EngineConfig, model: VideoLanguageModel) -> Costs:
    """Measure what work costs in a scratch memory, which is gone when this returns."""
    costs = Costs()
    with closing(new_memory(config, model)) as scratch:
        warm_up(
            model,
            scratch,
            costs,
            cameras=config.cameras,
            frames=config.memory.frames_to_read,
        )
    return costs


def _restored(config: EngineConfig, model: VideoLanguageModel) -> tuple[Memory, Album, Snapshots]:
    """Build what remembers, as it was saved or else empty."""
    with ExitStack() as unless_used:
        memory, album = new_memory(config, model), Album()
        unless_used.callback(memory.close)
        snapshots = Snapshots(config, model, memory, album)
        if snapshots.restore():
            unless_used.pop_all()
            return memory, album, snapshots
    return _restored(config, model)  # what was refused has another name now


def new_memory(config: EngineConfig, model: VideoLanguageModel) -> Memory:
    """Build a memory that holds the model's prefix and no frame."""
    retrieval = RetrievalSettings.from_settings(model.memory_settings, model.shape)
    memory = Memory(
        config.memory,
        model.shape,
        config.cameras,
        model.device,
        model.dtype,
        EvidenceHeads.from_settings(model.memory_settings, model.shape, retrieval.heads),
        retrieval,
    )
    with memory.write_prefix() as view:
        model.read(model.prefix(), view)
    return memory
