# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What of the memory a question may read: the one place that decides it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from livevlm_ros.memory.shape import FrameRef
from livevlm_ros.memory.tokens import TokenIds


@dataclass(frozen=True, slots=True)
class ReadFilter:
    """
    The part of the memory that a question reads; the default is all of it.

    Stamps are of the memory's own time, as those of `FrameRef`.

    :param cameras: only these cameras; None: all
    :param first_ns: no frame with an earlier stamp
    :param last_ns: no frame with a later stamp, as if it had not been seen yet
    :param spans: only frames of these stretches of time, first and last stamp each; empty: of any
    :param short_term: read the newest frames
    :param long_term: read what retrieval finds of the frames that left short-term
    :param newest_only: of short-term, the newest frame of each camera alone
    :param share: of what retrieval would read, for a question in a hurry, ]0, 1]
    :param only_ns: stretches of time, first and last stamp each, of which the frames that left
        short-term are read, every token of them and no other: what an oracle would choose
    :param without: frames that are not read, wherever they lie
    """

    cameras: frozenset[str] | None = None
    first_ns: int | None = None
    last_ns: int | None = None
    spans: tuple[tuple[int, int], ...] = ()
    short_term: bool = True
    long_term: bool = True
    newest_only: bool = False
    share: float = 1.0
    only_ns: tuple[tuple[int, int], ...] | None = None
    without: frozenset[FrameRef] = frozenset()

    @property
    def nothing(self) -> bool:
        """Whether no frame is read at all: the question stands alone."""
        return not (self.short_term or self.long_term)

    def contains(self, ref: FrameRef) -> bool:
        """Return whether a frame may be read, by its camera and stamp."""
        return (
            (self.cameras is None or ref.camera in self.cameras)
            and (self.first_ns is None or ref.stamp_ns >= self.first_ns)
            and (self.last_ns is None or ref.stamp_ns <= self.last_ns)
            and (not self.spans or any(low <= ref.stamp_ns <= high for low, high in self.spans))
            and ref not in self.without
        )

    def short_term_indices(self, refs: Sequence[FrameRef]) -> list[int]:
        """
        Return which frames of short-term are read.

        :param refs: frames in short-term, oldest first
        """
        if not self.short_term:
            return []
        inside = [index for index, ref in enumerate(refs) if self.contains(ref)]
        if self.newest_only:
            inside = sorted({refs[index].camera: index for index in inside}.values())
        return inside

    def long_term_mask(self, frames: Tensor, ids: TokenIds) -> Tensor | None:
        """
        Say which frames that left short-term may be read.

        :param frames: their ids, int64 of any shape
        :param ids: what gave them
        :returns: bool shaped like `frames`; None: all of them
        """
        first_ns, last_ns, spans = self.first_ns, self.last_ns, self.spans or None
        if self.only_ns is not None:
            first_ns, last_ns, spans = None, None, self.only_ns
        times = first_ns is not None or last_ns is not None or spans is not None
        if self.cameras is None and not times and not self.without:
            return None
        origin_ns, since_ns = ids.origin_ns or 0, ids.since_ns(frames)
        mask = torch.ones_like(frames, dtype=torch.bool)
        if first_ns is not None:
            mask &= since_ns >= first_ns - origin_ns
        if last_ns is not None:
            mask &= since_ns <= last_ns - origin_ns
        if spans is not None:
            inside = torch.zeros_like(mask)
            for low, high in spans:
                inside |= (since_ns >= low - origin_ns) & (since_ns <= high - origin_ns)
            mask &= inside
        if self.cameras is not None:
            mask &= torch.isin(ids.lanes(frames), ids.lanes_of(self.cameras))
        if self.without:
            gone = torch.tensor([ids.frame(ref) for ref in self.without])
            mask &= ~torch.isin(frames, gone)
        return mask
