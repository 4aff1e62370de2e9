# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a memory holds, tier by tier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from livevlm_ros.memory.archive.archive import Archive
from livevlm_ros.memory.archive.record import RecordLayout
from livevlm_ros.memory.budgets import archive_bytes, archive_pages, lane_budget, lane_frames
from livevlm_ros.memory.config import FULL_FIRST_FRAMES, MemoryConfig
from livevlm_ros.memory.long_term import LongTerm
from livevlm_ros.memory.settings import RetrievalSettings
from livevlm_ros.memory.shape import CacheShape, FrameRef
from livevlm_ros.memory.short_term import ShortTerm
from livevlm_ros.memory.tokens import TokenIds
from livevlm_ros.memory.views.rotary import RotaryTable

FORGET_EVERY = 256
"""Frames between two looks for frames of which no token is left, whose references then go."""

LOOKED_AT_ONCE = 512
"""References that a step looks at."""


@dataclass(slots=True)
class Tiers:
    """
    What one memory holds.

    :param prefix_keys: before rotary, [layers, kv_heads, prefix tokens, head_dim]
    :param prefix_values: shaped like `prefix_keys`
    :param refs: every frame of which the memory holds a token, by id, in the order they came
    :param forget_at: how many of them there must be for a look at which of them have no token left
    :param unlooked: ids of those that the look has yet to come to
    """

    shape: CacheShape
    ids: TokenIds
    short_term: ShortTerm
    long_term: Sequence[LongTerm]
    archive: Archive | None
    rotary: RotaryTable
    prefix_keys: Tensor
    prefix_values: Tensor
    refs: dict[int, FrameRef] = field(default_factory=dict)
    forget_at: int = FORGET_EVERY
    unlooked: list[int] = field(default_factory=list)

    def clear(self) -> None:
        """Forget every frame but those of the archive, keep the prefix."""
        self.short_term.clear()
        for lane in self.long_term:
            lane.clear()
        self.refs.clear()
        self.ids.clear()
        self.forget_at, self.unlooked = FORGET_EVERY, []

    @property
    def prefix_tokens(self) -> int:
        """Tokens of the prefix."""
        return self.prefix_keys.shape[2]


def new_tiers(
    config: MemoryConfig,
    shape: CacheShape,
    cameras: Sequence[str],
    settings: RetrievalSettings,
    like: Tensor,
) -> Tiers:
    """
    Build what a configuration asks for, empty.

    :param settings: how pages are found
    :param like: of the device and type of keys and values
    :raises ValueError: if a lane would hold no frame, or a budget is too small or too large
    """
    ids = TokenIds(cameras, shape.tokens_per_frame)
    frames = lane_frames(config, shape, len(cameras))
    slots = frames * len(cameras)
    budget = lane_budget(config, shape, len(cameras))
    where: dict[str, Any] = {'device': like.device, 'dtype': like.dtype}
    archive = None
    if config.archive_bits:
        archive = _new_archive(config, shape, ids, len(cameras), settings, like.device)
    nothing = like.new_empty(shape.layers, shape.kv_heads, 0, shape.head_dim)
    return Tiers(
        shape=shape,
        ids=ids,
        short_term=ShortTerm(
            shape,
            cameras,
            ids,
            lane_frames=frames,
            slots=min(slots, FULL_FIRST_FRAMES) if config.preset == 'full' else slots,
            **where,
        ),
        long_term=[
            LongTerm(
                shape,
                budget=budget,
                page_tokens=settings.page_tokens,
                whole_pages=archive is not None or shape.whole_frames,
                eviction=config.eviction,
                **where,
            )
            for _ in (cameras if budget else ())
        ],
        archive=archive,
        rotary=RotaryTable(shape, **where),
        prefix_keys=nothing,
        prefix_values=nothing,
    )


def _new_archive(
    config: MemoryConfig,
    shape: CacheShape,
    ids: TokenIds,
    lanes: int,
    settings: RetrievalSettings,
    device: torch.device,
) -> Archive:
    layout, sketched = archive_layout(config, shape, settings)
    host_bytes, restored_bytes, disk_bytes = archive_bytes(config, layout, sketched)
    return Archive(
        ids,
        layout,
        lanes=lanes,
        sketched=sketched,
        host_bytes=host_bytes,
        restored_bytes=restored_bytes,
        disk_bytes=disk_bytes,
        folder=Path(config.path) if config.path else None,
        device=device,
    )


def archive_layout(
    config: MemoryConfig, shape: CacheShape, settings: RetrievalSettings
) -> tuple[RecordLayout, tuple[int, ...] | None]:
    """Return how an archive lays out a frame, and the layers that it sketches; None: by means."""
    page_tokens, sketched = archive_pages(config, shape, settings)
    return RecordLayout(shape, page_tokens, config.archive_bits), sketched
