# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Speculative retrieval: a question that comes back reads pages chosen before it is asked.

FreeKV (arXiv 2505.13109) lets a decode step read what the step before chose and recalls the next
choice off the critical path. Here a step is an asking: a robot asks its standing questions again
and again. Once a question has been answered, a thread of its own chooses with the queries that
chose for it, from all that the archive holds by then, and brings the pages to the device; and
again whenever frames have been archived. The next asking reads them without a probe, and waits
only for a choice that is being made. Then its queries in the heads that choose are compared with
those of the asking that chose: where the mean cosine of a kv head's group is below tau the
question is corrected: it is probed anew and waits for its pages. The choice in use and the one
that is being made are the two buffers of the paper's double buffering; a newer choice replaces an
older.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from livevlm_ros.memory.filter import ReadFilter
from livevlm_ros.memory.retrieval import Choice, Retrieval

HOT_FRAMES = 64
"""Frames after whose archiving nothing is chosen any more for a question that stays away."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class RecallCounts:
    """
    What speculation did so far.

    :param speculated: kv heads that choose, layer by layer, of questions that read pages chosen
        ahead
    :param corrected: those of them whose queries had moved
    :param questions: questions that read pages chosen ahead
    :param questions_corrected: those of them that were probed anew
    :param exposed_s: seconds that questions waited for a choice ahead, or for pages to be ranked
    :param hidden_s: seconds spent on choosing ahead
    :param failed: choices ahead that ended in an error
    """

    speculated: int = 0
    corrected: int = 0
    questions: int = 0
    questions_corrected: int = 0
    exposed_s: float = 0.0
    hidden_s: float = 0.0
    failed: int = 0

    @property
    def correction_rate(self) -> float:
        """Share of the speculated heads that had moved; NaN if there were none."""
        return self.corrected / self.speculated if self.speculated else math.nan


@dataclass(slots=True)
class _Standing:
    """
    The question that was asked last.

    :param key: what it is known by
    :param reading: what it may read
    :param choosers: queries that chose its pages, by layer
    :param readers: queries, by layer, of the first read of those pages
    """

    key: str
    reading: ReadFilter
    choosers: Mapping[int, Tensor]
    readers: Mapping[int, Tensor]


class Recall:
    """
    Chooses ahead for the question asked last.

    :param tau: least mean cosine of a kv head's group
    """

    def __init__(self, retrieval: Retrieval, *, tau: float, like: Tensor) -> None:
        self._retrieval, self._tau = retrieval, tau
        self._device = like.device
        self._stream = torch.cuda.Stream(like.device) if like.is_cuda else None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix='livevlm-recall')
        self._thread.submit(int)  # it starts now: no question may fail for want of a thread
        self._lock = threading.Lock()
        self._before: Mapping[int, Tensor] = {}  # queries that a question is compared with
        self.counts = RecallCounts()
        self.clear()

    def clear(self) -> None:
        """Forget the question."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        self._standing: _Standing | None = None
        self._ahead: Future[tuple[Choice, torch.cuda.Event | None] | None] | None = None
        self._waiting = False  # whether a choice is due that has not begun
        self._archived = 0

    def close(self) -> None:
        """End the thread; nothing may follow."""
        self._thread.shutdown()

    @property
    def nbytes(self) -> int:
        """Bytes of the pages chosen ahead."""
        ahead = self._ahead
        found = ahead.result() if ahead is not None and ahead.done() else None
        return 2 * found[0].tokens.keys.nbytes if found else 0

    def settle(self) -> None:
        """Wait until what is chosen ahead is there."""
        ahead = self._ahead
        if ahead is not None:
            ahead.result()

    def ahead(self, key: str, reading: ReadFilter) -> Choice | None:
        """
        Return the pages chosen ahead for a question, None if there are none for it.

        :param key: what the question is known by
        :param reading: what it may read
        """
        standing, ahead = self._standing, self._ahead
        if standing is None or ahead is None:
            return None
        if (standing.key, standing.reading) != (key, reading):
            return None
        began = time.monotonic()
        found = ahead.result()
        self.counts.exposed_s += time.monotonic() - began
        if found is None:
            return None
        choice, event = found
        if event is not None:
            stream = torch.cuda.current_stream(self._device)
            stream.wait_event(event)
            choice.tokens.keys.record_stream(stream)
            choice.tokens.values.record_stream(stream)
        self._before = standing.readers
        self.counts.questions += 1
        return choice

    def moved(self, queries: Mapping[int, Tensor]) -> bool:
        """
        Return whether a question that read pages chosen ahead must choose anew.

        :param queries: those it read them with, [q_heads, tokens, head_dim] by layer
        """
        now, before = self._retrieval.rows(queries), self._retrieval.rows(self._before)
        cosines = torch.stack(  # NaN where no head of the group chooses
            [torch.cosine_similarity(now[n], before[n], dim=-1).mean(dim=1) for n in now]
        ).cpu()
        moved = int((cosines < self._tau).sum())
        self.counts.speculated += int(cosines.isfinite().sum())
        self.counts.corrected += moved
        self.counts.questions_corrected += bool(moved)
        return bool(moved)

    def remember(
        self,
        key: str,
        reading: ReadFilter,
        *,
        choosers: Mapping[int, Tensor],
        readers: Mapping[int, Tensor],
    ) -> None:
        """Choose ahead for a question that has chosen anew, from now on."""
        with self._lock:
            self._standing, self._archived = _Standing(key, reading, choosers, readers), 0
        self.refresh()

    def again(self) -> None:
        """Note that the question has come back: it stays hot."""
        with self._lock:
            self._archived = 0

    def archived(self) -> None:
        """Choose anew, for a frame has been archived; any thread."""
        with self._lock:
            self._archived += 1
            if self._archived > HOT_FRAMES:
                self._forget()
        self.refresh()

    def refresh(self) -> None:
        """Have the next choice made, unless one is waiting that will see all there is."""
        with self._lock:
            if self._standing is None or self._waiting:
                return
            ready = None
            if self._stream is not None:
                ready = torch.cuda.current_stream(self._device).record_event()
            self._ahead = self._thread.submit(self._choose, ready)
            self._waiting = True  # the choice begins once the lock is free

    @torch.inference_mode()
    def _choose(
        self, ready: torch.cuda.Event | None
    ) -> tuple[Choice, torch.cuda.Event | None] | None:
        with self._lock:
            standing, self._waiting = self._standing, False
        if standing is None:
            return None
        began = time.monotonic()
        try:
            with nullcontext() if self._stream is None else torch.cuda.stream(self._stream):
                if self._stream is not None and ready is not None:
                    self._stream.wait_event(ready)
                choice = self._retrieval.choose(standing.choosers, standing.reading)
                event = None if self._stream is None else self._stream.record_event()
        except Exception:  # the question chooses for itself
            self.counts.failed += 1
            _log.exception('pages could not be chosen ahead')
            return None
        self.counts.hidden_s += time.monotonic() - began
        return choice, event
