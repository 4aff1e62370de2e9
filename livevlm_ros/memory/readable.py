# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What questions see of a memory; they leave it as it was.

A probe yields the queries that choose pages (`retrieval.py`), a view of prefix, chosen pages and
short-term answers; pages of a question that comes back are chosen ahead of it (`recall.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from livevlm_ros.memory.archive.file import ArchiveFile
from livevlm_ros.memory.archive.writer import ArchiveWriter
from livevlm_ros.memory.config import RESERVED_POSITIONS, MemoryConfig
from livevlm_ros.memory.filter import ReadFilter
from livevlm_ros.memory.holdings import tokens_held
from livevlm_ros.memory.recall import Recall
from livevlm_ros.memory.retrieval import Choice, Retrieval
from livevlm_ros.memory.settings import RetrievalSettings
from livevlm_ros.memory.shape import FrameRef
from livevlm_ros.memory.tiers import FULL_FIRST_SLOTS, Tiers
from livevlm_ros.memory.tokens import TokenIds
from livevlm_ros.memory.views.evidence import EvidenceHeads
from livevlm_ros.memory.views.layerwise import LayerwiseView
from livevlm_ros.memory.views.question import ProbeView, QuestionView
from livevlm_ros.memory.views.view import ReadBuffer, TooManyTokens

OUT_OF_ORDER_NS = 60 * 10**9
"""By how much frames may come later than newer ones of other cameras."""


class ReadableMemory:
    """
    The half of `Memory` that questions see.

    :param tiers: what is remembered
    :param settings: how pages are found
    :param evidence: heads that evidence is read from
    :param like: of the device and type of keys and values
    """

    def __init__(
        self,
        config: MemoryConfig,
        tiers: Tiers,
        settings: RetrievalSettings,
        evidence: EvidenceHeads,
        *,
        like: Tensor,
    ) -> None:
        shape = tiers.shape
        self._config, self._tiers, self._settings = config, tiers, settings
        self._evidence = evidence
        self._retrieval = Retrieval(
            shape,
            settings,
            tiers.ids,
            tiers.long_term,
            tiers.archive,
            frames=config.retrieval_frames,
            like=like,
        )
        self._recall: Recall | None = None
        self._writer: ArchiveWriter | None = None
        if tiers.archive is not None and self._chooses_once:
            self._recall = Recall(self._retrieval, tau=config.tau, like=like)
        if tiers.archive is not None:
            written = self._recall.archived if self._recall is not None else None
            self._writer = ArchiveWriter(tiers.archive, written=written)
        self._question_buffer = ReadBuffer(shape, layers=shape.layers, like=like)

    @property
    def question_room(self) -> int:
        """Most tokens a question and its answer may have together."""
        return RESERVED_POSITIONS - self._tiers.prefix_tokens

    @property
    def retrieves(self) -> bool:
        """Whether questions may read more than short-term."""
        return self._config.retrieves

    @property
    def frames_to_read(self) -> int:
        """How many frames a question reads, at most, in a memory that does not grow."""
        config = self._config
        if config.preset == 'full':
            return FULL_FIRST_SLOTS
        return config.short_term_frames + config.retrieval_frames

    @property
    def pages_to_rank(self) -> int:
        """How many pages a question would rank now."""
        return self._retrieval.pages_to_rank if self._config.retrieves else 0

    @property
    def _chooses_once(self) -> bool:
        """Whether pages are chosen once for all layers."""
        return self._config.retrieves and self._config.retrieval == 'tokens'

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
        :param patience_s: longest wait for frames that are being archived; None: any. The view's
            `complete` says whether they could be read
        :raises TooManyTokens: if they are more than `question_room`
        """
        reading = reading or ReadFilter()
        complete = self._writer is None or self._writer.settle(patience_s)
        again = key is not None and reading.only_ns is None and self._recall is not None
        if again and self._recall is not None:
            ahead = self._recall.ahead(key, reading)
            if ahead is not None:
                view = self.question(extra_tokens=extra_tokens, reading=reading, choice=ahead)
                view.speculated, view.complete = True, complete
                yield view
                if not self._recall.moved(view.queries):
                    self._recall.again()
                    return
        probe = self.probe(tokens=tokens, reading=reading)
        if probe is not None:
            yield probe
        view = self.question(extra_tokens=extra_tokens, reading=reading, probe=probe)
        view.complete = complete
        yield view
        if again and probe is not None and self._recall is not None and key is not None:
            self._recall.remember(key, reading, choosers=probe.queries, readers=view.queries)

    def probe(self, *, tokens: int, reading: ReadFilter | None = None) -> ProbeView | None:
        """
        Give a view that yields the queries which choose pages; None if there are none to choose.

        :param tokens: of the question
        :param reading: what may be read; None: all
        """
        reading = reading or ReadFilter()
        if not self._chooses_once or not reading.long_term or not self._retrieval.held():
            return None
        if reading.only_ns is not None:
            return None
        return ProbeView(
            self._tiers,
            self._question_buffer,
            room=tokens,
            reading=reading,
            evidence=self._evidence,
            choosing=self._retrieval.layers,
        )

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
        if retrieves and not self._chooses_once:
            return LayerwiseView(
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
        self.settle()
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
        new = self._tiers.short_term.refs()
        if reading is None:
            return new[-1] if new else None
        inside = reading.short_term_indices(new)
        if inside:
            return new[inside[-1]]
        if not reading.long_term or not self._config.retrieves:
            return None
        short_term, latest = set(new), None
        for ref in reversed(self._tiers.refs.values()):  # about from the newest on
            behind = latest is not None and ref.stamp_ns + OUT_OF_ORDER_NS < latest.stamp_ns
            if behind:
                break
            if reading.contains(ref) and ref not in short_term:
                latest = max(latest or ref, ref, key=lambda each: each.stamp_ns)
        return latest

    def settle(self) -> None:
        """Wait until what steps handed to the archive is in it, and what is chosen ahead there."""
        if self._writer is not None:
            self._writer.settle()
        if self._recall is not None:
            self._recall.settle()
