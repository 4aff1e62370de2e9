# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The memory of one stream: a prefix that never leaves, and the frames its preset keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from livevlm_ros.memory.config import PREFIX_POSITIONS, RESERVED_POSITIONS, MemoryConfig
from livevlm_ros.memory.evidence import EvidenceLayers
from livevlm_ros.memory.shape import CacheShape, FrameRef
from livevlm_ros.memory.short_term import ShortTerm
from livevlm_ros.memory.view import Parts, QuestionView, ReadBuffer, StepView, TooManyTokens

FULL_FIRST_SLOTS = 64
"""Frames `full` has room for before it first grows."""


@dataclass(frozen=True, slots=True)
class MemorySizes:
    """
    What the memory holds and what it costs, in tokens and bytes.

    `device_bytes` stays on the device between questions: prefix and short-term. `read_bytes` is
    the room of read views: made for the longest at construction, under `full` that of the longest
    so far. `full_cache_bytes` is what keys and values of every frame since `clear` would take.
    `oldest_stamp_ns` is that of the oldest frame, 0 without one.
    """

    short_term_tokens: int
    long_term_tokens: int
    archive_tokens: int
    device_bytes: int
    read_bytes: int
    host_bytes: int
    disk_bytes: int
    full_cache_bytes: int
    short_term_frames: int
    evictions: int
    context_truncated: bool
    oldest_stamp_ns: int = 0


class Memory:
    """
    Streaming memory of one stream, owned by one thread.

    :param config: preset and budgets
    :param shape: what the model's layers write
    :param cameras: camera names, one lane each
    :param device: where keys and values live
    :param dtype: type of keys and values, that of the model
    :param evidence: layers and heads evidence is read from; None: all
    :raises ValueError: if a lane would hold no frame, or the budget is more than the model has
        positions for
    """

    def __init__(
        self,
        config: MemoryConfig,
        shape: CacheShape,
        cameras: Sequence[str],
        device: torch.device | str = 'cpu',
        dtype: torch.dtype = torch.float32,
        evidence: EvidenceLayers | None = None,
    ) -> None:
        device = torch.device(device)
        lane_frames = _lane_frames(config, shape, len(cameras))
        slots = lane_frames * len(cameras)
        self._config, self._shape = config, shape
        self._evidence = evidence or EvidenceLayers(tuple(range(shape.layers)))
        self._short_term = ShortTerm(
            shape,
            cameras,
            lane_frames=lane_frames,
            slots=slots if config.preset == 'recent' else min(slots, FULL_FIRST_SLOTS),
            device=device,
            dtype=dtype,
        )
        self._parts = Parts(shape, self._short_term, device=device, dtype=dtype)
        self._step_buffer = ReadBuffer(shape, layers=1, device=device, dtype=dtype)
        self._question_buffer = ReadBuffer(shape, layers=shape.layers, device=device, dtype=dtype)
        self._itemsize = dtype.itemsize
        if config.preset != 'full':
            held = slots * shape.tokens_per_frame
            longest = held + _reserved(shape, len(cameras))
            self._question_buffer.reserve(held + RESERVED_POSITIONS)
            self._step_buffer.reserve(longest)
            self._parts.rotary.reserve(longest)

    @contextmanager
    def write_prefix(self) -> Iterator[StepView]:
        """
        Give a view for the text before the video.

        What it read is kept for good when the block ends without an error.

        :raises RuntimeError: if a prefix or frames are in the memory already
        """
        if self._short_term.kept or self._parts.prefix_tokens:
            raise RuntimeError('the prefix is written once, before the first frame')
        view = StepView(
            self._parts, self._step_buffer, room=PREFIX_POSITIONS, keep=self._keep_prefix
        )
        yield view
        view.commit()

    def _keep_prefix(self, keys: Tensor, values: Tensor) -> None:
        self._parts.prefix_keys, self._parts.prefix_values = keys, values

    def step(self, frames: Sequence[FrameRef]) -> StepView:
        """
        Give a view for a step's frames; `commit` on it keeps them.

        Frames of one step are causal in stamp order. A step reads all the memory holds when it is
        taken, what the robot has seen by then: a frame that comes late also reads newer frames of
        other cameras. Later reads put it where its stamp belongs.

        :param frames: source frames in stamp order, each newer than its camera's last; room is
            made for one a camera, more of them in one step take what they need
        :raises ValueError: as `ShortTerm.check`, or for no frames at all
        :raises TooManyTokens: if memory and frames are more than the model has positions for
        """
        if not frames:
            raise ValueError('a step needs at least one frame')
        self._short_term.check(frames)
        return StepView(
            self._parts,
            self._step_buffer,
            room=len(frames) * self._shape.tokens_per_frame,
            keep=lambda keys, values: self._short_term.keep(frames, keys, values),
        )

    @property
    def question_room(self) -> int:
        """Most tokens a question and its answer may have together."""
        return RESERVED_POSITIONS - self._parts.prefix_tokens

    def question(self, *, extra_tokens: int) -> QuestionView:
        """
        Give a view for one question; the view before it must not be read any more.

        :param extra_tokens: tokens of the question and its answer together
        :raises TooManyTokens: if they are more than `question_room`
        """
        if extra_tokens > self.question_room:
            raise TooManyTokens(
                f'question and answer need {extra_tokens} tokens, at most {self.question_room} '
                'fit: shorten the question or ask for fewer tokens'
            )
        return QuestionView(
            self._parts, self._question_buffer, room=extra_tokens, evidence=self._evidence
        )

    def clear(self) -> int:
        """Forget every frame, keep the prefix; returns the frames forgotten."""
        forgotten = len(self._short_term.refs())
        self._short_term.clear()
        return forgotten

    def frames(self) -> list[FrameRef]:
        """Frames in the memory by stamp, oldest first."""
        return self._short_term.refs()

    def newest(self) -> FrameRef | None:
        """Return the newest frame, None when there is none."""
        frames = self._short_term.refs()
        return frames[-1] if frames else None

    def sizes(self) -> MemorySizes:
        """Count tokens and bytes; see `MemorySizes`."""
        shape, parts, short_term = self._shape, self._parts, self._short_term
        refs = short_term.refs()
        frames = len(refs)
        token_bytes = shape.token_bytes(self._itemsize)
        return MemorySizes(
            short_term_tokens=frames * shape.tokens_per_frame,
            long_term_tokens=0,
            archive_tokens=0,
            device_bytes=short_term.nbytes + parts.prefix_tokens * token_bytes,
            read_bytes=self._step_buffer.nbytes
            + self._question_buffer.nbytes
            + parts.rotary.nbytes,
            host_bytes=0,
            disk_bytes=0,
            full_cache_bytes=short_term.kept * shape.tokens_per_frame * token_bytes,
            short_term_frames=frames,
            evictions=short_term.evictions,
            context_truncated=self._config.preset == 'full' and short_term.evictions > 0,
            oldest_stamp_ns=refs[0].stamp_ns if refs else 0,
        )


def _lane_frames(config: MemoryConfig, shape: CacheShape, cameras: int) -> int:
    """Most frames a lane holds under the preset: an equal share of the budget."""
    if not cameras:
        raise ValueError('the memory needs at least one camera')
    positions = shape.max_positions - _reserved(shape, cameras)
    if config.preset == 'full':
        total = min(positions, config.full_max_tokens) // shape.tokens_per_frame
        budget = f'{min(positions, config.full_max_tokens)} tokens of full'
    else:
        total = config.short_term_frames
        budget = f'short_term_frames = {total}'
        if total * shape.tokens_per_frame > positions:
            raise ValueError(
                f'{budget} needs {total * shape.tokens_per_frame} tokens, '
                f'the model has {positions} positions for frames'
            )
    if total // cameras < 1:
        raise ValueError(f'{budget}: less than one frame for each of {cameras} cameras')
    return total // cameras


def _reserved(shape: CacheShape, cameras: int) -> int:
    """Positions beside the frames: prefix, then question and answer, or a frame a camera."""
    return max(RESERVED_POSITIONS, PREFIX_POSITIONS + cameras * shape.tokens_per_frame)
