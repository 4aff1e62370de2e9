# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a memory will hold and take when it is full, before it is built. It needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from livevlm_ros.memory.archive.costs import (
    RecordSize,
    index_bytes,
    room_for,
    sketch_bytes,
)
from livevlm_ros.memory.budgets import (
    archive_bytes,
    archive_pages,
    lane_frames,
    long_term_capacity,
    page_settings,
    view_tokens,
)
from livevlm_ros.memory.config import RESERVED_POSITIONS, MemoryConfig
from livevlm_ros.memory.room import MemoryRoom
from livevlm_ros.memory.settings import RetrievalSettings
from livevlm_ros.memory.shape import CacheShape

ID_AND_TIME_BYTES = 16
"""Bytes of a token in long-term, beside its keys and values."""


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """
    What a memory of a configuration comes to for a model.

    :param device_bytes: as `MemorySizes` has them, but for the prefix, a few tokens
    :param read_bytes: as `MemorySizes` has them, with the most pages that are chosen ahead
    :param question_tokens: of frames, that a question reads at most
    :param device_frame_bytes: of a frame on the device
    :param ram_frame_bytes: of an archived frame in RAM, with what finds it; 0: there is no archive
    :param disk_frame_bytes: of one on disk, what finds it in RAM not among them
    :param sketch_bytes: most RAM of the archive's sketch, beside what goes with each frame
    :param room: frames that are kept whole
    """

    device_bytes: int
    read_bytes: int
    question_tokens: int
    device_frame_bytes: int
    ram_frame_bytes: int = 0
    disk_frame_bytes: int = 0
    sketch_bytes: int = 0
    room: MemoryRoom = field(default_factory=MemoryRoom)

    @property
    def archive_bytes(self) -> int:
        """RAM of a full archive."""
        archive = self.room.archive
        return archive.host_bytes + self.sketch_bytes if archive is not None else 0

    @classmethod
    def of(
        cls,
        config: MemoryConfig,
        shape: CacheShape,
        *,
        cameras: int,
        retrieval: RetrievalSettings,
        itemsize: int,
        free_bytes: int,
    ) -> MemoryPlan:
        """
        Work it out.

        :param retrieval: how the checkpoint finds pages
        :param itemsize: bytes of a number on the device
        :param free_bytes: RAM that is free beside the model
        :raises ValueError: as `Memory`
        """
        settings = page_settings(config, shape, retrieval)
        token, frame = shape.token_bytes(itemsize), shape.tokens_per_frame
        ring = lane_frames(config, shape, cameras) * cameras
        long_term = long_term_capacity(config, shape, settings, cameras)
        step, question = view_tokens(config, shape, cameras, long_term=long_term)
        tables = 2 if shape.positions is None else 4
        rotary = tables * max(step, question) * shape.head_dim // 2 * itemsize
        ahead = config.archive_bits and config.chooses_once and config.tau <= 1
        plan = cls(
            device_bytes=(ring * frame + long_term) * token + long_term * ID_AND_TIME_BYTES,
            read_bytes=question * token
            + step * token // shape.layers
            + rotary
            + (config.retrieval_frames * frame * token if ahead else 0),
            question_tokens=question - RESERVED_POSITIONS,
            device_frame_bytes=frame * token,
            room=MemoryRoom(ring + cameras * (long_term // cameras // frame)),
        )
        if not config.archive_bits:
            return plan
        page_tokens, sketched = archive_pages(config, shape, settings)
        size = RecordSize(shape, page_tokens, config.archive_bits)
        host_bytes, _, disk_bytes = archive_bytes(config, size, sketched, free_bytes=free_bytes)
        archive = room_for(
            size, sketched, lanes=cameras, host_bytes=host_bytes, disk_bytes=disk_bytes
        )
        held = archive.host_frames + archive.disk_frames
        return replace(
            plan,
            ram_frame_bytes=size.record_bytes + index_bytes(size, sketched),
            disk_frame_bytes=size.record_bytes,
            sketch_bytes=sketch_bytes(shape, len(sketched), frames=held) if sketched else 0,
            room=MemoryRoom(ring, archive),
        )
