# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The memory of one stream: a prefix that never leaves, and what its preset keeps of the frames.

Steps write into it (`flow.py` says where a token goes), questions read it (`retrieval.py` says
which pages) and leave it as it was.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from livevlm_ros.memory.archive.file import ArchiveFile
from livevlm_ros.memory.archive.writer import ArchiveWriter
from livevlm_ros.memory.budgets import page_settings, view_tokens
from livevlm_ros.memory.calibration import HeadScores, head_scores
from livevlm_ros.memory.config import PREFIX_POSITIONS, RESERVED_POSITIONS, MemoryConfig
from livevlm_ros.memory.contents import contents, identity, put_back
from livevlm_ros.memory.filter import ReadFilter
from livevlm_ros.memory.flow import buckets_with, keep, noise
from livevlm_ros.memory.forgetting import Freed, clear, forget
from livevlm_ros.memory.holdings import newest, tokens_held
from livevlm_ros.memory.recall import Recall, RecallCounts
from livevlm_ros.memory.retrieval import Choice, Retrieval
from livevlm_ros.memory.settings import RetrievalSettings
from livevlm_ros.memory.shape import CacheShape, FrameRef
from livevlm_ros.memory.sizes import MemorySizes
from livevlm_ros.memory.state import State
from livevlm_ros.memory.tiers import new_tiers
from livevlm_ros.memory.tokens import TokenIds
from livevlm_ros.memory.views.evidence import EvidenceHeads
from livevlm_ros.memory.views.layerwise import LayerwiseView
from livevlm_ros.memory.views.partial_step import view_of
from livevlm_ros.memory.views.question import ProbeView, QuestionView
from livevlm_ros.memory.views.rekv import FramesOnlyView
from livevlm_ros.memory.views.step import StepView
from livevlm_ros.memory.views.view import ReadBuffer, TooManyTokens


class Memory:
    """
    Streaming memory of one stream, owned by one thread.

    :param config: preset and budgets
    :param shape: what the model's layers write
    :param cameras: camera names, one lane each
    :param device: where keys and values live
    :param dtype: type of keys and values, that of the model
    :param evidence: heads that evidence is read from; None: those that choose pages
    :param retrieval: how pages are found; None: by all heads of `voting_layers`
    :raises ValueError: if a lane would hold no frame, or the model has too few positions
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
        self._config, self._shape, self._cameras = config, shape, tuple(cameras)
        like = torch.empty(0, dtype=dtype, device=device)
        self._settings = settings = page_settings(config, shape, retrieval)
        self._evidence = evidence or EvidenceHeads.from_settings({}, shape, settings.heads)
        self._tiers = new_tiers(config, shape, self._cameras, settings, like)
        self._retrieval = Retrieval(self._tiers, settings, frames=config.retrieval_frames)
        size = settings.page_tokens
        self._identity = identity(config, shape, self._cameras, dtype=dtype, page_tokens=size)
        self._recall: Recall | None = None
        self._writer: ArchiveWriter | None = None
        if self._tiers.archive is not None:
            if config.chooses_once and config.tau <= 1:
                self._recall = Recall(self._retrieval, tau=config.tau, like=like)
            written = self._recall.archived if self._recall is not None else None
            self._writer = ArchiveWriter(self._tiers.archive, written=written)
        self._step_buffer = ReadBuffer(shape, layers=1, like=like)
        self._question_buffer = ReadBuffer(shape, layers=shape.layers, like=like)
        if config.preset != 'full':  # room for the longest views now, so that no read grows it
            room = sum(lane.capacity for lane in self._tiers.long_term)
            step, question = view_tokens(config, shape, len(cameras), long_term=room)
            self._step_buffer.reserve(step)
            self._question_buffer.reserve(question)
            self._tiers.rotary.reserve(max(step, question))
        else:  # they grow from the same size, whatever is read first
            for grows in (self._step_buffer, self._question_buffer, self._tiers.rotary):
                grows.reserve(PREFIX_POSITIONS)

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
            self._tiers,
            self._step_buffer,
            tokens=PREFIX_POSITIONS,
            keep=self._keep_prefix,
            text=True,
        )
        yield view
        view.commit()

    def _keep_prefix(self, keys: Tensor, values: Tensor, scores: Tensor | None) -> None:
        self._tiers.prefix_keys, self._tiers.prefix_values = keys.clone(), values.clone()

    def step(self, frames: Sequence[FrameRef], changed: Tensor | None = None) -> StepView:
        """
        Give a view for a step's frames; `commit` on it keeps them.

        Frames of one step are causal in stamp order, and read all that the device holds by then:
        one that comes late reads newer frames of other cameras. Later reads put it where its stamp
        belongs. Whatever raises before `commit` returns leaves the memory as it was.

        :param frames: source frames in stamp order, each newer than its camera's last; room is
            made for one a camera, more of them in one step take what they need
        :param changed: of their tokens, those that are read; None: all; see `PartialStepView`
        :raises ValueError: as `ShortTerm.check`, for no frames, or as `TokenIds.check`
        :raises TooManyTokens: if memory and frames are more than the model has positions for
        """
        if not frames:
            raise ValueError('a step needs at least one frame')
        self._tiers.short_term.check(frames)
        self._tiers.ids.check(frames)
        return view_of(frames, changed)(
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
        keep(self._tiers, self._writer, frames, keys, values, scores)

    @torch.inference_mode()
    def put_noise(self, frames: Sequence[FrameRef]) -> None:
        """Keep frames of random keys and values, to measure what a memory of that size costs."""
        self._tiers.short_term.check(frames)
        self._keep(frames, *noise(self._tiers, len(frames)), None)

    @property
    def question_room(self) -> int:
        """Most tokens a question and its answer may have together."""
        return RESERVED_POSITIONS - self._tiers.prefix_tokens

    @property
    def retrieves(self) -> bool:
        """Whether questions may read more than short-term."""
        return self._config.retrieves

    @property
    def pages_to_rank(self) -> int:
        """How many pages a question would rank now."""
        return self._retrieval.pages_to_rank if self._config.retrieves else 0

    def readings(
        self,
        *,
        tokens: int,
        extra_tokens: int,
        reading: ReadFilter | None = None,
        key: str | None = None,
        patience_s: float | None = None,
    ) -> Iterator[QuestionView]:
        """
        Give the views that a question is read over, one after another: the last is its answer's.

        The question's tokens go through the model over each of them before the next is asked for.
        A probe comes first where pages are to be chosen; a question that comes back begins with
        the pages chosen for it ahead, and goes on only if its queries have moved.

        :param tokens: of the question
        :param extra_tokens: of the question and its answer together
        :param reading: what may be read; None: all
        :param key: what the question is known by when it comes back; None: it does not
        :param patience_s: longest wait for frames that are being archived; None: any. A view's
            `complete` says whether they could be read, its `waited_s` how long that took
        :raises TooManyTokens: if they are more than `question_room`
        """
        reading = reading or ReadFilter()
        began, writer = time.monotonic(), self._writer if reading.long_term else None
        complete = writer is None or writer.settle(patience_s)
        waited_s = time.monotonic() - began
        recall = self._recall if reading.only_ns is None else None
        if recall is not None and key is not None:
            ahead = recall.ahead(key, reading)
            if ahead is not None:
                view = self.question(extra_tokens=extra_tokens, reading=reading, choice=ahead)
                view.speculated, view.complete, view.waited_s = True, complete, waited_s
                yield view
                if not recall.moved(view.queries):
                    recall.again()
                    return
        probe = self.probe(tokens=tokens, reading=reading)
        if probe is not None:
            yield probe
        view = self.question(extra_tokens=extra_tokens, reading=reading, probe=probe)
        view.complete, view.waited_s = complete, waited_s
        if self._recall is not None:
            self._recall.counts.exposed_s += view.rank_s
        yield from view.passes()
        if recall is not None and key is not None and probe is not None:
            recall.remember(key, reading, choosers=probe.queries, readers=view.queries)

    def probe(self, *, tokens: int, reading: ReadFilter | None = None) -> ProbeView | None:
        """
        Give a view that yields the queries which choose pages; None if there are none to choose.

        :param tokens: of the question
        :param reading: what may be read; None: all
        """
        reading = reading or ReadFilter()
        chooses = reading.long_term and reading.only_ns is None and self._retrieval.held() > 0
        if not self._config.chooses_once or not chooses:
            return None
        return ProbeView(
            self._tiers,
            self._question_buffer,
            room=tokens,
            reading=reading,
            evidence=self._evidence,
            choosing=self._retrieval.layers,
        )

    def head_scores(self, probe: ProbeView) -> HeadScores:
        """Say how much each head of the layers that choose wants each archived page."""
        archive, page_tokens = self._tiers.archive, self._settings.page_tokens
        assert archive is not None
        scores = head_scores(archive, probe.queries, page_tokens=page_tokens)
        stamps_ns = self.ids.since_ns(archive.frames) + (self.ids.origin_ns or 0)
        of_pages = stamps_ns.repeat_interleave(self._shape.tokens_per_frame // page_tokens)
        return HeadScores(scores, of_pages, self._retrieval.most_pages)

    def question(
        self,
        *,
        extra_tokens: int,
        reading: ReadFilter | None = None,
        probe: ProbeView | None = None,
        choice: Choice | None = None,
    ) -> QuestionView:
        """
        Give a view for one question; the view before it must not be read any more.

        :param extra_tokens: tokens of the question and its answer together
        :param reading: what may be read; None: all
        :param probe: what the question's tokens have been read over, to choose pages by
        :param choice: pages to read in place of a choice by the probe
        :raises TooManyTokens: if they are more than `question_room`
        """
        reading = reading or ReadFilter()
        if extra_tokens > self.question_room:
            raise TooManyTokens(
                f'question and answer need {extra_tokens} tokens, at most {self.question_room} '
                'fit: shorten the question or ask for fewer tokens'
            )
        retrieves = reading.long_term and self._config.retrieves
        if retrieves and not self._config.chooses_once:
            only = self._config.retrieval == 'frames-only'
            return (FramesOnlyView if only else LayerwiseView)(
                self._tiers,
                self._question_buffer,
                room=extra_tokens,
                reading=reading,
                evidence=self._evidence,
                page_tokens=self._settings.page_tokens,
                most_pages=self._retrieval.most_pages,
            )
        if choice is None and (probe is not None or retrieves and reading.only_ns is not None):
            choice = self._retrieval.choose(probe.queries if probe is not None else {}, reading)
        view = QuestionView(
            self._tiers,
            self._question_buffer,
            room=extra_tokens,
            reading=reading,
            evidence=self._evidence,
            choosing=self._retrieval.layers if choice is not None else (),
            chosen=choice.tokens if choice is not None else None,
        )
        if choice is not None:
            view.ranked, view.rank_s = choice.ranked, choice.rank_s
        return view

    def clear(self) -> Future[Freed]:
        """Forget every frame, keep the prefix; the disk is overwritten when the result is done."""
        return clear(self._tiers, self._writer, self._recall, frames=self.frame_count)

    def forget(self, reading: ReadFilter) -> Future[Freed]:
        """Forget the frames that a filter lets be read for good; the result as of `clear`."""
        frames = [ref for ref in self.refs() if reading.contains(ref)]
        return forget(self._tiers, self._writer, self._recall, frames)

    def settle(self) -> None:
        """Wait until what steps handed to the archive is in it, and what is chosen ahead there."""
        if self._writer is not None:
            self._writer.rest()
        if self._recall is not None:
            self._recall.settle()

    def close(self) -> None:
        """End the threads and give the archive's file back; nothing may follow."""
        for part in (self._writer, self._recall, self._tiers.archive):
            if part is not None:
                part.close()

    def refs(self) -> list[FrameRef]:
        """Frames of which the memory holds a token, or did lately, by stamp, oldest first."""
        if not self._config.retrieves:
            return self._tiers.short_term.refs()
        return sorted(self._tiers.refs.values(), key=lambda ref: (ref.stamp_ns, ref.camera))

    @property
    def frame_count(self) -> int:
        """How many frames `refs` gives."""
        return len(self._tiers.refs if self._config.retrieves else self._tiers.short_term)

    @property
    def ids(self) -> TokenIds:
        """What gives tokens their ids."""
        return self._tiers.ids

    def holds(self, frames: Sequence[FrameRef]) -> dict[str, Tensor]:
        """Say which tokens of frames each tier holds, bool [frames, tokens_per_frame] by tier."""
        return tokens_held(self._tiers, frames)

    @property
    def archive_file(self) -> ArchiveFile | None:
        """The archive's file; None if nothing is archived on disk."""
        return self._tiers.archive.file if self._tiers.archive is not None else None

    def in_short_term(self, ref: FrameRef) -> bool:
        """Return whether a frame is in short-term."""
        return ref in self._tiers.short_term.refs()

    def newest(self, reading: ReadFilter | None = None) -> FrameRef | None:
        """Return the newest frame that may be read, None when there is none."""
        if reading is None:
            return next(reversed(self._tiers.short_term.refs()), None)
        return newest(self._tiers, reading)

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

    def state(self) -> State:
        """
        Return all that is remembered, to `restore`; the memory may go on meanwhile.

        The archive's rows are read as they are now, whenever; `Forgotten` after a `clear`.
        """
        if self._writer is not None:
            self._writer.settle()
        return contents(self._tiers, identity=self._identity)

    def restore(self, state: State) -> None:
        """
        Hold what `state` gave; questions get the same answers, bit for bit.

        :raises SnapshotError: if it is another memory's, or too large; this one is empty then
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
