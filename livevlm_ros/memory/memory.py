# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The memory of one stream: a prefix that never leaves, and what its preset keeps of the frames.

Frames enter short-term; what leaves it goes to its camera's long-term, what bucketing drops there
to the archive, as far as the preset has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from livevlm_ros.memory.budgets import (
    identity,
    lane_frames,
    new_archive,
    new_recall,
    reserved_positions,
)
from livevlm_ros.memory.config import PREFIX_POSITIONS, RESERVED_POSITIONS, MemoryConfig
from livevlm_ros.memory.contents import contents, put_back
from livevlm_ros.memory.evidence import EvidenceLayers
from livevlm_ros.memory.long_term import LongTerm, Tokens, tokens_of
from livevlm_ros.memory.naming import TokenNames
from livevlm_ros.memory.pages import Pages
from livevlm_ros.memory.question_view import QuestionView
from livevlm_ros.memory.reach import Reach
from livevlm_ros.memory.reading import ReadBuffer
from livevlm_ros.memory.recall import RecallCounts
from livevlm_ros.memory.retrieval import RetrievalSettings
from livevlm_ros.memory.shape import CacheShape, FrameRef
from livevlm_ros.memory.short_term import Leaving, ShortTerm
from livevlm_ros.memory.sizes import MemorySizes
from livevlm_ros.memory.snapshot import SnapshotError, State
from livevlm_ros.memory.step_view import StepView
from livevlm_ros.memory.view import Parts, TooManyTokens

FULL_FIRST_SLOTS = 64
"""Frames `full` has room for before it first grows."""

FORGET_EVERY = 256
"""Frames between two looks for frames of which nothing is left, whose names are then forgotten."""


class Memory:
    """
    Streaming memory of one stream, owned by one thread.

    :param config: preset and budgets
    :param shape: what the model's layers write
    :param cameras: camera names, one lane each
    :param device: where keys and values live
    :param dtype: type of keys and values, that of the model
    :param evidence: layers and heads evidence is read from; None: all
    :param retrieval: how pages are found; None: as in the paper
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
        retrieval: RetrievalSettings | None = None,
    ) -> None:
        device = torch.device(device)
        of_lane = lane_frames(config, shape, len(cameras))
        slots = of_lane * len(cameras)
        self._config, self._shape, self._cameras = config, shape, tuple(cameras)
        self._evidence = evidence or EvidenceLayers(tuple(range(shape.layers)))
        self._forget_at = FORGET_EVERY
        self._names = TokenNames(self._cameras, shape.tokens_per_frame)
        self._short_term = ShortTerm(
            shape,
            cameras,
            self._names,
            lane_frames=of_lane,
            slots=min(slots, FULL_FIRST_SLOTS) if config.preset == 'full' else slots,
            device=device,
            dtype=dtype,
            hand_over=self._take_over if config.retrieves else None,
        )
        settings = retrieval or RetrievalSettings()
        page_tokens = settings.page_tokens
        if config.retrieval == 'frames':  # whole frames, by the mean question, as ReKV has it
            page_tokens, settings = shape.tokens_per_frame, replace(settings, pooling='mean')
        self._archive = new_archive(config, shape, cameras=len(cameras), page_tokens=page_tokens)
        self._recall = new_recall(
            config,
            shape,
            settings,
            self._archive,
            self._names,
            page_tokens=page_tokens,
            device=device,
            dtype=dtype,
        )
        self._identity = identity(config, shape, cameras, dtype=dtype, page_tokens=page_tokens)
        budget = config.long_term_frames * shape.tokens_per_frame // len(cameras)
        self._long_term = [
            LongTerm(
                shape,
                budget=budget,
                eviction=config.eviction,
                device=device,
                dtype=dtype,
                drop=self._dropping(lane),
            )
            for lane in range(len(cameras) if budget else 0)
        ]
        self._pages = (
            Pages(
                config,
                settings,
                self._long_term,
                self._recall,
                self._names,
                page_tokens=page_tokens,
                frame_tokens=shape.tokens_per_frame,
            )
            if config.retrieves
            else None
        )
        self._parts = Parts(
            shape,
            self._short_term,
            self._long_term,
            self._archive,
            self._names,
            device=device,
            dtype=dtype,
        )
        self._step_buffer = ReadBuffer(shape, layers=1, device=device, dtype=dtype)
        self._question_buffer = ReadBuffer(shape, layers=shape.layers, device=device, dtype=dtype)
        if config.preset != 'full':
            self._reserve_views(slots * shape.tokens_per_frame)

    def _reserve_views(self, ring_tokens: int) -> None:
        """Make room for the longest views now, so that no read grows it."""
        beside = reserved_positions(self._shape, len(self._cameras))
        step = ring_tokens + sum(lane.capacity for lane in self._long_term)
        question = ring_tokens + (
            self._pages.most_tokens(Reach(), layers=self._shape.layers) if self._pages else 0
        )
        longest = max(step + beside, question + RESERVED_POSITIONS)
        if longest > self._shape.max_positions:
            raise ValueError(
                f'short_term_frames and long_term_frames need {step} tokens for a step and '
                f'{question} for a question, the model has {self._shape.max_positions} positions, '
                f'{beside} of them kept free'
            )
        self._step_buffer.reserve(step + beside)
        self._question_buffer.reserve(question + RESERVED_POSITIONS)
        self._parts.rotary.reserve(longest)

    def _take_over(self, leaving: Leaving) -> None:
        """Put a frame that leaves short-term where the preset keeps it."""
        lane, tokens = self._cameras.index(leaving.ref.camera), tokens_of(leaving, self._names)
        if self._long_term:
            self._long_term[lane].add(tokens)
        elif self._recall is not None:  # the frame's slot is written over before it is archived
            self._recall.add(lane, tokens.copied())

    def _dropping(self, lane: int) -> Callable[[Tokens], None] | None:
        """Return what takes the tokens that a camera's long-term drops."""
        return partial(self._recall.add, lane) if self._recall is not None else None

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
        self._names.check(frames)
        return StepView(
            self._parts,
            self._step_buffer,
            room=len(frames) * self._shape.tokens_per_frame,
            keep=lambda keys, values: self._keep(frames, keys, values),
            scored=self._buckets_with(frames),
        )

    def _keep(self, frames: Sequence[FrameRef], keys: Tensor, values: Tensor) -> None:
        self._names.begin(frames[0].stamp_ns)
        self._short_term.keep(frames, keys, values)
        for ref in frames:
            self._parts.refs[self._names.frame(ref)] = ref
        if len(self._parts.refs) >= self._forget_at:
            self._forget_names()
            self._forget_later()

    def _buckets_with(self, frames: Sequence[FrameRef]) -> bool:
        """Return whether keeping frames makes a bucketing that looks at scores due."""
        if self._config.eviction != 'vsb':
            return False
        tokens = self._shape.tokens_per_frame
        return any(
            lane.full_with(tokens * sum(ref.camera == camera for ref in frames))
            for lane, camera in zip(self._long_term, self._cameras, strict=False)
        )

    def _forget_later(self) -> None:
        """Say at how many frames to look again for some to forget."""
        held = len(self._parts.refs)
        self._forget_at = held + max(FORGET_EVERY, held // 4)

    def _forget_names(self) -> None:
        """Forget the frames of which no token is left anywhere."""
        refs, names = self._parts.refs, self._names
        held = [lane.tokens.names.flatten() for lane in self._long_term]
        if self._archive is not None:
            self.settle()
            held.append(self._archive.names())
        alive = {names.frame(ref) for ref in self._short_term.refs()}
        if held:
            alive.update(names.frames(torch.cat([h.cpu() for h in held])).unique().tolist())
        for gone in refs.keys() - alive:
            del refs[gone]

    @property
    def question_room(self) -> int:
        """Most tokens a question and its answer may have together."""
        return RESERVED_POSITIONS - self._parts.prefix_tokens

    def question(
        self,
        *,
        extra_tokens: int,
        reach: Reach | None = None,
        asked: str | None = None,
        patience_s: float | None = None,
    ) -> QuestionView:
        """
        Give a view for one question; the view before it must not be read any more.

        :param extra_tokens: tokens of the question and its answer together
        :param reach: what may be read; None: all
        :param asked: the question's words; when it comes again, or with more words, its pages are
            fetched ahead. None: that is not looked for
        :param patience_s: longest wait for the archive; None: any. The view's `reach` says whether
            it is read
        :raises TooManyTokens: if they are more than `question_room`
        """
        if extra_tokens > self.question_room:
            raise TooManyTokens(
                f'question and answer need {extra_tokens} tokens, at most {self.question_room} '
                'fit: shorten the question or ask for fewer tokens'
            )
        return QuestionView(
            self._parts,
            self._question_buffer,
            room=extra_tokens,
            evidence=self._evidence,
            pages=self._pages,
            reach=reach or Reach(),
            asked=asked,
            patience_s=patience_s,
        )

    def clear(self) -> int:
        """Forget every frame, keep the prefix; returns the frames forgotten."""
        forgotten = len(self.frames())
        self._short_term.clear()
        for lane in self._long_term:
            lane.clear()
        if self._recall is not None:
            self._recall.clear()
        self._parts.refs.clear()
        self._names.clear()
        self._forget_later()
        return forgotten

    def state(self) -> State:
        """Return copies of all that is remembered, to `restore`."""
        self.settle()
        state = contents(self._parts, identity=self._identity)
        state.facts['forget_at'] = self._forget_at
        return state

    def restore(self, state: State) -> None:
        """
        Hold what `state` gave; questions get the same answers, bit for bit.

        :raises SnapshotError: if it is of another model, of other cameras or budgets, or more than
            there is room for; then the memory is as empty as before
        :raises RuntimeError: if the memory holds a frame
        """
        if self._short_term.kept:
            raise RuntimeError('a memory that holds frames is not written over: clear it first')
        self.clear()  # what questions have fetched ahead, too
        try:
            put_back(self._parts, state, identity=self._identity)
        except SnapshotError:
            self.clear()
            raise
        self._forget_at = state.facts['forget_at']

    def close(self) -> None:
        """Give back the archive's file; nothing may follow."""
        if self._recall is not None:
            self._recall.close()

    def settle(self) -> None:
        """Wait until what steps handed to the archive is in it."""
        if self._recall is not None:
            self._recall.settle()

    def frames(self) -> list[FrameRef]:
        """Frames of which the memory holds a token, or did lately, by stamp, oldest first."""
        if self._pages is None:
            return self._short_term.refs()
        return sorted(self._parts.refs.values(), key=lambda ref: (ref.stamp_ns, ref.camera))

    @property
    def frame_count(self) -> int:
        """How many frames `frames` gives."""
        return len(self._parts.refs if self._pages else self._short_term.refs())

    def is_new(self, ref: FrameRef) -> bool:
        """Return whether a frame is in short-term."""
        return ref in self._short_term.refs()

    def newest(self, reach: Reach | None = None) -> FrameRef | None:
        """Return the newest frame within reach, None when there is none."""
        new = self._short_term.refs()
        if reach is None:
            return new[-1] if new else None
        tiers = {True: reach.short_term, False: reach.long_term}
        short_term = set(new)
        within = (ref for ref in self.frames() if tiers[ref in short_term] and reach.holds(ref))
        return max(within, default=None, key=lambda ref: ref.stamp_ns)

    def sizes(self) -> MemorySizes:
        """Count tokens and bytes; see `MemorySizes`."""
        buffers = self._step_buffer.nbytes + self._question_buffer.nbytes
        staged = self._recall.nbytes if self._recall else 0
        new = self._short_term.refs()
        return MemorySizes.of(
            self._parts,
            read_bytes=buffers + self._parts.rotary.nbytes + staged,
            frames=self.frame_count,
            oldest=next(iter(self._parts.refs.values() if self._pages else new), None),
            context_truncated=self._config.preset == 'full' and self._short_term.evictions > 0,
            recall=replace(self._recall.counts) if self._recall else RecallCounts(),
        )
