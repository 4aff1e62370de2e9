# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a memory holds, for whoever looks into it: tokens by tier, frames by time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from livevlm_ros.memory.filter import ReadFilter
from livevlm_ros.memory.shape import FrameRef
from livevlm_ros.memory.tiers import Tiers

OUT_OF_ORDER_NS = 60 * 10**9
"""By how much frames may come later than newer ones of other cameras."""


def newest(tiers: Tiers, reading: ReadFilter) -> FrameRef | None:
    """Return the newest frame that may be read, None when there is none."""
    new = tiers.short_term.refs()
    inside = reading.short_term_indices(new)
    if inside:
        return new[inside[-1]]
    if not reading.long_term or not (tiers.long_term or tiers.archive is not None):
        return None
    short_term, latest = set(new), None
    for ref in reversed(tiers.refs.values()):  # about from the newest on
        if latest is not None and ref.stamp_ns + OUT_OF_ORDER_NS < latest.stamp_ns:
            break
        if reading.contains(ref) and ref not in short_term:
            latest = max(latest or ref, ref, key=lambda each: each.stamp_ns)
    return latest


def tokens_held(tiers: Tiers, frames: Sequence[FrameRef]) -> dict[str, Tensor]:
    """
    Say which tokens of frames each tier holds.

    :param frames: of this stream
    :returns: by tier, those that there are of `short-term`, `long-term` and `archive`, bool
        [frames, tokens_per_frame]; what long-term holds may be in the archive too
    """
    ids = frame_tokens(tiers, frames)
    held = {'short-term': torch.isin(ids, frame_tokens(tiers, tiers.short_term.refs()))}
    if tiers.long_term:
        kept = torch.cat([lane.tokens.ids for lane in tiers.long_term])
        held['long-term'] = torch.isin(ids, kept)
    if tiers.archive is not None:
        with tiers.archive.lock:
            archived = torch.isin(tiers.ids.frames(ids), tiers.archive.frames)
        held['archive'] = archived
    return held


def frame_tokens(tiers: Tiers, frames: Sequence[FrameRef]) -> Tensor:
    """Return the ids of all tokens of frames, int64 [frames, tokens_per_frame]."""
    empty = torch.empty(0, tiers.shape.tokens_per_frame, dtype=torch.int64)
    ids = [tiers.ids.of_frame(frame)[None] for frame in frames]
    return torch.cat([empty, *ids])
