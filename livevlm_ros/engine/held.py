# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames as the memory holds them, for whoever looks into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from livevlm_ros.engine.messages import Evidence, Source

if TYPE_CHECKING:
    from livevlm_ros.engine.parts import EngineParts
    from livevlm_ros.memory import FrameRef


@dataclass(frozen=True, slots=True)
class HeldFrame(Evidence):
    """
    A frame, and how many of its tokens each tier holds.

    `score` is how much a question wants it, [0, 1] of the best; 0 where nothing was asked. Tokens
    of long-term are in the archive, too, where there is one.
    """

    short_term_tokens: int = 0
    long_term_tokens: int = 0
    archive_tokens: int = 0


def held_frames(
    parts: EngineParts,
    scores: Sequence[tuple[FrameRef, float]],
    *,
    attach_images: bool,
) -> tuple[HeldFrame, ...]:
    """
    Say where tokens of frames are; in the engine thread.

    :param scores: frames, and what a question gives each
    """
    held = parts.memory.holds([ref for ref, _ in scores])
    counts = {tier: of_frames.sum(1).tolist() for tier, of_frames in held.items()}
    none = [0] * len(scores)
    return tuple(
        HeldFrame(
            camera=ref.camera,
            stamp_ns=parts.timeline.header_ns(ref.stamp_ns),
            frame_id=ref.frame_id,
            frame_key=ref.key,
            score=score,
            source=Source.SHORT_TERM if counts['short-term'][place] else Source.LONG_TERM,
            thumbnail_jpeg=parts.album.get(ref.key) if attach_images else b'',
            pose=ref.pose_in(parts.pose_frame),
            short_term_tokens=counts['short-term'][place],
            long_term_tokens=counts.get('long-term', none)[place],
            archive_tokens=counts.get('archive', none)[place],
        )
        for place, (ref, score) in enumerate(scores)
    )
