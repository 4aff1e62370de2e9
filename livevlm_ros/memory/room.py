# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How many frames a memory keeps whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from livevlm_ros.memory.archive.sizes import ArchiveRoom

if TYPE_CHECKING:
    from livevlm_ros.memory.tiers import Tiers


@dataclass(frozen=True, slots=True)
class MemoryRoom:
    """
    How many frames the memory keeps whole before it loses the first token of one.

    :param device_frames: in short-term, and without an archive in long-term
    :param archive: what the archive adds; None: there is none
    """

    device_frames: int = 0
    archive: ArchiveRoom | None = None

    @property
    def frames(self) -> int:
        """Frames of all tiers."""
        archive = self.archive or ArchiveRoom()
        return self.device_frames + archive.host_frames + archive.disk_frames

    @classmethod
    def of(cls, tiers: Tiers) -> MemoryRoom:
        """Count what the tiers have room for."""
        ring, tokens = tiers.short_term.capacity, tiers.shape.tokens_per_frame
        if tiers.archive is not None:
            return cls(ring, tiers.archive.room)
        return cls(ring + sum(lane.capacity // tokens for lane in tiers.long_term))
