# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the budgets of a configuration come to for one model and its cameras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from livevlm_ros.memory.archive import Archive
from livevlm_ros.memory.config import PREFIX_POSITIONS, RESERVED_POSITIONS, MemoryConfig
from livevlm_ros.memory.naming import TokenNames
from livevlm_ros.memory.pages import most_pages
from livevlm_ros.memory.recall import Recall
from livevlm_ros.memory.retrieval import RetrievalSettings
from livevlm_ros.memory.shape import CacheShape


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


def reserved_positions(shape: CacheShape, cameras: int) -> int:
    """Return those beside the frames: prefix, then question and answer, or a frame a camera."""
    return max(RESERVED_POSITIONS, PREFIX_POSITIONS + cameras * shape.tokens_per_frame)


def new_archive(
    config: MemoryConfig, shape: CacheShape, *, cameras: int, page_tokens: int
) -> Archive | None:
    """
    Return an empty archive, None if the configuration has none.

    :raises ValueError: as `Archive`
    """
    if not config.archive_bits:
        return None
    return Archive(
        shape,
        lanes=cameras,
        page_tokens=page_tokens,
        bits=config.archive_bits,
        host_bytes=config.archive_host_bytes,
        disk_bytes=config.archive_disk_bytes,
        folder=Path(config.path) if config.path else None,
    )


def new_recall(
    config: MemoryConfig,
    shape: CacheShape,
    settings: RetrievalSettings,
    archive: Archive | None,
    names: TokenNames,
    *,
    page_tokens: int,
    device: torch.device,
    dtype: torch.dtype,
) -> Recall | None:
    """Return what questions read the archive through, None without one."""
    if archive is None:
        return None
    pages = most_pages(config, page_tokens=page_tokens, frame_tokens=shape.tokens_per_frame)
    return Recall(
        archive,
        shape,
        settings,
        names,
        pages=pages if config.fetches_ahead else 0,
        page_tokens=page_tokens,
        tau=config.tau,
        device=device,
        dtype=dtype,
    )


def identity(
    config: MemoryConfig,
    shape: CacheShape,
    cameras: Sequence[str],
    *,
    dtype: torch.dtype,
    page_tokens: int,
) -> dict[str, Any]:
    """Return what two memories have in common of which one can hold what the other held."""
    archived = {'page_tokens': page_tokens} if config.archive_bits else {}
    return {
        **asdict(shape),
        'cameras': list(cameras),
        'dtype': str(dtype).removeprefix('torch.'),
        'short_term_frames': lane_frames(config, shape, len(cameras)) * len(cameras),
        'long_term_frames': config.long_term_frames,
        'archive_bits': config.archive_bits,
        **archived,
    }
