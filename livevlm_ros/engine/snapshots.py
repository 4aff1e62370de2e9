# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
When memory and thumbnails are saved and restored, for an engine that is asked to.

Between two snapshots a journal has what changes. A restart finds the snapshot, does the changes
again, and goes on where the process ended, however that was.
"""

from __future__ import annotations

import logging
import math
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from livevlm_ros.engine import changes
from livevlm_ros.engine.config import EngineConfig
from livevlm_ros.engine.contents import Contents
from livevlm_ros.engine.earlier_life import EarlierLife
from livevlm_ros.engine.events import EventKind, Events
from livevlm_ros.memory import FrameRef, Freed, SnapshotError, State
from livevlm_ros.memory.archive.frozen import Forgotten
from livevlm_ros.memory.journal import Journal
from livevlm_ros.memory.journal_file import JournalReader, is_name
from livevlm_ros.memory.snapshot import (
    MANIFEST,
    has_snapshot,
    read_snapshot,
    set_aside,
    write_snapshot,
)

_log = logging.getLogger(__name__)

WIPE_S = 2.0
"""Longest wait of an engine that stops for the archive to be overwritten."""

RETRY_S = 10.0
"""Least time between two snapshots that the journal asks for; longer while they fail."""

MOST_RETRY_S = 600.0

Mark = tuple[FrameRef | None, int]  # newest frame, and a size that grows with each frame


@dataclass(frozen=True, slots=True)
class Copy:
    """
    What was remembered at a moment, to be written.

    :param mark: tells whether the memory has changed since
    :param forgotten: how often something had been forgotten by then
    :param journal: name of the file that has what came since; empty: there is no journal
    """

    state: State
    mark: Mark
    forgotten: int
    frames: int
    journal: str


class Snapshots:
    """
    The snapshots of one engine; without a configuration that asks for it none is made by itself.

    The engine thread owns it while that runs, else whoever holds the engine's life in hands. Only
    the disk is waited for in other threads, by `write`.
    """

    def __init__(self, config: EngineConfig, contents: Contents, events: Events) -> None:
        self._folder = Path(config.memory.path) if config.snapshot else None
        self._every_s = config.autosave_s or math.inf
        self._contents, self._events = contents, events
        self._journal = Journal(self._folder) if self._folder is not None else None
        self._earlier = EarlierLife(Path(config.memory.path), most=config.snapshots_kept)
        self._resets = config.on_jump == 'reset'
        self._saved: Mark | None = self._mark()
        self._due_s = time.monotonic() + self._every_s
        self._retry_s = 0.0  # monotonic, when the journal may ask for a snapshot again
        self._written = 0  # bytes of the snapshot in place
        self._writer: threading.Thread | None = None
        self._writing = threading.Lock()  # one snapshot at a time
        self._placing = threading.Lock()  # while one takes its place, or something is forgotten
        self._forgotten = 0
        self._freed: Future[Freed] | None = None
        self._failures = 0
        self._aside = self._unsaved = ''  # what the last restore and the last save failed for
        self.copy_s = 0.0
        """Seconds that the last `begin` took."""

    @property
    def contents(self) -> Contents:
        """What is saved."""
        return self._contents

    @property
    def problem(self) -> str:
        """Why the memory began empty, and why it is not saved; '' if neither is so; any thread."""
        return '; '.join(filter(None, (self._aside, self._unsaved)))

    def begin_empty(self, before: Snapshots) -> None:
        """Begin in place of snapshots that could not be restored."""
        self._aside = before._aside

    def restore(self) -> bool:
        """
        Take back what was saved and what changed since; a snapshot of no use is told, set aside.

        :returns: False if it was of no use: memory and thumbnails may be half restored
        :raises SnapshotError: if it can neither be used nor renamed
        :raises UnreadableSnapshot: if it cannot be read now, or the disk has no room for what the
            archive keeps there
        """
        if self._folder is None or not has_snapshot(self._folder):
            return True
        try:
            state = read_snapshot(self._folder)
            self._contents.take(state, self._folder / MANIFEST)
        except SnapshotError as error:
            aside = set_aside(self._folder)
            self._aside = f'the memory begins empty, its snapshot is kept as {aside}: {error}'
            _log.warning('%s', self._aside)
            return False
        self._contents.timeline.restore(state.part('time').facts['episodes'])
        self._saved = self._mark()
        changed = self._redo(self._folder, state)
        frames, folder = self._contents.memory.frame_count, str(self._folder)
        _log.info('%d frames restored from %s and %d changes after it', frames, folder, changed)
        self._earlier.restored(self._contents.memory.refs())
        if changed and self._resets:  # the snapshot must have all, should time begin anew
            self.save()
        elif changed:  # and before what the journal alone has may leave the memory
            self._due_s = -math.inf
        self._events.tell(EventKind.LOADED, detail=folder, value=frames)
        return True

    def _redo(self, folder: Path, state: State) -> int:
        """Do again what changed the memory after its snapshot; returns how many changes."""
        if self._journal is None or not is_name(state.facts.get('journal')):
            return 0
        read = JournalReader(folder, state.facts['journal'])
        changed = changes.redo_all(self._contents, read)
        self._journal.go_on(read, snapshot_bytes=state.nbytes)
        return changed

    def note(self, change: State) -> None:
        """Have a change of the memory written to the journal."""
        if self._journal is not None:
            self._journal.put(change)

    @property
    def unsaved(self) -> int:
        """How many changes a kill would cost, for the journal has ended."""
        return 0 if self._journal is None else self._journal.unsaved

    def close(self) -> None:
        """End the journal; nothing may follow."""
        if self._journal is not None:
            self._journal.close()

    def go_on_with(self, contents: Contents) -> None:
        """Save another memory from now on."""
        self._contents, self._freed = contents, None
        if self._journal is not None:
            self._journal.leave()
            self._retry_s = 0.0
        self._give_up_copies()

    def forgot(self, freed: Future[Freed]) -> None:
        """
        Note that something is forgotten: what was copied before takes no place any more.

        :param freed: done when it is
        """
        self._freed = freed
        self._give_up_copies()

    def _give_up_copies(self) -> None:
        with self._placing:
            self._forgotten += 1
        self._saved = None

    def settle(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing is left of what was to be forgotten; return whether; any thread."""
        return self._freed is None or bool(wait([self._freed], timeout_s).done)

    def hasten(self) -> None:
        """Let it be time to `begin`: what is saved, and was kept, is to be replaced."""
        self._due_s = -math.inf
        self._earlier.forget()

    def save(self) -> None:
        """Save what is not saved already, and wait for the disk; tell if it cannot be."""
        if self._writer is not None:
            self._writer.join()
        if self._folder is None or self._mark() == self._saved:
            return
        self._failures = 0  # so that it is told again
        if not self.settle(WIPE_S):
            _log.warning(
                'the memory is not saved: what was forgotten is still being overwritten after '
                '%g s, and is still in the snapshot before',
                WIPE_S,
            )
            return
        try:
            copy = self.copy()
        except Exception:  # such as no RAM for the copies: whoever stops an engine goes on
            _log.exception('the memory is not saved')
            return
        self._try_to_write(self._folder, copy)

    def due(self) -> bool:
        """Return whether it is time to `begin`, and nothing is being written or forgotten."""
        if self._freed is not None and not self._freed.done():
            return False
        if self._writer is not None and self._writer.is_alive():
            return False
        now_s, journal = time.monotonic(), self._journal
        asked = journal is not None and now_s >= self._retry_s and journal.wants_snapshot
        return asked or now_s >= self._due_s

    def begin(self) -> None:
        """Let a thread write what is remembered now, if it is new; the archive is not copied."""
        began_s = time.monotonic()
        self._due_s = began_s + self._every_s
        if self._folder is None or self._mark() == self._saved:
            return
        try:
            work = (self._folder, self.copy())
        except Exception:  # such as no room for the copy
            self._due_s = began_s + RETRY_S
            raise
        writer = threading.Thread(
            target=self._try_to_write, args=work, name='livevlm-save', daemon=True
        )
        writer.start()
        self._writer = writer
        self.copy_s = time.monotonic() - began_s

    def copy(self) -> Copy:
        """
        Copy what is remembered now, to `write` it, once that is done which `settle` waits for.

        The archive is read later, as it is now.
        """
        state, frames = self._contents.state(), self._contents.memory.frame_count
        journal = '' if self._journal is None else self._journal.cut()
        return Copy(state, self._mark(), self._forgotten, frames, journal)

    def write(
        self, folder: Path, copy: Copy, progress: Callable[[float], None] = lambda share: None
    ) -> int:
        """
        Write a copy to a folder; any thread. Returns the bytes of the snapshot.

        :param progress: called with the share that is written
        :raises Forgotten: if something has been forgotten since: what was before stays
        :raises SnapshotError: if it cannot be written
        """
        with self._writing:
            if folder == self._folder:
                written = self._write_own(folder, copy, progress)
            else:
                placing = self._unless_forgotten(copy)
                written = write_snapshot(folder, copy.state, placing=placing, progress=progress)
            self._events.tell(EventKind.SAVED, detail=str(folder), value=written)
        with self._placing:
            if folder == self._folder and copy.forgotten == self._forgotten:
                self._saved = copy.mark
        return written

    def _write_own(self, folder: Path, copy: Copy, progress: Callable[[float], None]) -> int:
        """Write the snapshot that the next life restores, and that the journal follows."""
        assert self._journal is not None
        if not self._journal.follows(copy.journal):  # a newer one was written meanwhile
            return self._written
        if has_snapshot(folder):
            self._earlier.spare(copy.state.part('memory'), copy.frames)
        state = replace(copy.state, facts={**copy.state.facts, 'journal': copy.journal})
        placing = self._unless_forgotten(copy)
        self._written = write_snapshot(folder, state, placing=placing, progress=progress)
        self._journal.placed(copy.journal, nbytes=self._written)
        self._earlier.placed()
        return self._written

    @contextmanager
    def _unless_forgotten(self, copy: Copy) -> Iterator[None]:
        with self._placing:
            if copy.forgotten != self._forgotten:
                raise Forgotten('the memory was cleared')
            yield

    def _mark(self) -> Mark:
        """Return what tells whether the memory has changed."""
        memory = self._contents.memory
        return memory.newest(), memory.sizes().full_cache_bytes

    def _try_to_write(self, folder: Path, copy: Copy) -> None:
        try:
            self.write(folder, copy)
        except Forgotten:
            _log.info('the memory was cleared while it was saved: the snapshot before stays')
            return
        except Exception as error:
            self._failures += 1
            pause_s = min(RETRY_S * 2**self._failures, MOST_RETRY_S)
            self._retry_s = time.monotonic() + pause_s
            self._due_s = min(self._due_s, self._retry_s)
            self._unsaved = f'the memory is not saved: {str(error) or repr(error)}'
            if self._failures == 1:
                trace = not isinstance(error, SnapshotError)
                _log.warning('%s', self._unsaved, exc_info=trace)
            return
        if self._failures:
            _log.warning('the memory is saved again, after %d failures', self._failures)
        self._failures, self._unsaved = 0, ''
        self._retry_s = time.monotonic() + RETRY_S


def check_folder(folder: Path) -> None:
    """
    Refuse a folder that no snapshot can be saved in, and warn of one that is open to everybody.

    :raises ValueError: if there is none, or it cannot be written
    """
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(
            f'path is {str(folder)!r}, expected a folder that can be written, for snapshots: make '
            'it, or set another'
        )
    if folder.stat().st_mode & stat.S_IWOTH:
        _log.warning('%s: everybody may write there, and replace what is saved: chmod o-w', folder)
