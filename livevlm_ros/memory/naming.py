# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A name for every cached token: one integer that says when, which camera and where in the frame.

Names sort as tokens are read: by stamp, then camera, then place in the frame. Tokens that part
ways, some bucketed, some archived, come together again by sorting.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from livevlm_ros.memory.shape import FrameRef

NAME_BITS = 62


class OutOfSpan(ValueError):
    """
    A frame too far from the begin of the stream to be told from the others.

    :param since_ns: its stamp less that of the stream's begin
    :param limit_ns: what names can tell, either way
    """

    def __init__(self, ref: FrameRef, *, since_ns: int, limit_ns: int) -> None:
        super().__init__(
            f'camera {ref.camera!r}: stamp {ref.stamp_ns} is {since_ns / 1e9:.0f} s from the '
            f'begin of the stream, the memory can tell apart at most {limit_ns / 1e9:.0f} s: '
            'clear it'
        )
        self.ref = ref
        self.ahead = since_ns > 0


class TokenNames:
    """
    Names of tokens as int64: stamp less that of the stream's first frame | lane | place.

    :param cameras: lanes in order
    :param tokens_per_frame: places in a frame
    """

    def __init__(self, cameras: tuple[str, ...], tokens_per_frame: int) -> None:
        self._lanes = {camera: lane for lane, camera in enumerate(cameras)}
        self._lane_bits = (len(cameras) - 1).bit_length()
        self._place_bits = (tokens_per_frame - 1).bit_length()
        self._places = torch.arange(tokens_per_frame)
        self.origin_ns: int | None = None

    def clear(self) -> None:
        """Let the stream begin anew."""
        self.origin_ns = None

    def begin(self, stamp_ns: int) -> None:
        """Set the stream's begin, unless it has begun."""
        if self.origin_ns is None:
            self.origin_ns = stamp_ns

    def check(self, frames: Sequence[FrameRef]) -> None:
        """
        Refuse frames that names cannot tell; the stream begins with the first if it has not begun.

        :raises OutOfSpan: for a frame too far from the begin of the stream
        """
        begin_ns = frames[0].stamp_ns if self.origin_ns is None else self.origin_ns
        limit = 1 << (NAME_BITS - self._lane_bits - self._place_bits)
        for ref in frames:
            since_ns = ref.stamp_ns - begin_ns
            if not -limit < since_ns < limit:
                raise OutOfSpan(ref, since_ns=since_ns, limit_ns=limit)

    def of_frame(self, ref: FrameRef) -> Tensor:
        """Return the names of a frame's tokens, as `check` accepts it, [tokens_per_frame]."""
        return (self.frame(ref) << self._place_bits) | self._places

    def frame(self, ref: FrameRef) -> int:
        """Return what the names of a frame's tokens have in common, once the stream has begun."""
        assert self.origin_ns is not None
        since_ns = ref.stamp_ns - self.origin_ns
        return (since_ns << self._lane_bits) | self._lanes[ref.camera]

    def marks(self, names: Tensor, refs: Sequence[FrameRef]) -> Tensor:
        """Return which tokens of frames are among `names`, bool [frames, tokens_per_frame]."""
        every = torch.stack([self.of_frame(ref) for ref in refs])
        return torch.isin(every, names.cpu())

    def frames(self, names: Tensor) -> Tensor:
        """Return the frames of tokens, shaped like `names`."""
        return names >> self._place_bits

    def since_ns(self, names: Tensor) -> Tensor:
        """Return the stamps of tokens' frames less the stream's first, shaped like `names`."""
        return names >> (self._place_bits + self._lane_bits)

    def lanes_of(self, cameras: Iterable[str]) -> list[int]:
        """Return the lanes of cameras."""
        return [self._lanes[camera] for camera in cameras]

    def lanes(self, names: Tensor) -> Tensor:
        """Return the lanes of tokens, shaped like `names`."""
        return self.frames(names) & ((1 << self._lane_bits) - 1)
