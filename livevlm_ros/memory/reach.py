# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What of the memory a question may read."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from livevlm_ros.memory.naming import TokenNames
from livevlm_ros.memory.shape import FrameRef


@dataclass(frozen=True, slots=True)
class Reach:
    """
    The part of the memory that a question reads; the default is all of it.

    :param cameras: only these cameras; None: all
    :param first_ns: no frame with an earlier stamp
    :param last_ns: no frame with a later stamp, as if it had not been seen yet
    :param short_term: read the newest frames
    :param long_term: read what retrieval finds of the others
    :param archive: let retrieval find archived tokens too
    :param newest_only: of short-term, the newest frame of each camera alone
    :param share: of what retrieval would read, for a question in a hurry, ]0, 1]
    :param only_ns: stamps, first and last, of the frames that are read of long-term and archive,
        every token and none of another: what an oracle would choose; None: retrieval chooses
    """

    cameras: frozenset[str] | None = None
    first_ns: int | None = None
    last_ns: int | None = None
    short_term: bool = True
    long_term: bool = True
    archive: bool = True
    newest_only: bool = False
    share: float = 1.0
    only_ns: tuple[int, int] | None = None

    def holds(self, ref: FrameRef) -> bool:
        """Return whether a frame's camera and stamp lie within."""
        return (
            (self.cameras is None or ref.camera in self.cameras)
            and (self.first_ns is None or ref.stamp_ns >= self.first_ns)
            and (self.last_ns is None or ref.stamp_ns <= self.last_ns)
        )

    @property
    def everywhen(self) -> bool:
        """Whether no camera and no time is left out."""
        return self.cameras is None and self.first_ns is None and self.last_ns is None

    def reaches(self, ends: Tensor, names: TokenNames) -> Tensor | None:
        """
        Say which pages have a token within, as far as their ends tell.

        :param ends: names of each page's first and last token, int64 [pages, 2]
        :param names: what gave them
        :returns: bool [pages]; None: all
        """
        if self.everywhen and self.only_ns is None:
            return None
        first_ns, last_ns = self.only_ns or (self.first_ns, self.last_ns)
        origin_ns = names.origin_ns or 0
        first = -math.inf if first_ns is None else first_ns - origin_ns
        last = math.inf if last_ns is None else last_ns - origin_ns
        reached = (names.since_ns(ends[:, 1]) >= first) & (names.since_ns(ends[:, 0]) <= last)
        if self.cameras is not None:
            lanes = torch.tensor(names.lanes_of(self.cameras), device=ends.device)
            reached &= torch.isin(names.lanes(ends[:, 0]), lanes)
        return reached
