# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What an engine will need and hold, before anything is loaded: it imports no torch.

All numbers are worked out from the files beside the weights and the headers of those. What Python
and PyTorch take for themselves comes on top.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from livevlm_ros.engine.config import EngineConfig
from livevlm_ros.engine.horizon import Horizon, duration, size
from livevlm_ros.memory import MemoryPlan, RetrievalSettings
from livevlm_ros.model.config import ITEM_BYTES, ModelConfig
from livevlm_ros.model.folder import CheckpointError
from livevlm_ros.model.plan import ModelPlan


@dataclass(frozen=True, slots=True)
class Machine:
    """
    What there is room in.

    :param ram_bytes: free before the engine is loaded
    :param gpu_bytes: free on the GPU; None: not known
    """

    ram_bytes: int
    gpu_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class PresetPlan:
    """
    What a memory under a preset comes to, with its model.

    :param refused: why it cannot be built for this model; the rest is None then
    :param static_bytes: of what each camera showed last, where static tokens are not read again
    :param ram_bytes: of weights and memory, when the memory is full
    :param gpu_bytes: the same on the GPU
    :param needed_bytes: RAM of an archive that keeps everything for the hours that were asked for
    :param warnings: what does not fit, or is kept for less, and which parameter changes it
    """

    preset: str
    refused: str = ''
    memory: MemoryPlan | None = None
    horizon: Horizon | None = None
    static_bytes: int = 0
    ram_bytes: int = 0
    gpu_bytes: int = 0
    needed_bytes: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """All that is wrong with it, a line each."""
        return (self.refused,) if self.refused else self.warnings


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What a model needs and what a memory of it holds, by preset.

    :param frames: that the cameras give in the hours that were asked for
    :param frames_per_hour: of all cameras
    :param token_bytes: of a token's keys and values on the device
    :param loading_bytes: most RAM while the weights are loaded
    """

    model: ModelPlan
    machine: Machine
    frames: int
    frames_per_hour: float
    token_bytes: int
    loading_bytes: int
    presets: tuple[PresetPlan, ...]
    warnings: tuple[str, ...]


def make_plan(
    configs: Sequence[EngineConfig], folder: Path, machine: Machine, *, hours: float
) -> Plan:
    """
    Work out what configurations come to that differ in their memory alone.

    :param configs: at least one
    :param folder: of their model
    :param hours: for which everything seen shall be kept
    :raises CheckpointError: naming what is wrong with a file of the folder
    :raises ValueError: for a `memory.yaml` that does not fit the model
    """
    config = configs[0]
    model = ModelPlan.of(folder, config.model.image_tokens)
    if config.model.layer_bits and model.low_bits_refused:
        raise CheckpointError(model.low_bits_refused)
    retrieval = RetrievalSettings.from_settings(model.memory_settings, model.shape)
    frames_per_hour = 3600 * config.target_fps * len(config.cameras)
    frames = round(hours * frames_per_hour)
    return Plan(
        model=model,
        machine=machine,
        frames=frames,
        frames_per_hour=frames_per_hour,
        token_bytes=model.shape.token_bytes(ITEM_BYTES[config.model.number]),
        loading_bytes=model.loading_bytes(config.model),
        presets=tuple(_of_preset(each, model, retrieval, machine, frames) for each in configs),
        warnings=tuple(_too_large(model, config.model, machine)),
    )


def _of_preset(
    config: EngineConfig,
    model: ModelPlan,
    retrieval: RetrievalSettings,
    machine: Machine,
    frames: int,
) -> PresetPlan:
    on_gpu = config.model.device != 'cpu'
    number = config.model.number
    weights = model.weight_bytes(number, config.model.layer_bits)
    try:
        memory = MemoryPlan.of(
            config.memory,
            model.shape,
            cameras=len(config.cameras),
            retrieval=retrieval,
            itemsize=ITEM_BYTES[number],
            free_bytes=max(0, machine.ram_bytes - (0 if on_gpu else weights)),
        )
    except ValueError as error:
        return PresetPlan(config.memory.preset, refused=str(error))
    shown = len(config.cameras) * model.image_numbers * ITEM_BYTES['float32']
    static_bytes = 0 if config.skip_static == 'none' else shown
    beside = weights + memory.device_bytes + memory.read_bytes + static_bytes
    ram_bytes = memory.archive_bytes + (0 if on_gpu else beside)
    gpu_bytes = beside if on_gpu else 0
    older = max(0, frames - memory.room.device_frames)
    needed = older * memory.ram_frame_bytes
    horizon = Horizon.of(memory.room, config)
    warnings = [
        *_too_full(ram_bytes, machine.ram_bytes, 'RAM', config),
        *_too_full(gpu_bytes, machine.gpu_bytes, 'GPU memory', config),
    ]
    if memory.room.archive is not None and memory.room.frames < frames:
        asked = duration(frames / config.target_fps / len(config.cameras))
        warnings.append(
            f'everything seen is kept for {duration(horizon.seconds)} of {asked}, then the oldest '
            f'frames are thinned: set memory.archive_host_bytes to {needed} ({size(needed)}) or '
            'memory.archive_disk_bytes, or lower memory.archive_bits or ingest.target_fps'
        )
    return PresetPlan(
        config.memory.preset,
        memory=memory,
        horizon=horizon,
        static_bytes=static_bytes,
        ram_bytes=ram_bytes,
        gpu_bytes=gpu_bytes,
        needed_bytes=needed,
        warnings=tuple(warnings),
    )


def _too_full(needed: int, free: int | None, where: str, config: EngineConfig) -> Iterator[str]:
    """Say that weights and memory do not fit."""
    if free is None or needed <= free:
        return
    smaller = 'memory.short_term_frames, memory.long_term_frames or retrieval.frames'
    if config.memory.preset == 'full':
        smaller = 'memory.full_max_tokens'
    yield (
        f'weights and memory need {size(needed)} of {where}, {size(free)} are free: lower '
        f'{smaller}, or take a smaller model'
    )


def _too_large(model: ModelPlan, config: ModelConfig, machine: Machine) -> Iterator[str]:
    """Say where the weights alone do not fit."""
    loading = model.loading_bytes(config)
    if loading > machine.ram_bytes:
        smaller = ['take a smaller model']
        if config.layer_bits != 4 and not model.low_bits_refused:
            fewer = 'int4' if config.layer_bits else 'int8 or int4'
            smaller.insert(0, f'set model.weights to {fewer}')
        if config.layer_bits is None and config.number != model.stored:
            stored = f'set model.dtype to {model.stored}, in which the weights are stored'
            smaller.insert(0, stored)
        yield (
            f'loading takes up to {size(loading)} of RAM, {size(machine.ram_bytes)} are free: '
            f'{", or ".join(smaller)}'
        )
