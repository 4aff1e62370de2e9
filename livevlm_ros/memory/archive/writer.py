# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The thread that writes the archive, so that no step waits for compression or for the disk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import torch
from torch import Tensor

from livevlm_ros.memory.archive.archive import Archive
from livevlm_ros.memory.archive.sizes import Wiped, Wiping
from livevlm_ros.memory.tokens import Tokens

MOST_WAITING = 32
"""Frames that may wait to be written; of more, those that come are not archived."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class WriteCounts:
    """
    What became of frames that left short-term.

    :param failed: frames whose writing ended in an error
    :param overrun: frames that came while too many waited
    """

    failed: int = 0
    overrun: int = 0

    @property
    def lost(self) -> int:
        """Frames that the archive does not have."""
        return self.failed + self.overrun


@dataclass(frozen=True, slots=True)
class Staged:
    """
    Copies of frames, to be written.

    :param left: how many frames left short-term; those without a copy are lost
    :param ready: when the copies are made; None: they are
    """

    frames: list[Tokens]
    left: int
    ready: torch.cuda.Event | None


class ArchiveWriter:
    """
    Writes frames one after another, and tends the archive while none waits.

    :param written: called in the thread whenever a frame has been written; None: nothing is
    """

    def __init__(self, archive: Archive, *, written: Callable[[], None] | None = None) -> None:
        self._archive, self._written = archive, written
        self._thread = ThreadPoolExecutor(1, thread_name_prefix='livevlm-archive')
        self._thread.submit(int)  # it starts now: no step may fail for want of a thread
        self._jobs: dict[Future[None], Tensor] = {}  # with the ids of the frame's tokens
        self._tending = self._closed = False
        self._told = ''  # the last failure
        self.counts = WriteCounts()

    def stage(self, frames: Sequence[Tokens]) -> Staged:
        """Copy frames that are about to be written over, as far as there is room for them."""
        self._jobs = {job: ids for job, ids in self._jobs.items() if not job.done()}
        room = max(0, MOST_WAITING - len(self._jobs))
        copies = [Tokens(f.keys.clone(), f.values.clone(), f.ids) for f in frames[:room]]
        ready = None
        if copies and copies[0].keys.is_cuda:
            ready = torch.cuda.current_stream(copies[0].keys.device).record_event()
        return Staged(copies, len(frames), ready)

    def commit(self, staged: Staged) -> None:
        """Have staged frames written."""
        self.counts.overrun += staged.left - len(staged.frames)
        for frame in staged.frames:
            self._jobs[self._thread.submit(self._write, frame, staged.ready)] = frame.ids

    def waiting(self) -> list[Tensor]:
        """Return the token ids of frames that wait to be written; some may be by now."""
        return list(self._jobs.values())

    def settle(self, timeout_s: float | None = None) -> bool:
        """Wait until what was committed is written; returns False if the time was too short."""
        done = not wait(self._jobs.keys(), timeout_s).not_done
        if done:
            self._jobs.clear()
        return done

    def rest(self) -> None:
        """Wait until nothing is left to do, the archive tended too."""
        self.settle()
        while self._thread.submit(self._tend).result():
            pass

    def clear(self) -> Future[Wiped]:
        """
        Empty the archive, and write nothing of what waits.

        :returns: done when what it had on disk is written over
        """
        for job in self._jobs:
            job.cancel()
        self._jobs.clear()
        return self._in_pieces(self._thread.submit(self._clear).result())

    def forget(self, frames: Iterable[int]) -> Future[Wiped]:
        """
        Forget frames for good, by id, those that wait to be written too.

        :returns: done when what the archive had of them on disk is written over
        """
        return self._in_pieces(self._archive.forget(frames))

    def close(self) -> None:
        """End the thread; nothing may follow."""
        self._closed = True
        self._thread.shutdown()

    @torch.inference_mode()
    def _write(self, frame: Tokens, ready: torch.cuda.Event | None) -> None:
        try:
            if ready is not None:
                ready.synchronize()
            self._archive.put(frame)
        except Exception as error:  # the frame is lost to the archive; the thread goes on
            self.counts.failed += 1
            if repr(error) != self._told:  # the next frames will often fail alike
                _log.exception('a frame could not be archived')
            self._told = repr(error)
            return
        if self._written is not None:
            self._written()
        self._begin_tending()

    def _clear(self) -> Wiping:
        held = self._archive.sizes
        self._archive.clear()
        self._begin_tending()
        return self._wipe_left(Wiped(held.frames, held.disk_bytes))

    def _wipe_left(self, wiped: Wiped) -> Wiping:
        yield from self._archive.wipe_left()
        return wiped

    def _in_pieces(self, work: Wiping) -> Future[Wiped]:
        """Do work piece by piece: what is to be written meanwhile goes before the next one."""
        done: Future[Wiped] = Future()
        self._thread.submit(self._piece, work, done)
        return done

    @torch.inference_mode()
    def _piece(self, work: Wiping, done: Future[Wiped]) -> None:
        try:
            next(work)
            self._thread.submit(self._piece, work, done)
        except StopIteration as end:
            done.set_result(end.value)
        except BaseException as error:  # such as that of a thread that ends
            done.set_exception(error)

    def _begin_tending(self) -> None:
        """Tend piece by piece: what is to be written meanwhile goes before the next one."""
        if not self._tending and not self._closed:
            self._tending = True
            self._thread.submit(self._tend_on)

    def _tend_on(self) -> None:
        self._tending = False
        if self._tend():
            self._begin_tending()

    @torch.inference_mode()
    def _tend(self) -> bool:
        return self._archive.tend()
