# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an engine has once it is loaded: model, memory, thumbnails, snapshots, costs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from livevlm_ros.engine import changes
from livevlm_ros.engine.album import Album, Picture
from livevlm_ros.engine.budget import Costs
from livevlm_ros.engine.config import EngineConfig
from livevlm_ros.engine.contents import Contents, ModelMark
from livevlm_ros.engine.events import EventKind, Events
from livevlm_ros.engine.horizon import Horizon
from livevlm_ros.engine.shortage import Shortages, out_of_memory
from livevlm_ros.engine.snapshots import Snapshots, check_folder
from livevlm_ros.engine.static_tokens import StaticTokens
from livevlm_ros.engine.stats import ModelStats, TokenCounts
from livevlm_ros.engine.timeline import Timeline
from livevlm_ros.engine.warmup import warm_up
from livevlm_ros.memory import (
    CacheShape,
    EvidenceHeads,
    Freed,
    Memory,
    ReadFilter,
    RetrievalSettings,
)
from livevlm_ros.memory.folder_lock import FolderLock
from livevlm_ros.model import ModelConfig, VideoLanguageModel

LoadModel = Callable[[ModelConfig], VideoLanguageModel]
Progress = Callable[[str, float], None]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineParts:
    """The parts the engine thread works with; without `static` every token is read."""

    model: VideoLanguageModel
    memory: Memory
    album: Album
    snapshots: Snapshots
    timeline: Timeline
    costs: Costs
    shortages: Shortages
    horizon: Horizon
    events: Events
    pose_frame: str
    folder: FolderLock
    load_s: float
    static: StaticTokens | None = None

    def model_stats(self) -> ModelStats:
        """Say what is loaded, and what work costs now."""
        model, costs_ms = self.model, self.costs.in_ms()
        return ModelStats(
            model_id=model.model_id,
            dtype=str(model.dtype).removeprefix('torch.'),
            weights=model.types,
            weight_bytes=model.weight_bytes,
            device=str(model.device),
            parameters=model.parameters,
            load_s=self.load_s,
            warm_up_ms=costs_ms,
            costs_ms=costs_ms,
        )

    @property
    def tokens(self) -> TokenCounts:
        """How many tokens of frames were read; nobody counts where all are."""
        return TokenCounts() if self.static is None else self.static.counts

    def mark_strange(self, keys: Sequence[str]) -> None:
        """Note frames unlike those that the checkpoint was calibrated on, and tell of it once."""
        self.album.mark_strange(keys)
        mostly = self.album.mostly_strange(self.memory.frame_count)
        if mostly and not self.album.told:
            self.album.told = True
            _log.warning(
                'most pictures in the memory are outside what %s knows: what it says of them has '
                'no confidence; load weights for such pictures',
                self.model.model_id,
            )

    def show_newest(self) -> None:
        """Show the newest frame of each camera that the memory holds, as after a restore."""
        for ref in self.memory.refs():
            if jpeg := self.album.get(ref.key):
                stamp_ns = self.timeline.header_ns(ref.stamp_ns)
                self.album.show(ref.camera, Picture(ref.key, stamp_ns, jpeg))

    def clear(self, why: str) -> Future[Freed]:
        """
        Forget every frame.

        :param why: for people
        """
        self.album.clear()
        freed = self.memory.clear()
        self.snapshots.note(changes.clearing(self.timeline))
        return self._forgotten(freed, why)

    def forget(self, reading: ReadFilter, why: str) -> Future[Freed]:
        """
        Forget the frames that a filter lets be read.

        :param why: for people
        """
        freed = self.memory.forget(reading)
        self.album.keep_only([ref.key for ref in self.memory.refs()])
        self.snapshots.note(changes.forgetting(reading, self.timeline))
        return self._forgotten(freed, why)

    def _forgotten(self, freed: Future[Freed], why: str) -> Future[Freed]:
        """Spare snapshots what is forgotten, and tell of it once nothing is left."""
        self._look_anew()
        self.snapshots.forgot(freed)
        freed.add_done_callback(
            lambda done: self.events.tell(
                EventKind.CLEARED, detail=why, value=done.result().tokens
            )
        )
        return freed

    def _look_anew(self) -> None:
        """Read the next frame of each camera whole: what was read may be gone."""
        if self.static is not None:
            self.static.clear()

    def close(self) -> None:
        """Give back memory and folder, whatever fails; nothing may follow."""
        with ExitStack() as last_first:
            last_first.callback(self.folder.release)
            last_first.callback(self.memory.close)
            last_first.callback(self.snapshots.close)

    def over(self, contents: Contents, config: EngineConfig) -> EngineParts:
        """Return the same parts over another memory, which is saved from now on."""
        self.snapshots.go_on_with(contents)
        self.costs.length_of = partial(_length_of, config, contents.memory, self.model.shape)
        self._look_anew()
        return replace(self, memory=contents.memory, album=contents.album)


@torch.inference_mode()
def build_parts(
    config: EngineConfig,
    timeline: Timeline | None = None,
    events: Events | None = None,
    *,
    load: LoadModel,
    progress: Progress,
) -> EngineParts:
    """
    Load the weights, measure what work costs, write the prefix into a memory, restore the rest.

    :param timeline: the memory's time, restored with it; None: one of its own
    :param events: told of what happens to the memory; None: of its own
    :param progress: called with what happens next and the share done, [0, 1]
    :raises CheckpointError: for weights that cannot be used
    :raises ValueError: for a memory that cannot be built for this model, a device without room
        for both, a folder that another process uses or that cannot hold its snapshot, or a
        snapshot that cannot be read now
    """
    if config.snapshot:
        check_folder(Path(config.memory.path))
    with ExitStack() as unless_built:
        folder = FolderLock(config.memory.path)
        unless_built.callback(folder.release)
        try:
            parts = _built(
                config, timeline or Timeline(), events or Events(), folder, load, progress
            )
        except torch.OutOfMemoryError as error:
            raise ValueError(
                f'device {config.model.device!r} has no room for model and memory: '
                f'{out_of_memory(error)}'
            ) from error
        unless_built.pop_all()
        return parts


def _built(
    config: EngineConfig,
    timeline: Timeline,
    events: Events,
    folder: FolderLock,
    load: LoadModel,
    progress: Progress,
) -> EngineParts:
    started = time.monotonic()
    progress('weights', 0.0)
    model = load(config.model)
    progress('warm-up', 0.6)
    costs = _measured(config, model)
    progress('memory', 0.9)
    memory, album, snapshots = _restored(config, model, timeline, events)
    costs.length_of = partial(_length_of, config, memory, model.shape)
    horizon = Horizon.of(memory.sizes().room, config)
    progress('ready', 1.0)
    parts = EngineParts(
        model,
        memory,
        album,
        snapshots,
        timeline,
        costs,
        Shortages(events),
        horizon,
        events,
        config.pose_frame,
        folder,
        load_s=time.monotonic() - started,
        static=_static(config, model),
    )
    parts.show_newest()
    return parts


def _length_of(
    config: EngineConfig, memory: Memory, shape: CacheShape, reading: ReadFilter
) -> int:
    """Return how many tokens of the memory a question reads at most now; any thread."""
    share = reading.share if reading.long_term else 0.0
    return config.memory.frames_read(memory.frame_count, share=share) * shape.tokens_per_frame


def _static(config: EngineConfig, model: VideoLanguageModel) -> StaticTokens | None:
    if config.skip_static == 'none':
        return None
    whole = config.skip_static == 'frames'
    return StaticTokens(model.image, whole=whole, heartbeat_s=config.gate_heartbeat_s)


def _measured(config: EngineConfig, model: VideoLanguageModel) -> Costs:
    """Measure what work costs in a scratch memory, which is gone when this returns."""
    with closing(new_memory(config, model)) as scratch:
        return warm_up(model, scratch, cameras=config.cameras, frames=config.memory.frames_to_read)


def _restored(
    config: EngineConfig, model: VideoLanguageModel, timeline: Timeline, events: Events
) -> tuple[Memory, Album, Snapshots]:
    """Build what remembers, as it was saved or else empty."""
    with ExitStack() as unless_used:
        memory, album = new_memory(config, model), Album()
        unless_used.callback(memory.close)
        contents = Contents(memory, album, timeline, ModelMark(model))
        snapshots = Snapshots(config, contents, events)
        unless_used.callback(snapshots.close)
        if snapshots.restore():
            unless_used.pop_all()
            return memory, album, snapshots
    memory, album, anew = _restored(config, model, timeline, events)  # what was refused is renamed
    anew.begin_empty(snapshots)
    return memory, album, anew


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
