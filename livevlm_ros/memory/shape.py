# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The dimensions of a key-value cache, and the name a cached frame goes by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from livevlm_ros.memory.positions import FramePositions
from livevlm_ros.pose import Pose


@dataclass(frozen=True, slots=True)
class CacheShape:
    """
    What a model's language layers write into the memory.

    :param layers: language layers
    :param q_heads: query heads of a layer
    :param kv_heads: key-value heads of a layer, a divisor of `q_heads`
    :param head_dim: width of a head, even
    :param tokens_per_frame: language tokens of one frame, the text around its image among them
    :param rope_theta: base of the rotary frequencies
    :param max_positions: positions the model was made for; no read view is longer
    :param text_tokens: how many of a frame's tokens are text
    :param positions: how positions run through a frame; None: one token after another
    """

    layers: int
    q_heads: int
    kv_heads: int
    head_dim: int
    tokens_per_frame: int
    rope_theta: float
    max_positions: int
    text_tokens: int = 0
    positions: FramePositions | None = None

    @property
    def whole_frames(self) -> bool:
        """
        Whether a frame is one page, so that no token of it is kept or read without the others.

        It is where text says what an image is, or positions count frames.
        """
        return self.text_tokens > 0 or self.positions is not None

    def token_bytes(self, itemsize: int) -> int:
        """Bytes of one token's keys and values over all layers, `itemsize` bytes a number."""
        return 2 * self.layers * self.kv_heads * self.head_dim * itemsize


@dataclass(frozen=True, slots=True)
class FrameRef:
    """
    The source frame of cached tokens.

    :param camera: logical camera name, one lane of the memory
    :param stamp_ns: when it was taken, in the memory's own time: the header stamp, until a clock
        leaps
    :param frame_id: the header's coordinate frame
    :param key: names the frame for evidence and thumbnails
    :param pose: where the camera was, if that is known; a frame is the same with or without
    :param pose_frame: the coordinate frame that the pose is in
    """

    camera: str
    stamp_ns: int
    frame_id: str = ''
    key: str = ''
    pose: Pose | None = field(default=None, compare=False)
    pose_frame: str = field(default='', compare=False)

    def pose_in(self, frame: str) -> Pose | None:
        """Return the pose if it is known in this coordinate frame."""
        return self.pose if self.pose_frame == frame else None

    def fields(self) -> tuple[Any, ...]:
        """Return all of it as JSON takes it, to be read by `of`."""
        frame = (self.camera, self.stamp_ns, self.frame_id, self.key)
        return frame if self.pose is None else (*frame, *self.pose, self.pose_frame)

    @classmethod
    def of(cls, fields: Sequence[Any]) -> FrameRef:
        """Return the reference that gave these fields."""
        camera, stamp_ns, frame_id, key, *pose = fields
        if not pose:
            return cls(camera, stamp_ns, frame_id, key)
        *numbers, pose_frame = pose
        return cls(camera, stamp_ns, frame_id, key, Pose(*numbers), pose_frame)
