# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Positions of the tokens that are read, where those of an image have more than one (M-RoPE)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class FramePositions:
    """
    How positions run through a frame.

    Text has the same position on every axis, one more than the token before. The tokens of an
    image have a row and a column as well, so that an image takes up as many positions as its
    longer side, not as it has tokens.

    :param offsets: of each token of a frame from the frame's first, by axis,
        [axes][tokens_per_frame]
    :param advance: from a frame's first position to the next frame's
    :param axes: which of them turns each pair of a head's numbers, [head_dim / 2]
    """

    offsets: tuple[tuple[int, ...], ...]
    advance: int
    axes: tuple[int, ...]

    @property
    def saved(self) -> int:
        """How many positions fewer a frame takes up than it has tokens."""
        return len(self.offsets[0]) - self.advance

    def of_frames(self, tokens: int, *, first: int, device: torch.device) -> Tensor:
        """
        Return the positions of whole frames, one behind the other, int64 [axes, tokens].

        :param tokens: at which the last of them may end short
        :param first: of the first frame's first token
        """
        import torch

        offsets = torch.tensor(self.offsets, device=device)  # [axes, tokens_per_frame]
        index = torch.arange(tokens, device=device)
        places = offsets.shape[1]
        return first + index // places * self.advance + offsets[:, index % places]
