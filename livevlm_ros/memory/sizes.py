# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a memory holds and costs, for reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import islice

from livevlm_ros.memory.archive.sizes import ArchiveSizes
from livevlm_ros.memory.recall import RecallCounts
from livevlm_ros.memory.room import MemoryRoom
from livevlm_ros.memory.tiers import Tiers


@dataclass(frozen=True, slots=True)
class MemorySizes:
    """
    What the memory holds and what it costs, in tokens and bytes.

    `device_bytes` stays on the device between questions: prefix, short-term and long-term.
    `read_bytes` is the room of read views, made for the longest at construction, under `full` that
    of the longest so far, and of pages chosen ahead. `frames` are those that `Memory.refs` gives.
    `full_cache_bytes` is what keys and values of every frame since `clear` would take.
    `oldest_stamp_ns` is that of the frame that came first of those in `frames`,
    `short_term_oldest_ns` of the oldest in short-term, 0 without one. `long_term_capacity` are
    the tokens long-term has room for.
    `room` says how much it keeps whole, `recall` what choosing ahead did so far. `archive_lost`
    are frames that left short-term and could not be archived, `disk_lost` says that the archive's
    file cannot grow.
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
    archive_lost: int = 0
    disk_lost: bool = False
    room: MemoryRoom = field(default_factory=MemoryRoom, compare=False)
    recall: RecallCounts = field(default_factory=RecallCounts, compare=False)

    def stamped(self, stamp_ns: Callable[[int], int]) -> MemorySizes:
        """Return the same with stamps of another time; `stamp_ns` gives them."""
        return replace(
            self,
            oldest_stamp_ns=stamp_ns(self.oldest_stamp_ns) if self.frames else 0,
            short_term_oldest_ns=stamp_ns(self.short_term_oldest_ns) if self.frames else 0,
        )

    @classmethod
    def of(
        cls,
        tiers: Tiers,
        *,
        read_bytes: int,
        frames: int,
        context_truncated: bool,
        recall: RecallCounts,
        archive_lost: int,
    ) -> MemorySizes:
        """Count what the tiers of a memory hold."""
        shape, ring, lanes = tiers.shape, tiers.short_term, tiers.long_term
        archive = tiers.archive.sizes if tiers.archive else ArchiveSizes()
        new, token_bytes = ring.refs(), shape.token_bytes(tiers.prefix_keys.itemsize)
        known = tiers.refs.values() if lanes or tiers.archive is not None else ()
        held = [*new[:1], *islice(known, 1)]
        return cls(
            short_term_tokens=len(new) * shape.tokens_per_frame,
            long_term_tokens=sum(lane.count for lane in lanes),
            archive_tokens=archive.frames * shape.tokens_per_frame,
            device_bytes=ring.nbytes
            + sum(lane.nbytes for lane in lanes)
            + tiers.prefix_tokens * token_bytes,
            read_bytes=read_bytes,
            host_bytes=archive.host_bytes,
            disk_bytes=archive.disk_bytes,
            full_cache_bytes=ring.kept * shape.tokens_per_frame * token_bytes,
            short_term_frames=len(new),
            frames=frames,
            evictions=ring.evictions,
            context_truncated=context_truncated,
            oldest_stamp_ns=min((ref.stamp_ns for ref in held), default=0),
            short_term_oldest_ns=new[0].stamp_ns if new else 0,
            long_term_capacity=sum(lane.capacity for lane in lanes),
            archive_lost=archive_lost,
            disk_lost=archive.disk_lost,
            room=MemoryRoom.of(tiers),
            recall=recall,
        )
