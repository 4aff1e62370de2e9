# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The journal of a memory: what changes it is on disk some milliseconds later.

A snapshot takes long and is made seldom; the journal has what came since, so that a process that
is killed loses next to nothing. A thread of its own writes it. What one snapshot copied and what
came later lie in two files, so that those of before can go once the snapshot is in its place.

The journal is whole or it ends: if the disk fails or does not keep up, entries are lost from
there on, and the next snapshot begins it anew. Whoever restores finds the memory as it was at some
moment, never one with a gap.
"""

from __future__ import annotations

import logging
import math
import os
import queue
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from livevlm_ros.memory.journal_file import (
    FIRST_LINE,
    GOES_ON_IN,
    JournalReader,
    journal_file,
    packed,
)
from livevlm_ros.memory.private_file import private
from livevlm_ros.memory.snapshot import JOURNALS, sync
from livevlm_ros.memory.state import State

SYNC_S = 3.0
"""Seconds after which the disk is asked to keep what was written: a power failure may take it."""

MOST_WAITING_BYTES = 2**27
"""Of entries that may wait for the disk; they may lie on the device."""

LEAST_BYTES = 2**28
"""That a journal may have before a snapshot is due; as many as the snapshot if that has more."""

CLOSE_S = 10.0
"""Longest wait for the disk of who closes the journal."""

Job = Callable[[], object]

_log = logging.getLogger(__name__)


class Journal:
    """
    The journal in a folder; any thread.

    Nobody waits for the disk but who calls `placed`, `settle` or `close`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._files: dict[str, int] = {}  # bytes by name, the oldest first
        self._name = ''  # of the file that entries go to; empty: they are lost
        self._whole_from = ''  # the first file since which no entry was lost
        self._sound = self._told = False
        self._most_bytes = LEAST_BYTES
        self._unsaved = self._waiting_bytes = 0
        self._thread: threading.Thread | None = None
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._file: BinaryIO | None = None  # this and what follows: the thread's own
        self._open_name = ''
        self._sync_at_s = math.inf

    @property
    def sound(self) -> bool:
        """Whether the snapshot in its place and the journal lead to what is now."""
        return self._sound

    @property
    def unsaved(self) -> int:
        """How many changes came since it ended: a process that is killed now loses them."""
        return self._unsaved if self._told else 0

    @property
    def wants_snapshot(self) -> bool:
        """Whether a snapshot is due: the journal is not sound, or it is long."""
        with self._lock:
            return not self._sound or sum(self._files.values()) > self._most_bytes

    def go_on(self, read: JournalReader, *, snapshot_bytes: int) -> None:
        """
        Go on behind what was read of an earlier life's journal; what lies there is cut off.

        :param snapshot_bytes: of the snapshot that it follows
        """
        name, end = read.name, read.end
        with self._lock:
            self._files = {name: read.nbytes}
            self._name = self._whole_from = name
            self._sound, self._most_bytes = True, max(LEAST_BYTES, snapshot_bytes)
        self._start()
        self._jobs.put(lambda: self._open(name, end))

    def cut(self) -> str:
        """
        Go on in a new file: the snapshot that is begun now has all that came.

        :returns: the file's name, for the snapshot and for `placed`
        """
        name = secrets.token_hex(8)
        with self._lock:
            before, self._name = self._name, name
            self._files[name] = 0
            if not before:
                self._whole_from = name
        self._start()
        if before:
            self._jobs.put(lambda: self._write(packed(State({}, {GOES_ON_IN: name}))))
        self._jobs.put(lambda: self._open(name, 0))
        return name

    def follows(self, name: str) -> bool:
        """Return whether a file of the journal has a name: no newer snapshot is in its place."""
        with self._lock:
            return name in self._files

    def put(self, entry: State) -> None:
        """Append an entry; its tensors may lie on any device, and change no more."""
        with self._lock:
            self._check_room(entry.nbytes)
            if not self._name:
                self._unsaved += 1
                return
            self._waiting_bytes += entry.nbytes
        self._jobs.put(lambda: self._append(entry))

    def placed(self, name: str, *, nbytes: int) -> None:
        """
        Remove what was before a snapshot that is in its place.

        :param name: what `cut` gave for it
        :param nbytes: of the snapshot
        """
        with self._lock:
            names = list(self._files)
            later = names[names.index(name) :]
            self._files = {each: self._files[each] for each in later}
            self._most_bytes = max(LEAST_BYTES, nbytes)
            self._sound = bool(self._name) and self._whole_from not in later[1:]
            if self._sound:
                self._saved()
        kept = {journal_file(self._folder, each) for each in later}
        for file in set(self._folder.glob(JOURNALS)) - kept:
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                _log.warning('%s: nobody needs it, and it cannot be removed: %s', file, error)

    def leave(self) -> None:
        """Write nothing until the next snapshot: the memory is another one."""
        with self._lock:
            self._name, self._sound = '', False

    def settle(self) -> None:
        """Wait until what came is written, or lost."""
        written = threading.Event()
        self._jobs.put(written.set)
        if self._thread is not None:
            written.wait(CLOSE_S)

    def close(self) -> None:
        """Write what waits, and end the thread; nothing may follow."""
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def _check_room(self, nbytes: int) -> None:
        """End the journal if it has no room for an entry; with the lock."""
        if not self._name:
            return
        if self._waiting_bytes + nbytes > MOST_WAITING_BYTES:
            self._end(f'the disk is {self._waiting_bytes / 1e6:.0f} MB behind')
        elif sum(self._files.values()) > 2 * self._most_bytes:
            self._end('it has grown to twice its size without a new snapshot')

    def _end(self, why: object) -> None:
        """Lose what comes until the next snapshot, and tell of it; with the lock."""
        self._name, self._sound = '', False
        if not self._told:
            self._told = True
            _log.warning(
                'the journal in %s ends (%s): a process that is killed loses what comes from now '
                'until the next snapshot',
                self._folder,
                why,
            )

    def _saved(self) -> None:
        """Note that nothing is lost any more; with the lock."""
        if self._told:
            _log.warning(
                'the journal goes on: a snapshot has the %d changes it missed', self._unsaved
            )
        self._unsaved, self._told = 0, False

    def _start(self) -> None:
        """Start the thread, unless it runs; without one the journal ends."""
        if self._thread is not None:
            return
        thread = threading.Thread(target=self._run, name='livevlm-journal', daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            with self._lock:
                self._end(error)
            return
        self._thread = thread

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except Exception as error:
                self._close_file()
                with self._lock:
                    self._end(error)
        with suppress(OSError):
            self._sync()
        self._close_file()

    def _next(self) -> Job | None:
        """Wait for the next job, such as a sync that is due; None: there are no more."""
        left_s = self._sync_at_s - time.monotonic()
        if left_s <= 0.0:
            return self._sync
        try:
            return self._jobs.get(timeout=None if left_s == math.inf else left_s)
        except queue.Empty:
            return self._sync

    def _sync(self) -> None:
        self._sync_at_s = math.inf
        if self._file is not None:
            os.fdatasync(self._file.fileno())

    def _open(self, name: str, end: int) -> None:
        if self._file is not None:
            self._sync()
        self._close_file()
        path = journal_file(self._folder, name)
        file = open(path, 'r+b' if end else 'wb', opener=private)  # noqa: SIM115 - open until closed
        self._file, self._open_name = file, name
        file.truncate(end)
        file.seek(end)
        if not end:
            self._write([FIRST_LINE])
            sync(self._folder)

    def _append(self, entry: State) -> None:
        written = False
        try:
            written = self._file is not None and self._write(packed(entry))
        finally:
            with self._lock:
                self._waiting_bytes -= entry.nbytes
                self._unsaved += not written

    def _write(self, pieces: Sequence[bytes]) -> bool:
        """Write to the open file; returns False if there is none: the disk has failed."""
        if self._file is None:
            return False
        self._file.writelines(pieces)
        self._file.flush()  # who is killed now loses nothing of it, unless the machine fails
        self._sync_at_s = min(self._sync_at_s, time.monotonic() + SYNC_S)
        with self._lock:
            if self._open_name in self._files:
                self._files[self._open_name] += sum(map(len, pieces))
        return True

    def _close_file(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        self._file, self._sync_at_s = None, math.inf
