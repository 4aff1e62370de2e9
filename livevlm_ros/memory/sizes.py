# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a memory holds and costs, for reports."""

from __future__ import annotations

from dataclasses import dataclass, field

from livevlm_ros.memory.archive import ArchiveSizes
from livevlm_ros.memory.recall import RecallCounts
from livevlm_ros.memory.shape import FrameRef
from livevlm_ros.memory.view import Parts


@dataclass(frozen=True, slots=True)
class MemorySizes:
    """
    What the memory holds and what it costs, in tokens and bytes.

    `device_bytes` stays on the device between questions: prefix, short-term and long-term.
    `read_bytes` is the room of read views: made for the longest at construction, under `full` that
    of the longest so far. `frames` are those that `Memory.frames` gives.
    `full_cache_bytes` is what keys and values of every frame since `clear` would take.
    `oldest_stamp_ns` is that of the oldest frame, `short_term_oldest_ns` of the oldest in
    short-term, 0 without one. `long_term_capacity` are the tokens long-term has room for.
    `recall` says what fetching ahead did so far.
    """

    short_term_tokens: int
    long_term_tokens: int
    archive_tokens: int
    device_bytes: int
    read_bytes: int
    host_bytes: int
    disk_bytes: int
    full_cache_bytes: int
    short_term_frames: int
    frames: int
    evictions: int
    context_truncated: bool
    oldest_stamp_ns: int = 0
    short_term_oldest_ns: int = 0
    long_term_capacity: int = 0
    recall: RecallCounts = field(default_factory=RecallCounts, compare=False)

    @classmethod
    def of(
        cls,
        parts: Parts,
        *,
        read_bytes: int,
        frames: int,
        oldest: FrameRef | None,
        context_truncated: bool,
        recall: RecallCounts,
    ) -> MemorySizes:
        """Count what the parts of a memory hold."""
        shape, ring, lanes = parts.shape, parts.short_term, parts.long_term
        archive = parts.archive.sizes if parts.archive else ArchiveSizes(0, 0, 0)
        new, token_bytes = ring.refs(), shape.token_bytes(parts.prefix_keys.itemsize)
        return cls(
            short_term_tokens=len(new) * shape.tokens_per_frame,
            long_term_tokens=sum(lane.count for lane in lanes),
            archive_tokens=archive.tokens,
            device_bytes=ring.nbytes
            + sum(lane.nbytes for lane in lanes)
            + parts.prefix_tokens * token_bytes,
            read_bytes=read_bytes,
            host_bytes=archive.host_bytes,
            disk_bytes=archive.disk_bytes,
            full_cache_bytes=ring.kept * shape.tokens_per_frame * token_bytes,
            short_term_frames=len(new),
            frames=frames,
            evictions=ring.evictions,
            context_truncated=context_truncated,
            oldest_stamp_ns=oldest.stamp_ns if oldest else 0,
            short_term_oldest_ns=new[0].stamp_ns if new else 0,
            long_term_capacity=sum(lane.capacity for lane in lanes),
            recall=recall,
        )
