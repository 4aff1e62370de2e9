# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Short-term memory: the newest frames of each camera, whole.

One lane a camera. A lane is a ring: when it is full, its oldest frame leaves and the slot is used
again. The slots of all lanes lie in one block of storage; lanes meet only in the order they are
read, by stamp.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from livevlm_ros.memory.shape import CacheShape, FrameRef


@dataclass(frozen=True, slots=True, order=True)
class _Held:
    """A frame and the slot its tokens lie in; ordered by stamp, then lane."""

    stamp_ns: int
    lane: int
    slot: int = field(compare=False)
    ref: FrameRef = field(compare=False)


class ShortTerm:
    """
    Rings of frames over one block of storage, keys before rotary.

    :param lane_frames: most frames a camera's lane holds
    :param slots: frames the storage has room for from the start; it grows to `lane_frames` a
        camera when they do not suffice
    """

    def __init__(
        self,
        shape: CacheShape,
        cameras: Sequence[str],
        *,
        lane_frames: int,
        slots: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._lane_frames = lane_frames
        self._most_slots = lane_frames * len(cameras)
        self._lanes = {camera: lane for lane, camera in enumerate(cameras)}
        block = (shape.layers, shape.kv_heads, slots, shape.tokens_per_frame, shape.head_dim)
        self.keys = torch.zeros(block, dtype=dtype, device=device)
        self.values = torch.zeros(block, dtype=dtype, device=device)
        self.clear()

    def clear(self) -> None:
        """Forget every frame; the storage stays."""
        self._held: list[_Held] = []
        self._free = list(range(self.keys.shape[2]))
        self._counts = [0] * len(self._lanes)
        self._newest: list[int | None] = [None] * len(self._lanes)
        self.kept = self.evictions = 0

    @property
    def nbytes(self) -> int:
        """Bytes of the storage."""
        return self.keys.nbytes + self.values.nbytes

    def refs(self) -> list[FrameRef]:
        """Frames held, lanes merged by stamp, oldest first."""
        return [held.ref for held in self._held]

    def slots(self) -> Tensor:
        """Slots in the order of `refs`, int64 [frames]."""
        return torch.tensor(
            [held.slot for held in self._held], dtype=torch.long, device=self.keys.device
        )

    def check(self, refs: Sequence[FrameRef]) -> None:
        """
        Refuse frames that could not be kept.

        :raises ValueError: for a camera without a lane, stamps that do not rise within a camera or
            fall within the step, or more frames of a camera than its lane holds
        """
        newest, counts = list(self._newest), [0] * len(self._lanes)
        for ref in refs:
            if ref.camera not in self._lanes:
                raise ValueError(
                    f'camera {ref.camera!r} has no lane, expected one of {list(self._lanes)}'
                )
            lane = self._lanes[ref.camera]
            last = newest[lane]
            if last is not None and ref.stamp_ns <= last:
                raise ValueError(
                    f'camera {ref.camera!r}: stamp {ref.stamp_ns} must come after {last}'
                )
            newest[lane] = ref.stamp_ns
            counts[lane] += 1
        if any(after.stamp_ns < before.stamp_ns for before, after in pairwise(refs)):
            raise ValueError('the frames of a step must be in stamp order')
        if max(counts, default=0) > self._lane_frames:
            raise ValueError(
                f'a step brings {max(counts)} frames of one camera, '
                f'its lane holds {self._lane_frames}'
            )

    @torch.inference_mode()
    def keep(self, refs: Sequence[FrameRef], keys: Tensor, values: Tensor) -> None:
        """
        Put a step's frames into their lanes; the oldest leave lanes that are full.

        :param refs: the frames, as `check` accepts them
        :param keys: keys before rotary, [layers, kv_heads, frames * tokens_per_frame, head_dim]
        :param values: values, shaped like `keys`
        :raises ValueError: if there are not as many tokens as the frames have
        """
        layers, heads, _, tokens, width = self.keys.shape
        if keys.shape[2] != len(refs) * tokens:
            raise ValueError(
                f'{len(refs)} frames have {len(refs) * tokens} tokens, got {keys.shape[2]}'
            )
        if len(self._free) < len(refs):
            self._grow(len(refs))
        slots = torch.tensor(
            [self._take_slot(ref) for ref in refs], dtype=torch.long, device=self.keys.device
        )
        frames = (layers, heads, len(refs), tokens, width)
        self.keys.index_copy_(2, slots, keys.view(frames))
        self.values.index_copy_(2, slots, values.view(frames))

    def _take_slot(self, ref: FrameRef) -> int:
        lane = self._lanes[ref.camera]
        if self._counts[lane] == self._lane_frames:
            oldest = next(index for index, held in enumerate(self._held) if held.lane == lane)
            slot = self._held.pop(oldest).slot
            self.evictions += 1
        else:
            slot = self._free.pop()
            self._counts[lane] += 1
        insort(self._held, _Held(ref.stamp_ns, lane, slot, ref))
        self._newest[lane] = ref.stamp_ns
        self.kept += 1
        return slot

    def _grow(self, needed: int) -> None:
        """Add slots up to the cap, at least half as many as there are: few copies."""
        before = self.keys.shape[2]
        after = min(self._most_slots, before + max(needed, before // 2))
        if after > before:
            self.keys, self.values = (_with_slots(b, after) for b in (self.keys, self.values))
            self._free += range(before, after)


def _with_slots(block: Tensor, slots: int) -> Tensor:
    """Copy storage into a larger one, [layers, kv_heads, slots, tokens_per_frame, head_dim]."""
    layers, heads, held, tokens, width = block.shape
    larger = block.new_zeros(layers, heads, slots, tokens, width)
    larger[:, :, :held] = block
    return larger
