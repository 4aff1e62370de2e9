# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The memory of one stream: a prefix that never leaves, and what its preset keeps of the frames.

Steps write into it (`flow.py` says where a token goes), questions read it and leave it as it was
(`readable.py` says how).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from livevlm_ros.memory.config import PREFIX_POSITIONS, RESERVED_POSITIONS, MemoryConfig
from livevlm_ros.memory.contents import contents, identity, put_back
from livevlm_ros.memory.flow import buckets_with, frames_left, keep
from livevlm_ros.memory.readable import ReadableMemory
from livevlm_ros.memory.recall import RecallCounts
from livevlm_ros.memory.settings import RetrievalSettings, largest_page
from livevlm_ros.memory.shape import CacheShape, FrameRef
from livevlm_ros.memory.sizes import MemorySizes
from livevlm_ros.memory.state import State
from livevlm_ros.memory.tiers import lane_frames, new_tiers, reserved_positions
from livevlm_ros.memory.views.evidence import EvidenceHeads
from livevlm_ros.memory.views.step import StepView
from livevlm_ros.memory.views.view import ReadBuffer

FORGET_EVERY = 256
"""Frames between two looks for frames of which nothing is left, whose references then go."""


class Memory(ReadableMemory):
    """
    Streaming memory of one stream, owned by one thread.

    :param config: preset and budgets
    :param shape: what the model's layers write
    :param cameras: camera names, one lane each
    :param device: where keys and values live
    :param dtype: type of keys and values, that of the model
    :param evidence: heads that evidence is read from; None: those that choose pages
    :param retrieval: how pages are found; None: by all heads of the middle and upper layers
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
        evidence: EvidenceHeads | None = None,
        retrieval: RetrievalSettings | None = None,
    ) -> None:
        settings = retrieval or RetrievalSettings(largest_page(shape.tokens_per_frame))
        if config.retrieval == 'frames':
            settings = RetrievalSettings(shape.tokens_per_frame)
        like = torch.empty(0, dtype=dtype, device=device)
        super().__init__(
            config,
            new_tiers(config, shape, cameras, settings, like),
            settings,
            evidence or EvidenceHeads.from_settings({}, shape, settings.heads),
            like=like,
        )
        self._shape, self._cameras, self._forget_at = shape, tuple(cameras), FORGET_EVERY
        self._identity = identity(
            config, shape, self._cameras, dtype=dtype, page_tokens=settings.page_tokens
        )
        self._step_buffer = ReadBuffer(shape, layers=1, like=like)
        if config.preset != 'full':
            self._reserve_views()

    def _reserve_views(self) -> None:
        """Make room for the longest views now, so that no read grows it."""
        tokens, tiers = self._shape.tokens_per_frame, self._tiers
        ring = lane_frames(self._config, self._shape, len(self._cameras)) * len(self._cameras)
        beside = reserved_positions(self._shape, len(self._cameras))
        step = ring * tokens + sum(lane.capacity for lane in tiers.long_term)
        question = (ring + self._config.retrieval_frames) * tokens
        longest = max(step + beside, question + RESERVED_POSITIONS)
        if longest > self._shape.max_positions:
            raise ValueError(
                f'short_term_frames, long_term_frames and retrieval_frames need {step} tokens for '
                f'a step and {question} for a question, the model has '
                f'{self._shape.max_positions} positions, {beside} of them kept free'
            )
        self._step_buffer.reserve(step + beside)
        self._question_buffer.reserve(question + RESERVED_POSITIONS)
        tiers.rotary.reserve(longest)

    # Writing: what comes in, and where it goes.

    @contextmanager
    def write_prefix(self) -> Iterator[StepView]:
        """
        Give a view for the text before the video.

        What it read is kept for good when the block ends without an error.

        :raises RuntimeError: if a prefix or frames are in the memory already
        """
        if self._tiers.short_term.kept or self._tiers.prefix_tokens:
            raise RuntimeError('the prefix is written once, before the first frame')
        view = StepView(
            self._tiers, self._step_buffer, tokens=PREFIX_POSITIONS, keep=self._keep_prefix
        )
        yield view
        view.commit()

    def _keep_prefix(self, keys: Tensor, values: Tensor, scores: Tensor | None) -> None:
        self._tiers.prefix_keys, self._tiers.prefix_values = keys.clone(), values.clone()

    def step(self, frames: Sequence[FrameRef]) -> StepView:
        """
        Give a view for a step's frames; `commit` on it keeps them.

        Frames of one step are causal in stamp order. A step reads all the device holds when it is
        taken, what the robot has seen by then: a frame that comes late also reads newer frames of
        other cameras. Later reads put it where its stamp belongs. Whatever raises before `commit`
        returns leaves the memory as it was.

        :param frames: source frames in stamp order, each newer than its camera's last; room is
            made for one a camera, more of them in one step take what they need
        :raises ValueError: as `ShortTerm.check`, or for no frames at all
        :raises TooManyTokens: if memory and frames are more than the model has positions for
        """
        if not frames:
            raise ValueError('a step needs at least one frame')
        self._tiers.short_term.check(frames)
        self._tiers.ids.check(frames)
        return StepView(
            self._tiers,
            self._step_buffer,
            tokens=len(frames) * self._shape.tokens_per_frame,
            keep=lambda keys, values, scores: self._keep(frames, keys, values, scores),
            scored=self._config.eviction == 'vsb' and buckets_with(self._tiers, frames),
        )

    @torch.inference_mode()
    def _keep(
        self, frames: Sequence[FrameRef], keys: Tensor, values: Tensor, scores: Tensor | None
    ) -> None:
        tiers, left = self._tiers, None
        if len(tiers.refs) >= self._forget_at and (not self._writer or self._writer.settle(0.0)):
            left = frames_left(tiers)  # may fail, so before anything is written
        keep(tiers, self._writer, frames, keys, values, scores)
        if left is not None:
            left.update(tiers.ids.frame(ref) for ref in frames)
            tiers.refs = {frame: ref for frame, ref in tiers.refs.items() if frame in left}
            self._forget_later()

    @torch.inference_mode()
    def put_noise(self, frames: Sequence[FrameRef]) -> None:
        """Keep frames of random keys and values, to measure what a memory of that size costs."""
        shape, like = self._shape, self._question_buffer.keys
        block = (
            shape.layers,
            shape.kv_heads,
            len(frames) * shape.tokens_per_frame,
            shape.head_dim,
        )
        keys, values = (torch.randn(block, dtype=like.dtype, device=like.device) for _ in 'kv')
        self._tiers.short_term.check(frames)
        self._keep(frames, keys, values, None)

    def _forget_later(self) -> None:
        """Say at how many frames to look again for some to forget."""
        held = len(self._tiers.refs)
        self._forget_at = held + max(FORGET_EVERY, held // 4)

    # The whole of it.

    def clear(self) -> int:
        """Forget every frame, keep the prefix; returns the frames forgotten."""
        forgotten, tiers = self.frame_count, self._tiers
        self.settle()
        if self._recall is not None:
            self._recall.clear()
        tiers.short_term.clear()
        for lane in tiers.long_term:
            lane.clear()
        if tiers.archive is not None:
            tiers.archive.clear()
        tiers.refs.clear()
        tiers.ids.clear()
        self._forget_later()
        return forgotten

    def close(self) -> None:
        """End the threads and give the archive's file back; nothing may follow."""
        for part in (self._writer, self._recall, self._tiers.archive):
            if part is not None:
                part.close()

    def sizes(self) -> MemorySizes:
        """Count tokens and bytes; see `MemorySizes`."""
        buffers = self._step_buffer.nbytes + self._question_buffer.nbytes
        ahead = self._recall.nbytes if self._recall is not None else 0
        return MemorySizes.of(
            self._tiers,
            read_bytes=buffers + self._tiers.rotary.nbytes + ahead,
            frames=self.frame_count,
            context_truncated=self._config.preset == 'full'
            and self._tiers.short_term.evictions > 0,
            recall=replace(self._recall.counts) if self._recall is not None else RecallCounts(),
            archive_lost=self._writer.counts.lost if self._writer is not None else 0,
        )

    # Snapshots.

    def state(self) -> State:
        """Return copies of all that is remembered, to `restore`."""
        self.settle()
        state = contents(self._tiers, identity=self._identity)
        state.facts['forget_at'] = self._forget_at
        return state

    def restore(self, state: State) -> None:
        """
        Hold what `state` gave; questions get the same answers, bit for bit.

        :raises SnapshotError: if it is of another model, of other cameras or budgets, or more than
            there is room for; then the memory is as empty as before
        :raises OSError: if the disk has no room for the archive's part now
        :raises RuntimeError: if the memory holds a frame
        """
        if self._tiers.short_term.kept:
            raise RuntimeError('a memory that holds frames is not written over: clear it first')
        self.clear()
        try:
            put_back(self._tiers, state, identity=self._identity)
        except BaseException:
            self.clear()
            raise
        self._forget_at = state.facts['forget_at']
