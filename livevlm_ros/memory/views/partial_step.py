# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The view of a step whose frames have tokens that the model does not read again.

Those tokens have the keys and values of the same places in the frame before, which fit
wherever they are read, for they are kept before rotary. So a frame is in the memory whole: pages,
records and positions know nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from livevlm_ros.memory.shape import FrameRef
from livevlm_ros.memory.tiers import Tiers
from livevlm_ros.memory.tokens import upload
from livevlm_ros.memory.views.step import Keep, StepView
from livevlm_ros.memory.views.view import ReadBuffer


class PartialStepView(StepView):
    """
    A `StepView` over which a part of its frames' tokens is read, in their order.

    Each attends to what was before its frames and to all tokens of those up to itself. What is not
    read is taken from the newest frame that short-term holds of the same camera.

    :param frames: as `Memory.step` has them
    :param changed: tokens that are read, at least one, bool [frames, tokens_per_frame] on the host
    :raises ValueError: for no token, or a frame that lacks some and is its camera's first
    """

    def __init__(
        self,
        tiers: Tiers,
        buffer: ReadBuffer,
        *,
        frames: Sequence[FrameRef],
        changed: Tensor,
        tokens: int,
        keep: Keep,
        scored: bool,
    ) -> None:
        before = [_frame_before(tiers.short_term.refs(), frame.camera) for frame in frames]
        for frame, index, row in zip(frames, before, changed, strict=True):
            if index is None and not row.all():
                raise ValueError(
                    f'camera {frame.camera!r} has no frame before to take tokens from'
                )
        if not changed.any():
            raise ValueError('a step reads at least one token')
        super().__init__(tiers, buffer, tokens=tokens, keep=keep, scored=scored)
        self._whole = tiers.short_term.tokens([index or 0 for index in before])
        self._places = upload(changed.flatten().nonzero()[:, 0], buffer.keys.device)

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor | None:
        """Attend as `View.attend` says; the tokens are those that are read."""
        keys = self._whole.keys[layer].index_copy_(1, self._places, k)
        values = self._whole.values[layer].index_copy_(1, self._places, v)
        return super().attend(layer, q, keys, values)

    def _append(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        spread = torch.zeros(len(q), *k.shape[1:], dtype=q.dtype, device=q.device)
        spread.index_copy_(1, self._places, q)  # to where frames have their positions
        rotated, keys, values = super()._append(layer, spread, k, v)
        return rotated.index_select(1, self._places), keys, values

    def _own(self, seen: int) -> Tensor:
        return self._places + (seen - len(self._whole))

    def _causal(self, tokens: int, seen: int, group: int) -> Tensor:
        if self._mask is None or self._mask.shape != (group * tokens, seen):
            later = torch.arange(seen, device=self._places.device) > self._own(seen)[:, None]
            hidden = self._buffer.keys.new_zeros(tokens, seen).masked_fill_(later, -torch.inf)
            self._mask = hidden.repeat(group, 1)
        return self._mask


def view_of(frames: Sequence[FrameRef], changed: Tensor | None) -> Callable[..., StepView]:
    """Return what makes the view of a step, for frames and what is read of them, None: all."""
    if changed is None or bool(changed.all()):
        return StepView
    return partial(PartialStepView, frames=frames, changed=changed)


def _frame_before(refs: Sequence[FrameRef], camera: str) -> int | None:
    """Return the index of a camera's newest frame, None if there is none."""
    held = [index for index, ref in enumerate(refs) if ref.camera == camera]
    return held[-1] if held else None
