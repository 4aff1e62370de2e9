# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an archive may hold, what it holds, and what it has forgotten."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class ArchiveRoom:
    """What an archive holds before it thins; `host_bytes` count what goes with records on disk."""

    host_frames: int = 0
    host_bytes: int = 0
    disk_frames: int = 0
    disk_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ArchiveSizes:
    """What an archive holds; `disk_bytes` are those of the file that the disk has given."""

    frames: int = 0
    host_bytes: int = 0
    disk_bytes: int = 0
    disk_lost: bool = False


class Wiped(NamedTuple):
    """
    What an archive has forgotten for good.

    :param disk_bytes: that were overwritten
    """

    frames: int = 0
    disk_bytes: int = 0


Wiping = Generator[None, None, Wiped]
"""The work of forgetting, which stops between its pieces, and what comes of it."""
