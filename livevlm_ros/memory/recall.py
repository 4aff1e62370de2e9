# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
FreeKV, arXiv 2505.13109: archived pages are fetched before they are asked for.

A question that is asked again, or goes on, wants nearly the pages it wanted before. So once all
layers have chosen their pages, a thread of its own ranks the archive with the same queries and
brings the best pages to the device while the engine computes; and again whenever the archive takes
new tokens. When the question comes back, each kv head compares its queries with those that chose:
where the mean cosine of its group is at least tau it chooses among what is on the device, where
not it waits for a new choice from everything.

The thread also writes the archive. So the archive is never read while it changes: before it is
read from the engine's thread, `begin` or `settle` waits for what was written.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from livevlm_ros.memory.archive import Archive
from livevlm_ros.memory.archive_index import PageIndex
from livevlm_ros.memory.long_term import Tokens
from livevlm_ros.memory.naming import TokenNames
from livevlm_ros.memory.reach import Reach
from livevlm_ros.memory.reading import Piece
from livevlm_ros.memory.resident import ResidentPages, Staging
from livevlm_ros.memory.retrieval import RetrievalSettings, choose, pooled, relevance
from livevlm_ros.memory.shape import CacheShape

WRITES = 2
"""Writes to the archive that may wait; a step that brings one more waits for the first."""

KEPT_UP_FRAMES = 64
"""Frames after whose archiving pages are not fetched any more for a question that stays away."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class RecallCounts:
    """
    What speculation did so far.

    :param speculated: choices of a kv head in a layer for a question that came back or went on
    :param corrected: those of them that could not be left to what was fetched ahead
    :param exposed_s: seconds that questions were kept waiting for their pages
    :param hidden_s: seconds spent on fetching ahead
    :param failed: jobs of the thread that ended in an error
    """

    speculated: int = 0
    corrected: int = 0
    exposed_s: float = 0.0
    hidden_s: float = 0.0
    failed: int = 0

    @property
    def correction_rate(self) -> float:
        """Share of the speculated choices that were corrected; NaN if there were none."""
        return self.corrected / self.speculated if self.speculated else math.nan


class Recall:
    """
    The archive as questions read it.

    :param pages: most pages of a layer that a question reads; 0: nothing is fetched ahead
    :param page_tokens: tokens of a page
    :param tau: least cosine at which a head trusts what was fetched ahead; above 1 none ever does
    """

    def __init__(
        self,
        archive: Archive,
        shape: CacheShape,
        settings: RetrievalSettings,
        names: TokenNames,
        *,
        pages: int,
        page_tokens: int,
        tau: float,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._archive, self._shape, self._settings, self._tau = archive, shape, settings, tau
        self._names = names
        self._ahead = pages > 0
        like = torch.empty(0, dtype=dtype, device=device)
        self._pages = ResidentPages(
            shape, slots=pages, page_tokens=page_tokens, device=device, dtype=dtype
        )
        self._like = like
        self._stagings = [
            Staging(shape, page_tokens=page_tokens, like=like) for _ in range(2 * self._ahead)
        ]  # one for each thread
        self._thread = ThreadPoolExecutor(1, thread_name_prefix='livevlm-recall')
        self._stream = torch.cuda.Stream(device) if device.type == 'cuda' else None
        self._jobs: list[Future[None]] = []
        self._writes: list[Future[None]] = []
        self.counts = RecallCounts()
        self._forget()

    def _forget(self) -> None:
        self._asked: tuple[str, Reach] | None = None
        self.speculates = False
        self._queries: dict[tuple[int, int], Tensor] = {}  # by layer and place in the answer
        self._due: list[int] = []  # layers that have chosen, for which nothing is fetched yet
        self._tokens_since = 0
        self._pages.clear()

    @property
    def nbytes(self) -> int:
        """Bytes of resident pages and staging."""
        return self._pages.nbytes + sum(staging.nbytes for staging in self._stagings)

    # What steps bring.

    def add(self, lane: int, tokens: Tokens) -> None:
        """Let the archive take tokens, soon; they must not be written over."""
        self._writes = [write for write in self._writes if not write.done()]
        if len(self._writes) >= WRITES:
            wait(self._writes[:1])
        self._writes.append(self._later(self._archive.add, lane, tokens))
        self._tokens_since += tokens.count
        if self._tokens_since > KEPT_UP_FRAMES * self._shape.tokens_per_frame:
            self._asked = None
        if self._asked is None:
            self._queries = {}
            self._later(self._pages.clear)
            return
        for layer in range(self._shape.layers):
            self._fetch_later(layer)

    def settle(self) -> None:
        """Wait until the archive is as steps left it and what is fetched ahead is there."""
        wait(self._jobs)
        self._jobs.clear()

    def clear(self) -> None:
        """Forget every token and question."""
        self.settle()
        self._archive.clear()
        self._forget()

    def close(self) -> None:
        """End the thread and give the archive's file back; nothing may follow."""
        self._thread.shutdown()
        self._archive.close()

    # What questions read.

    def begin(self, asked: str | None, reach: Reach, *, patience_s: float | None = None) -> bool:
        """
        Let a question read; it comes back or goes on if it begins with the last one's words.

        Within other bounds of cameras or time the same words are another question. `speculates`
        says whether pages are fetched ahead for the question that reads.

        :param asked: its words; None: it does not come back, nor disturbs one that does
        :param patience_s: longest wait for what steps have handed to the archive; None: any
        :returns: False if that was too short: the archive must not be read
        """
        self._due = []
        self.speculates = self._ahead and asked is not None and reach.only_ns is None
        if asked is not None and self.speculates:
            if not self._goes_on(asked, reach):
                self._queries = {}  # nothing is fetched for them any more
            self._asked, self._tokens_since = (asked, reach), 0
        in_time = not wait(self._jobs, patience_s).not_done
        self.speculates &= in_time
        return in_time

    def _goes_on(self, asked: str, reach: Reach) -> bool:
        if self._asked is None:
            return False
        words, before = self._asked
        bounds = [(r.cameras, r.first_ns, r.last_ns) for r in (reach, before)]
        return asked.startswith(words) and bounds[0] == bounds[1]

    def moved(self, layer: int, q: Tensor, *, place: int = 0) -> Tensor:
        """
        Say which kv heads need a new choice.

        They are compared with those at the same place when the question came the last time, or
        with the last before it in this answer.

        :param q: queries before rotary, [q_heads, tokens, head_dim]
        :param place: of the token in the answer; 0: the question
        :returns: bool [kv_heads]
        """
        before = self._before(layer, place)
        if before is None or not self.speculates:
            return torch.ones(self._shape.kv_heads, dtype=torch.bool)
        near = torch.cosine_similarity(pooled(q, self._settings), before, dim=-1)  # [q_heads, 1]
        moved = (near.view(self._shape.kv_heads, -1).mean(dim=1) < self._tau).cpu()
        self.counts.speculated += len(moved)
        self.counts.corrected += int(moved.sum())
        return moved

    def chosen_by(self, layer: int, q: Tensor, moved: Tensor, *, place: int = 0) -> None:
        """Note that some kv heads of a layer chose anew; for a question's, fetch ahead."""
        if not self.speculates:
            return
        now, before = pooled(q, self._settings), self._queries.get((layer, place))
        if before is not None:
            group = self._shape.q_heads // self._shape.kv_heads
            own = moved.repeat_interleave(group).to(now.device)
            now = torch.where(own[:, None, None], now, before)
        self._queries[layer, place] = now
        if not place:
            self._due.append(layer)

    def passed(self, layer: int) -> None:
        """Note that a question has read a layer: after the last one, fetching for it may begin."""
        if layer == self._shape.layers - 1:  # not before: two threads share one interpreter
            for due in self._due:
                self._fetch_later(due)
            self._due = []

    def _before(self, layer: int, place: int) -> Tensor | None:
        places = range(place, -1, -1)
        return next(
            (q for at in places if (q := self._queries.get((layer, at))) is not None), None
        )

    def everything(self, layer: int) -> PageIndex:
        """Return what a layer's pages are chosen by, all that are archived, on the device."""
        index, like = self._archive.index(layer), self._like
        return PageIndex(index.means.to(like.device), index.ends.to(like.device), index.serials)

    def ready(self, layer: int) -> PageIndex:
        """Return the same of those that are on the device already."""
        return self._pages.index(layer)

    def read_ready(self, layer: int, pages: Tensor) -> Piece:
        """Return some of the pages that `ready` gave, int64 [pages]."""
        return self._pages.piece(layer, self._pages.slots(layer)[pages.cpu()])

    def read(self, layer: int, rows: Tensor, *, moved: Tensor, place: int = 0) -> Piece:
        """
        Read archived pages.

        :param rows: of the layer's index, int64 [pages]
        :param moved: kv heads that are wanted, bool [kv_heads]; of others nothing is promised
        :param place: of the token that reads in the answer; what a question reads, at 0, stays on
            the device
        """
        rows = rows.cpu()
        if self.speculates and not place and bool(moved.all()):
            slots = self._pages.bring(self._archive, layer, rows, self._stagings[0])
            return self._pages.piece(layer, slots)
        heads = moved.nonzero()[:, 0]
        some = self._archive.read(layer, rows, heads=heads).like(self._like)
        return _spread(some, heads, of=self._shape.kv_heads)

    # What the thread does.

    def _fetch(self, layer: int, q: Tensor, reach: Reach) -> None:
        """Bring to the device what queries of a layer would choose of the archive."""
        if (layer, 0) not in self._queries:
            return
        index, began = self.everything(layer), time.monotonic()
        allowed = reach.reaches(index.ends, self._names)
        scores = relevance(q, index.means, settings=self._settings, allowed=allowed)
        rows = choose(scores, most=self._pages.tokens.shape[1]).cpu()
        self._pages.bring(self._archive, layer, rows, self._stagings[1])
        self.counts.hidden_s += time.monotonic() - began

    def _fetch_later(self, layer: int) -> None:
        q = self._queries.get((layer, 0))
        if q is not None and self._asked is not None:
            self._later(self._fetch, layer, q, self._asked[1])

    def _later(self, job: Callable[..., None], *arguments: object) -> Future[None]:
        ready = None if self._stream is None else torch.cuda.current_stream().record_event()
        done = self._thread.submit(self._run, ready, job, arguments)
        self._jobs = [other for other in self._jobs if not other.done()]
        self._jobs.append(done)
        return done

    @torch.inference_mode()
    def _run(
        self, ready: torch.cuda.Event | None, job: Callable[..., None], arguments: Sequence
    ) -> None:
        """Do a job in the thread, on its stream; what it made is there when it ends."""
        try:
            with nullcontext() if self._stream is None else torch.cuda.stream(self._stream):
                if self._stream is not None and ready is not None:
                    self._stream.wait_event(ready)
                job(*arguments)
                if self._stream is not None:
                    self._stream.synchronize()
        except Exception:  # the thread goes on, and questions choose from everything again
            _log.exception('the archive could not be written or read')
            self.counts.failed += 1
            self._queries = {}


def _spread(some: Piece, heads: Tensor, *, of: int) -> Piece:
    """Put tokens of some heads where all heads have room."""
    if len(heads) == of:
        return some
    keys, values = (
        part.new_zeros(of, *part.shape[1:]).index_copy_(0, heads.to(part.device), part)
        for part in (some.keys, some.values)
    )
    return Piece(keys, values, some.names)
