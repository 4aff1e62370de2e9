# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Where a token goes.

A step's frames enter short-term. What leaves it goes to the archive, whole, and to its camera's
long-term; what bucketing drops there is gone from the device. All that may fail is done first,
then all is written: whatever raises costs the step's frames and leaves the memory as it was.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

import torch
from torch import Tensor

from livevlm_ros.memory import infinipot
from livevlm_ros.memory.archive.writer import ArchiveWriter
from livevlm_ros.memory.long_term import LongTerm, LongTermChange
from livevlm_ros.memory.shape import FrameRef
from livevlm_ros.memory.short_term import Held
from livevlm_ros.memory.tiers import FORGET_EVERY, LOOKED_AT_ONCE, Tiers
from livevlm_ros.memory.tokens import Tokens, in_time_order


def keep(
    tiers: Tiers,
    writer: ArchiveWriter | None,
    frames: Sequence[FrameRef],
    keys: Tensor,
    values: Tensor,
    scores: Tensor | None,
) -> None:
    """
    Keep a step's tokens.

    :param writer: takes frames that leave short-term to the archive; None: there is none
    :param keys: before rotary, [layers, kv_heads, frames * tokens_per_frame, head_dim]
    :param values: shaped like `keys`
    :param scores: attention that the step paid to what it read, lane after lane of long-term and
        then short-term, float32 [tokens read]; None: bucketing is not due, or does not look at it
    """
    origin_ns = tiers.ids.origin_ns
    by_frame = (len(frames), tiers.shape.tokens_per_frame)
    keys, values = keys.unflatten(2, by_frame), values.unflatten(2, by_frame)
    tiers.ids.start(frames[0].stamp_ns)
    try:
        entering = tiers.short_term.stage(frames)
        left = [tiers.short_term.tokens_of(held) for held, _ in entering.left]
        archived = writer.stage(left) if writer is not None else None
        bucketed = _staged(tiers, entering.left, scores)
        looked = _looked_at(tiers, writer)
    except BaseException:
        tiers.ids.origin_ns = origin_ns
        raise
    for lane, change in bucketed:
        lane.commit(change)
    tiers.short_term.commit(entering, keys, values)
    if looked is not None:
        _forget(tiers, *looked)
    tiers.refs.update((tiers.ids.frame(ref), ref) for ref in frames)
    if writer is not None and archived is not None:
        writer.commit(archived)


def buckets_with(tiers: Tiers, frames: Sequence[FrameRef]) -> bool:
    """Return whether keeping frames makes bucketing due."""
    left = tiers.short_term.leaving(frames)
    tokens = tiers.shape.tokens_per_frame
    return any(
        lane.full_with(tokens * sum(held.lane == number for held in left))
        for number, lane in enumerate(tiers.long_term)
    )


def noise(tiers: Tiers, frames: int) -> tuple[Tensor, Tensor]:
    """Return random keys and values, [layers, kv_heads, frames * tokens_per_frame, head_dim]."""
    shape, like = tiers.shape, tiers.prefix_keys
    tokens = frames * shape.tokens_per_frame
    block = (shape.layers, shape.kv_heads, tokens, shape.head_dim)
    keys, values = (torch.randn(block, dtype=like.dtype, device=like.device) for _ in range(2))
    return keys, values


def _looked_at(tiers: Tiers, writer: ArchiveWriter | None) -> tuple[list[int], list[int]] | None:
    """
    Look at some references, whether a token of their frames is left.

    :returns: ids of frames of which none is, and of those yet to be looked at; None: it is not
        time to look
    """
    if not tiers.unlooked and len(tiers.refs) < tiers.forget_at:
        return None
    unlooked = tiers.unlooked or list(tiers.refs)
    held = {tiers.ids.frame(ref) for ref in tiers.short_term.refs()}
    for lane in tiers.long_term:
        held.update(tiers.ids.frames(lane.tokens.ids).unique().tolist())
    if writer is not None:  # those that wait before those that are archived: none is in neither
        held.update(int(tiers.ids.frames(ids[:1])) for ids in writer.waiting())
    archived: Container[int] = () if tiers.archive is None else tiers.archive
    some, rest = unlooked[:LOOKED_AT_ONCE], unlooked[LOOKED_AT_ONCE:]
    return [frame for frame in some if frame not in held and frame not in archived], rest


def _forget(tiers: Tiers, gone: Sequence[int], unlooked: list[int]) -> None:
    """Drop references; after the last of a look, say when the next one begins."""
    for frame in gone:
        del tiers.refs[frame]
    tiers.unlooked = unlooked
    if not unlooked:
        tiers.forget_at = len(tiers.refs) + max(FORGET_EVERY, len(tiers.refs) // 4)


def _staged(
    tiers: Tiers, left: Sequence[tuple[Held, int]], scores: Tensor | None
) -> list[tuple[LongTerm, LongTermChange]]:
    """
    Work out what frames that leave short-term change in their lanes of long-term.

    :param left: the frames, each with the stamp of its camera's next one
    :param scores: as `keep` has them
    """
    refs, first = tiers.short_term.refs(), 0
    ring = sum(lane.count for lane in tiers.long_term)  # where short-term's scores start
    changes = []
    for number, lane in enumerate(tiers.long_term):
        mine = [(held, next_ns) for held, next_ns in left if held.lane == number]
        if mine:
            new = in_time_order([tiers.short_term.tokens_of(held) for held, _ in mine])
            times = torch.cat([_times(tiers, held.ref, next_ns) for held, next_ns in mine])
            of_lane = None
            if lane.eviction == 'infinipot' and lane.full_with(len(new)):
                of_lane = _infinipot(tiers, number, new, left)
            elif scores is not None:
                by_frame = scores[ring:].unflatten(0, (-1, tiers.shape.tokens_per_frame))
                of_new = [by_frame[refs.index(held.ref)] for held, _ in mine]
                of_lane = torch.cat((scores[first : first + lane.count], *of_new))
            changes.append((lane, lane.stage(new, times, of_lane)))
        first += lane.count
    return changes


def _infinipot(tiers: Tiers, number: int, new: Tokens, left: Sequence[tuple[Held, int]]) -> Tensor:
    """Return InfiniPot-V's scores of what a lane holds and of what comes, against what stays."""
    gone = {held.ref for held, _ in left}
    mine = [
        (index, ref)
        for index, ref in enumerate(tiers.short_term.refs())
        if tiers.ids.lane(ref.camera) == number
    ]
    stay = [index for index, ref in mine if ref not in gone] or [index for index, _ in mine]
    recent = tiers.short_term.tokens(stay).keys.unflatten(2, (-1, tiers.shape.tokens_per_frame))
    candidates = in_time_order([tiers.long_term[number].tokens, new])
    places = tiers.ids.places(candidates.ids)
    return infinipot.scores(candidates.keys, candidates.values, places, recent).cpu()


def _times(tiers: Tiers, ref: FrameRef, next_ns: int) -> Tensor:
    """
    Return the times of a frame's tokens, float64 seconds [tokens_per_frame].

    They are spread over the gap to the camera's next frame: with one time for all of them coverage
    would see no more than frames.
    """
    tokens = tiers.shape.tokens_per_frame
    since_ns, gap_ns = ref.stamp_ns - (tiers.ids.origin_ns or 0), next_ns - ref.stamp_ns
    return (since_ns + torch.arange(tokens, dtype=torch.float64) / tokens * gap_ns) / 1e9
