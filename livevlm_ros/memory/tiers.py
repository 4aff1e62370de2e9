# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a memory holds, tier by tier, and what its budgets come to for a model and its cameras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from livevlm_ros.memory.archive.archive import Archive, index_bytes
from livevlm_ros.memory.archive.record import RecordLayout
from livevlm_ros.memory.archive.room import disk_for, ram_for
from livevlm_ros.memory.config import (
    FULL_FIRST_FRAMES,
    PREFIX_POSITIONS,
    RESERVED_POSITIONS,
    MemoryConfig,
)
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
    budget = config.long_term_frames * shape.tokens_per_frame // len(cameras)
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
    folder = Path(config.path) if config.path else None
    host_bytes, restored_bytes = ram_for(config.archive_host_bytes)
    indexed = host_bytes // 2 // index_bytes(layout, sketched)  # frames, by half of the RAM
    return Archive(
        ids,
        layout,
        lanes=lanes,
        sketched=sketched,
        host_bytes=host_bytes,
        restored_bytes=restored_bytes,
        disk_bytes=disk_for(config.archive_disk_bytes, folder, most=indexed * layout.record_bytes),
        folder=folder,
        device=device,
    )


def archive_layout(
    config: MemoryConfig, shape: CacheShape, settings: RetrievalSettings
) -> tuple[RecordLayout, tuple[int, ...] | None]:
    """Return how an archive lays out a frame, and the layers that it sketches; None: by means."""
    page_tokens = settings.page_tokens
    if config.finds_frames:
        page_tokens = shape.tokens_per_frame
    layout = RecordLayout(shape, page_tokens, config.archive_bits)
    return layout, settings.layers(shape) if config.retrieval == 'tokens' else None


def lane_frames(config: MemoryConfig, shape: CacheShape, cameras: int) -> int:
    """
    Return the most frames that a camera's lane of short-term holds: an equal share of the budget.

    :raises ValueError: if that is less than one, or the model has no positions for all of them
    """
    if not cameras:
        raise ValueError('the memory needs at least one camera')
    positions = shape.max_positions - reserved_positions(shape, cameras)
    if config.preset == 'full':
        total = min(positions, config.full_max_tokens) // shape.tokens_per_frame
        budget = f'{min(positions, config.full_max_tokens)} tokens of full'
    else:
        total = config.short_term_frames
        budget = f'short_term_frames = {total}'
        if total * shape.tokens_per_frame > positions:
            raise ValueError(
                f'{budget} needs {total * shape.tokens_per_frame} tokens, '
                f'the model has {positions} positions for frames'
            )
    if total // cameras < 1:
        raise ValueError(f'{budget}: less than one frame for each of {cameras} cameras')
    return total // cameras


def view_tokens(config: MemoryConfig, tiers: Tiers, cameras: int) -> tuple[int, int]:
    """
    Return the most tokens that a step and a question read, each with its own.

    :raises ValueError: if the model has not as many positions
    """
    shape = tiers.shape
    ring = lane_frames(config, shape, cameras) * cameras
    beside = reserved_positions(shape, cameras)
    step = ring * shape.tokens_per_frame + sum(lane.capacity for lane in tiers.long_term)
    question = (ring + config.retrieval_frames) * shape.tokens_per_frame
    if max(step + beside, question + RESERVED_POSITIONS) > shape.max_positions:
        raise ValueError(
            f'short_term_frames, long_term_frames and retrieval_frames need {step} tokens for a '
            f'step and {question} for a question, the model has {shape.max_positions} positions, '
            f'{beside} of them kept free'
        )
    return step + beside, question + RESERVED_POSITIONS


def reserved_positions(shape: CacheShape, cameras: int) -> int:
    """Return those beside the frames: prefix, then question and answer, or a frame a camera."""
    return max(RESERVED_POSITIONS, PREFIX_POSITIONS + cameras * shape.tokens_per_frame)
