# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Short-term memory: the newest frames of each camera, whole.

One lane a camera. A lane is a ring: when it is full, its oldest frame leaves and the slot is used
again; what leaves is handed over to whoever wants it. The slots of all lanes lie in one block of
storage; lanes meet only in the order they are read, by stamp.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from livevlm_ros.memory.naming import TokenNames
from livevlm_ros.memory.shape import CacheShape, FrameRef
from livevlm_ros.memory.snapshot import State, copied


@dataclass(frozen=True, slots=True, order=True)
class _Held:
    """A frame and the slot its tokens lie in; ordered by stamp, then lane."""

    stamp_ns: int
    lane: int
    slot: int = field(compare=False)
    ref: FrameRef = field(compare=False)


@dataclass(frozen=True, slots=True)
class Leaving:
    """
    A frame that leaves its lane.

    :param next_ns: stamp of the lane's next frame
    :param keys: before rotary, [layers, kv_heads, tokens_per_frame, head_dim]
    :param values: shaped like `keys`
    :param scores: attention from later frames, float32 [layers, tokens_per_frame]
    """

    ref: FrameRef
    next_ns: int
    keys: Tensor
    values: Tensor
    scores: Tensor


class ShortTerm:
    """
    Rings of frames over one block of storage, keys before rotary.

    `scores` holds the attention each token got from later frames, float32
    [layers, slots, tokens_per_frame], when frames that leave are handed over; the views write it.

    :param names: names the tokens
    :param lane_frames: most frames a camera's lane holds
    :param slots: frames the storage has room for from the start; it grows to `lane_frames` a
        camera when they do not suffice
    :param hand_over: takes each frame that leaves; None: it is gone
    """

    def __init__(
        self,
        shape: CacheShape,
        cameras: Sequence[str],
        names: TokenNames,
        *,
        lane_frames: int,
        slots: int,
        device: torch.device,
        dtype: torch.dtype,
        hand_over: Callable[[Leaving], None] | None = None,
    ) -> None:
        self._hand_over, self._namer = hand_over, names
        self._lane_frames = lane_frames
        self._most_slots = lane_frames * len(cameras)
        self._lanes = {camera: lane for lane, camera in enumerate(cameras)}
        block = (shape.layers, shape.kv_heads, slots, shape.tokens_per_frame, shape.head_dim)
        self.keys = torch.zeros(block, dtype=dtype, device=device)
        self.values = torch.zeros(block, dtype=dtype, device=device)
        self.names = torch.zeros(slots, shape.tokens_per_frame, dtype=torch.int64, device=device)
        scored = slots if hand_over is not None else 0
        self.scores = torch.zeros(shape.layers, scored, shape.tokens_per_frame, device=device)
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
        storage = (self.keys, self.values, self.names, self.scores)
        return sum(part.nbytes for part in storage)

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
        names = torch.stack([self._namer.of_frame(ref) for ref in refs])
        self.names.index_copy_(0, slots, names.to(slots.device))
        if self._hand_over is not None:
            self.scores.index_fill_(1, slots, 0.0)

    def _take_slot(self, ref: FrameRef) -> int:
        lane = self._lanes[ref.camera]
        if self._counts[lane] == self._lane_frames:
            slot = self._leave(lane, ref)
        else:
            slot = self._free.pop()
            self._counts[lane] += 1
        insort(self._held, _Held(ref.stamp_ns, lane, slot, ref))
        self._newest[lane] = ref.stamp_ns
        self.kept += 1
        return slot

    def _leave(self, lane: int, incoming: FrameRef) -> int:
        """Let the oldest frame of a full lane go, and return its slot."""
        oldest = next(index for index, held in enumerate(self._held) if held.lane == lane)
        gone = self._held.pop(oldest)
        self.evictions += 1
        if self._hand_over is not None:
            later = (held.stamp_ns for held in self._held if held.lane == lane)
            self._hand_over(
                Leaving(
                    gone.ref,
                    next(later, incoming.stamp_ns),
                    self.keys[:, :, gone.slot],
                    self.values[:, :, gone.slot],
                    self.scores[:, gone.slot],
                )
            )
        return gone.slot

    def state(self) -> State:
        """Return copies of the frames held, in the order of `refs`, to `restore`."""
        slots = self.slots()
        scored = slots if self._hand_over is not None else slots[:0]
        return State(
            {
                'keys': copied(self.keys.index_select(2, slots)),
                'values': copied(self.values.index_select(2, slots)),
                'scores': copied(self.scores.index_select(1, scored)),
            },
            {
                'frames': [astuple(held.ref) for held in self._held],
                'kept': self.kept,
                'evictions': self.evictions,
            },
        )

    def restore(self, state: State) -> None:
        """Hold the frames that `state` gave and no others; the namer has begun their stream."""
        self.clear()
        refs = [FrameRef(*fields) for fields in state.facts['frames']]
        if len(refs) > len(self._free):
            self._grow(len(refs) - len(self._free))
        self._free = self._free[len(refs) :]
        for slot, ref in enumerate(refs):
            lane = self._lanes[ref.camera]
            self._held.append(_Held(ref.stamp_ns, lane, slot, ref))
            self._counts[lane] += 1
            self._newest[lane] = ref.stamp_ns
            self.names[slot] = self._namer.of_frame(ref)
        self.keys[:, :, : len(refs)] = state.tensors['keys']
        self.values[:, :, : len(refs)] = state.tensors['values']
        if self._hand_over is not None:
            self.scores[:, : len(refs)] = state.tensors['scores']
        self.kept, self.evictions = state.facts['kept'], state.facts['evictions']

    def _grow(self, needed: int) -> None:
        """Add slots up to the cap, at least half as many as there are: few copies."""
        before = self.keys.shape[2]
        after = min(self._most_slots, before + max(needed, before // 2))
        if after > before:
            self.keys, self.values = (_with_slots(b, after) for b in (self.keys, self.values))
            self.names = _with_slots(self.names[None, None, ..., None], after)[0, 0, ..., 0]
            self._free += range(before, after)


def _with_slots(block: Tensor, slots: int) -> Tensor:
    """Copy storage into a larger one, [layers, kv_heads, slots, tokens_per_frame, head_dim]."""
    layers, heads, held, tokens, width = block.shape
    larger = block.new_zeros(layers, heads, slots, tokens, width)
    larger[:, :, :held] = block
    return larger
