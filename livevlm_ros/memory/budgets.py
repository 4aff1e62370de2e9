# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What budgets come to for a model and its cameras, in frames and tokens. It needs no torch."""

from __future__ import annotations

from pathlib import Path

from livevlm_ros.memory.archive.costs import RecordSize, index_bytes
from livevlm_ros.memory.archive.room import disk_for, ram_for
from livevlm_ros.memory.config import PREFIX_POSITIONS, RESERVED_POSITIONS, MemoryConfig
from livevlm_ros.memory.settings import RetrievalSettings, page_of
from livevlm_ros.memory.shape import CacheShape

MOST_FRAMES_BETWEEN = 8
"""Most frames that arrive between two bucketings: a clip of LiveVLM's lineage."""

BUDGET_PER_FRAME_BETWEEN = 8
"""Frames' worth of budget for each of them: the room beside the budget is an eighth of it."""


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


def long_term_capacity(
    config: MemoryConfig, shape: CacheShape, settings: RetrievalSettings, cameras: int
) -> int:
    """Return the tokens that all lanes of long-term have room for."""
    budget = lane_budget(config, shape, cameras) // settings.page_tokens * settings.page_tokens
    if not config.long_term_frames:
        return 0
    return cameras * lane_capacity(budget, tokens_per_frame=shape.tokens_per_frame)


def lane_budget(config: MemoryConfig, shape: CacheShape, cameras: int) -> int:
    """Return the tokens that bucketing keeps of a camera: an equal share of the budget."""
    return config.long_term_frames * shape.tokens_per_frame // cameras


def lane_capacity(budget: int, *, tokens_per_frame: int) -> int:
    """Return the tokens that a lane of long-term has room for: budget and newcomers."""
    return budget + tokens_per_frame * frames_between(budget, tokens_per_frame=tokens_per_frame)


def frames_between(budget: int, *, tokens_per_frame: int) -> int:
    """Return how many frames arrive between two bucketings to a budget of so many tokens."""
    eighth = -(-budget // (BUDGET_PER_FRAME_BETWEEN * tokens_per_frame))  # rounded up
    return min(max(eighth, 1), MOST_FRAMES_BETWEEN)


def page_settings(
    config: MemoryConfig, shape: CacheShape, settings: RetrievalSettings | None
) -> RetrievalSettings:
    """Return how pages are found: as the checkpoint says, if it does, but for whole frames."""
    if config.finds_frames:
        return RetrievalSettings(shape.tokens_per_frame)
    return settings or RetrievalSettings(page_of(shape))


def archive_pages(
    config: MemoryConfig, shape: CacheShape, settings: RetrievalSettings
) -> tuple[int, tuple[int, ...] | None]:
    """Return the tokens of an archived page, and the layers that are sketched; None: by means."""
    page_tokens = shape.tokens_per_frame if config.finds_frames else settings.page_tokens
    return page_tokens, settings.layers(shape) if config.retrieval == 'tokens' else None


def archive_bytes(
    config: MemoryConfig,
    size: RecordSize,
    sketched: tuple[int, ...] | None,
    *,
    free_bytes: int | None = None,
) -> tuple[int, int, int]:
    """
    Return the bytes of RAM that an archive may take, those for what it restores, and of disk.

    :param free_bytes: RAM that is free when it is built; None: now, on this machine
    :raises ValueError: as `disk_for`
    """
    host_bytes, restored_bytes = ram_for(config.archive_host_bytes, free=free_bytes)
    indexed = host_bytes // 2 // index_bytes(size, sketched)  # frames, by half of the RAM
    folder = Path(config.path) if config.path else None
    disk_bytes = disk_for(config.archive_disk_bytes, folder, most=indexed * size.record_bytes)
    return host_bytes, restored_bytes, disk_bytes


def view_tokens(
    config: MemoryConfig, shape: CacheShape, cameras: int, *, long_term: int
) -> tuple[int, int]:
    """
    Return the most tokens that a step and a question read, each with its own.

    :param long_term: tokens that it has room for
    :raises ValueError: if the model has not as many positions
    """
    ring = lane_frames(config, shape, cameras) * cameras
    beside = reserved_positions(shape, cameras)
    step = ring * shape.tokens_per_frame + long_term
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
