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
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from livevlm_ros.memory.shape import CacheShape, FrameRef
from livevlm_ros.memory.state import State, copied
from livevlm_ros.memory.tokens import TokenIds, Tokens, upload


class OutOfOrder(ValueError):
    """A frame whose stamp does not come after its camera's last."""

    def __init__(self, ref: FrameRef, *, last_ns: int) -> None:
        super().__init__(f'camera {ref.camera!r}: stamp {ref.stamp_ns} must come after {last_ns}')
        self.ref = ref


@dataclass(frozen=True, slots=True, order=True)
class Held:
    """A frame in short-term and the slot its tokens lie in; ordered by stamp, then lane."""

    stamp_ns: int
    lane: int
    slot: int = field(compare=False)
    ref: FrameRef = field(compare=False)


@dataclass(frozen=True, slots=True)
class ShortTermChange:
    """
    What a step does to short-term, made in full before anything is written.

    :param held: the frames held after the step, by time
    :param new: the step's frames among them, in its order
    :param left: the frames that leave, oldest first, each with the stamp of its lane's next one
    :param free: slots that are free after the step
    :param storage: keys and values of a larger storage to move into, where the old one is full
    """

    held: list[Held]
    new: list[Held]
    left: list[tuple[Held, int]]
    free: list[int]
    storage: tuple[Tensor, Tensor] | None = None


class ShortTerm:
    """
    Rings of frames over one block of storage, keys before rotary.

    :param ids: gives the tokens their ids
    :param lane_frames: most frames a camera's lane holds
    :param slots: frames the storage has room for from the start; it grows to `lane_frames` a
        camera when they do not suffice
    """

    def __init__(
        self,
        shape: CacheShape,
        cameras: Sequence[str],
        ids: TokenIds,
        *,
        lane_frames: int,
        slots: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._ids, self._lane_frames = ids, lane_frames
        self.capacity = lane_frames * len(cameras)  # frames
        self._cameras = tuple(cameras)
        block = (shape.layers, shape.kv_heads, slots, shape.tokens_per_frame, shape.head_dim)
        self._keys = torch.zeros(block, dtype=dtype, device=device)
        self._values = torch.zeros(block, dtype=dtype, device=device)
        self.clear()

    def clear(self) -> None:
        """Forget every frame; the storage stays."""
        self._held: list[Held] = []
        self._free = list(range(self._keys.shape[2]))
        self._newest: list[int | None] = [None] * len(self._cameras)
        self.kept = self.evictions = 0

    @property
    def nbytes(self) -> int:
        """Bytes of the storage."""
        return self._keys.nbytes + self._values.nbytes

    def __len__(self) -> int:
        return len(self._held)

    def refs(self) -> list[FrameRef]:
        """Frames held, lanes merged by stamp, oldest first."""
        return [held.ref for held in self._held]

    def tokens(self, indices: Sequence[int] | None = None) -> Tokens:
        """Return copies of frames, given as indices into `refs`, in that order; None: all."""
        held = self._held if indices is None else [self._held[index] for index in indices]
        there = self._slots(held)
        ids = [self._ids.of_frame(each.ref) for each in held]
        return Tokens(
            self._keys.index_select(2, there).flatten(2, 3),
            self._values.index_select(2, there).flatten(2, 3),
            torch.cat(ids) if ids else torch.empty(0, dtype=torch.int64),
        )

    def slots(self) -> Tensor:
        """Return where the frames of `refs` lie, for `layer`, int64 [frames] on the device."""
        return self._slots(self._held)

    def layer(self, layer: int, slots: Tensor) -> tuple[Tensor, Tensor]:
        """Return copies of one layer's keys and values, of frames by `slots`."""
        keys = self._keys[layer].index_select(1, slots)
        values = self._values[layer].index_select(1, slots)
        return keys.flatten(1, 2), values.flatten(1, 2)

    def _slots(self, held: Sequence[Held]) -> Tensor:
        slots = torch.tensor([each.slot for each in held], dtype=torch.long)
        return upload(slots, self._keys.device)

    def check(self, refs: Sequence[FrameRef]) -> None:
        """
        Refuse frames that could not be kept.

        :raises OutOfOrder: for a frame that comes not after its camera's last
        :raises ValueError: for a camera without a lane, stamps that fall within the step, or more
            frames of a camera than its lane holds
        """
        newest, counts = list(self._newest), [0] * len(self._cameras)
        for ref in refs:
            if ref.camera not in self._cameras:
                raise ValueError(
                    f'camera {ref.camera!r} has no lane, expected one of {list(self._cameras)}'
                )
            lane = self._cameras.index(ref.camera)
            last = newest[lane]
            if last is not None and ref.stamp_ns <= last:
                raise OutOfOrder(ref, last_ns=last)
            newest[lane] = ref.stamp_ns
            counts[lane] += 1
        if any(after.stamp_ns < before.stamp_ns for before, after in pairwise(refs)):
            raise ValueError('the frames of a step must be in stamp order')
        if max(counts, default=0) > self._lane_frames:
            raise ValueError(
                f'a step brings {max(counts)} frames of one camera, '
                f'its lane holds {self._lane_frames}'
            )

    def leaving(self, refs: Sequence[FrameRef]) -> list[Held]:
        """Return which frames, as `check` accepts them, push out, oldest first."""
        left = []
        for lane, camera in enumerate(self._cameras):
            held = [each for each in self._held if each.lane == lane]
            coming = sum(ref.camera == camera for ref in refs)
            left += held[: max(0, len(held) + coming - self._lane_frames)]
        return sorted(left)

    def stage(self, refs: Sequence[FrameRef]) -> ShortTermChange:
        """Work out what taking in frames, as `check` accepts them, changes; nothing is written."""
        left = self.leaving(refs)
        storage, free = None, [*self._free, *(held.slot for held in left)]
        if len(free) < len(refs):
            storage = self._grown(len(refs) - len(free))
            free += range(self._keys.shape[2], storage[0].shape[2])
        new = [
            Held(ref.stamp_ns, self._cameras.index(ref.camera), slot, ref)
            for ref, slot in zip(refs, free, strict=False)
        ]
        held = [each for each in self._held if each not in left]
        for each in new:
            insort(held, each)
        nexts = [next(h.stamp_ns for h in held if h.lane == gone.lane) for gone in left]
        for index, gone in enumerate(left):  # what leaves together: the next one leaves, too
            later = [each.stamp_ns for each in left[index + 1 :] if each.lane == gone.lane]
            nexts[index] = later[0] if later else nexts[index]
        return ShortTermChange(
            held, new, list(zip(left, nexts, strict=True)), free[len(refs) :], storage
        )

    def tokens_of(self, held: Held) -> Tokens:
        """Return a frame's tokens, views of the storage until the step is committed."""
        slot = held.slot
        return Tokens(
            self._keys[:, :, slot], self._values[:, :, slot], self._ids.of_frame(held.ref)
        )

    def commit(self, change: ShortTermChange, keys: Tensor, values: Tensor) -> None:
        """
        Write what `stage` worked out.

        :param keys: the step's keys before rotary, [layers, kv_heads, frames, tokens_per_frame,
            head_dim]
        :param values: shaped like `keys`
        """
        if change.storage is not None:
            self._keys, self._values = change.storage
        for index, held in enumerate(change.new):
            self._keys[:, :, held.slot].copy_(keys[:, :, index])
            self._values[:, :, held.slot].copy_(values[:, :, index])
            self._newest[held.lane] = held.stamp_ns
        self._held, self._free = change.held, change.free
        self.kept += len(change.new)
        self.evictions += len(change.left)

    def forget(self, gone: Collection[FrameRef]) -> int:
        """Forget frames; returns how many were held. Stamps go on to rise after theirs."""
        stay = [held for held in self._held if held.ref not in gone]
        forgotten = len(self._held) - len(stay)
        self._free += [held.slot for held in self._held if held.ref in gone]
        self._held = stay
        return forgotten

    def state(self) -> State:
        """Return copies of the frames held, in the order of `refs`, to `restore`."""
        tokens = self.tokens()
        return State(
            {'keys': copied(tokens.keys), 'values': copied(tokens.values)},
            {
                'frames': [held.ref.fields() for held in self._held],
                'kept': self.kept,
                'evictions': self.evictions,
            },
        )

    def restore(self, state: State) -> None:
        """Hold the frames that `state` gave and no others; the ids have started their stream."""
        self.clear()
        refs = [FrameRef.of(fields) for fields in state.facts['frames']]
        frames = (len(refs), self._keys.shape[3])
        keys, values = (state.tensors[name].unflatten(2, frames) for name in ('keys', 'values'))
        self.commit(self.stage(refs), keys, values)
        self.kept, self.evictions = state.facts['kept'], state.facts['evictions']

    def _grown(self, needed: int) -> tuple[Tensor, Tensor]:
        """Copy the storage into a larger one, by at least half: few copies."""
        before = self._keys.shape[2]
        after = min(self.capacity, before + max(needed, before // 2))
        return _with_slots(self._keys, after), _with_slots(self._values, after)


def _with_slots(block: Tensor, slots: int) -> Tensor:
    """Copy storage into a larger one, [layers, kv_heads, slots, tokens_per_frame, head_dim]."""
    layers, heads, held, tokens, width = block.shape
    larger = block.new_zeros(layers, heads, slots, tokens, width)
    larger[:, :, :held] = block
    return larger
