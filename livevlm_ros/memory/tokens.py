# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Cached tokens, and the integer that identifies each: when, which camera and where in the frame.

Ids sort as tokens are read: by stamp, then camera, then place in the frame. Tokens that part ways
come together again by sorting. Ids stay on the host: choosing and sorting wait for no device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from livevlm_ros.memory.shape import FrameRef

ID_BITS = 62


class OutOfSpan(ValueError):
    """
    A frame too far from the start of the stream to have an id.

    :param since_ns: its stamp less that of the stream's start
    :param limit_ns: how far ids reach, either way
    """

    def __init__(self, ref: FrameRef, *, since_ns: int, limit_ns: int) -> None:
        super().__init__(
            f'camera {ref.camera!r}: stamp {ref.stamp_ns} is {since_ns / 1e9:.0f} s from the '
            f'start of the stream, the memory can tell apart at most {limit_ns / 1e9:.0f} s: '
            'clear it'
        )
        self.ref = ref
        self.ahead = since_ns > 0


class TokenIds:
    """
    Token ids, int64: stamp less that of the stream's first frame | lane | place in the frame.

    A frame's id is what the ids of its tokens have in common: the id without the place.

    :param cameras: lanes in order
    :param tokens_per_frame: places in a frame
    """

    def __init__(self, cameras: Sequence[str], tokens_per_frame: int) -> None:
        self._lanes = {camera: lane for lane, camera in enumerate(cameras)}
        self._lane_bits = (len(cameras) - 1).bit_length()
        self._place_bits = (tokens_per_frame - 1).bit_length()
        self._places = torch.arange(tokens_per_frame)
        self.origin_ns: int | None = None

    def clear(self) -> None:
        """Let the stream start anew."""
        self.origin_ns = None

    def start(self, stamp_ns: int) -> None:
        """Set the start of the stream, unless it has started."""
        if self.origin_ns is None:
            self.origin_ns = stamp_ns

    def start_ns(self, next_ns: int) -> int:
        """Return the start of the stream, which a frame with the next stamp is if none was."""
        return next_ns if self.origin_ns is None else self.origin_ns

    def check(self, frames: Sequence[FrameRef]) -> None:
        """
        Refuse frames that have no id; a stream that has not started starts with the first.

        :raises OutOfSpan: for a frame too far from the start of the stream
        """
        start_ns = self.start_ns(frames[0].stamp_ns)
        limit = 1 << (ID_BITS - self._lane_bits - self._place_bits)
        for ref in frames:
            since_ns = ref.stamp_ns - start_ns
            if not -limit < since_ns < limit:
                raise OutOfSpan(ref, since_ns=since_ns, limit_ns=limit)

    def frame(self, ref: FrameRef) -> int:
        """Return the id of a frame that `check` accepts, once the stream has started."""
        assert self.origin_ns is not None
        return ((ref.stamp_ns - self.origin_ns) << self._lane_bits) | self._lanes[ref.camera]

    def of_frame(self, ref: FrameRef) -> Tensor:
        """Return the ids of a frame's tokens, [tokens_per_frame]."""
        return (self.frame(ref) << self._place_bits) | self._places

    def of_frames(self, frames: Tensor) -> Tensor:
        """Return the ids of the tokens of frames given by id, [frames, tokens_per_frame]."""
        return (frames[:, None] << self._place_bits) | self._places

    def frames(self, ids: Tensor) -> Tensor:
        """Return the frame ids of tokens, shaped like `ids`."""
        return ids >> self._place_bits

    def places(self, ids: Tensor) -> Tensor:
        """Return where in their frames tokens lie, shaped like `ids`."""
        return ids & ((1 << self._place_bits) - 1)

    def since_ns(self, frames: Tensor) -> Tensor:
        """Return the stamps of frames less that of the stream's start, shaped like `frames`."""
        return frames >> self._lane_bits

    def lanes(self, frames: Tensor) -> Tensor:
        """Return the lanes of frames, shaped like `frames`."""
        return frames & ((1 << self._lane_bits) - 1)

    def lane(self, camera: str) -> int:
        """Return the lane of a camera."""
        return self._lanes[camera]

    def lanes_of(self, cameras: Iterable[str]) -> Tensor:
        """Return the lanes of cameras, int64 [cameras]."""
        return torch.tensor([self._lanes[camera] for camera in cameras], dtype=torch.int64)


CPU = torch.device('cpu')


def upload(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor of the host to a device; a GPU takes it from pinned memory, nobody waits."""
    if device.type != 'cuda':
        return tensor.to(device)
    return tensor.contiguous().pin_memory().to(device, non_blocking=True)


@dataclass(frozen=True, slots=True)
class Tokens:
    """
    Cached tokens, the same in every layer.

    :param keys: before rotary, [layers, kv_heads, tokens, head_dim]
    :param values: shaped like `keys`
    :param ids: int64 [tokens], on the host; see `TokenIds`
    """

    keys: Tensor
    values: Tensor
    ids: Tensor

    def __len__(self) -> int:
        return len(self.ids)

    def narrow(self, start: int, length: int) -> Tokens:
        """Return views of `length` tokens from `start` on."""
        return self._map(lambda part, axis: part.narrow(axis, start, length))

    def index_select(self, index: Tensor) -> Tokens:
        """Return copies of chosen tokens, `index` int64 [chosen] on the host."""
        there = upload(index, self.keys.device)
        return Tokens(
            self.keys.index_select(2, there),
            self.values.index_select(2, there),
            self.ids.index_select(0, index),
        )

    def copy_(self, other: Tokens, *, start: int = 0) -> None:
        """Write other tokens over those from `start` on."""
        mine = self.narrow(start, len(other))
        mine.keys.copy_(other.keys)
        mine.values.copy_(other.values)
        mine.ids.copy_(other.ids)

    def _map(self, change: Callable[[Tensor, int], Tensor]) -> Tokens:
        return Tokens(change(self.keys, 2), change(self.values, 2), change(self.ids, 0))


def in_time_order(parts: Sequence[Tokens]) -> Tokens:
    """Join tokens, sorted by id; views of the one part where there is only one, in order."""
    parts = [part for part in parts if len(part)] or parts[:1]
    joined = parts[0]
    if len(parts) > 1:
        joined = Tokens(
            torch.cat([part.keys for part in parts], dim=2),
            torch.cat([part.values for part in parts], dim=2),
            torch.cat([part.ids for part in parts]),
        )
    if len(joined) < 2 or bool((joined.ids.diff() > 0).all()):
        return joined
    return joined.index_select(joined.ids.argsort())
