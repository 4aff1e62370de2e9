# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a memory holds and costs, for reports."""

from __future__ import annotations

from dataclasses import dataclass, field

from livevlm_ros.memory.recall import RecallCounts


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
