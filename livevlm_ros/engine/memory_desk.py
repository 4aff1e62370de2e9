# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What others do with the memory while the engine works: look at it, forget, pause, save and load.

Any thread may; what touches the memory is done by the engine thread between two steps, in pieces
that a question can wait for. Snapshots are read and written in the thread of whoever asks.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import torch

from livevlm_ros.engine.admission import admissible
from livevlm_ros.engine.album import Album
from livevlm_ros.engine.config import EngineConfig
from livevlm_ros.engine.contents import Contents
from livevlm_ros.engine.events import EventKind
from livevlm_ros.engine.held import HeldFrame, held_frames
from livevlm_ros.engine.loop import Loop
from livevlm_ros.engine.messages import NotDone, Question
from livevlm_ros.engine.parts import EngineParts, Progress, new_memory
from livevlm_ros.engine.reading import filter_of
from livevlm_ros.engine.snapshot_names import snapshot_folder
from livevlm_ros.memory import FrameRef, Freed, Memory, ReadFilter
from livevlm_ros.memory.archive.frozen import Forgotten
from livevlm_ros.memory.snapshot import MANIFEST, has_snapshot, read_snapshot

T = TypeVar('T')

TURN_S = 60.0
"""Longest wait for the engine thread to come between two steps."""

WIPE_S = 3600.0
"""Longest wait for an archive to be overwritten, as on a slow disk of a terabyte."""

MOST_FRAMES = 4096
"""Frames of one look at the timeline."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A snapshot that was written."""

    path: Path
    nbytes: int
    frames: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """A snapshot that was read, and what the memory is called since."""

    path: Path
    memory_id: str
    frames: int


class Do(Protocol):
    """How the engine thread is asked."""

    def __call__(self, work: Callable[[Loop], T], timeout_s: float) -> Future[T]:
        """Have it do something between two steps."""


class MemoryDesk:
    """
    The memory as others use it; any thread.

    Frames are chosen by cameras, none: all, and by header stamps, 0: open.

    :param do: asks the engine thread
    """

    def __init__(self, config: EngineConfig, do: Do) -> None:
        self._config, self._do = config, do
        self._snapshot = threading.Lock()  # one is saved or loaded at a time

    def forget(
        self, cameras: Sequence[str] = (), *, time_start_ns: int = 0, time_end_ns: int = 0
    ) -> Freed:
        """
        Forget frames for good, and wait until the disk is overwritten; without a choice all.

        :raises InvalidQuestion: for a camera that is unknown, or a time that is none
        """
        chosen = self._chosen(cameras, time_start_ns, time_end_ns)
        if cameras or time_start_ns or time_end_ns:
            why = ', '.join(cameras) or 'all cameras'
            if time_start_ns or time_end_ns:
                why += f', from {time_start_ns / 1e9:.3f} to {time_end_ns / 1e9 or math.inf:.3f} s'
            freed = self._done(lambda loop: loop.forget(chosen(loop.parts), why))
        else:
            freed = self._done(Loop.clear)
        result = freed.result(WIPE_S)
        self._done(Loop.tidy)  # as the archive is done only now
        return result

    def pause(self, paused: bool) -> None:
        """Take in no frame from now on, the step that runs ended, or take them in again."""
        self._done(lambda loop: loop.pause(paused))

    def frame(self, key: str) -> HeldFrame:
        """
        Return a frame with its picture.

        :raises NotDone: for one that is unknown, or whose picture is gone
        """
        found = self._done(lambda loop: _find(loop.parts, key))
        if found is None:
            raise NotDone(f'frame_key: got {key[:256]!r}, which is no frame of the memory')
        if not found.thumbnail_jpeg:
            raise NotDone(f'frame_key: the picture of {key!r} is no longer kept')
        return found

    def timeline(
        self,
        cameras: Sequence[str] = (),
        *,
        time_start_ns: int = 0,
        time_end_ns: int = 0,
        max_frames: int = MOST_FRAMES,
        attach_images: bool = False,
    ) -> tuple[tuple[HeldFrame, ...], int]:
        """
        Return frames, oldest first, and how many were chosen.

        :param max_frames: spread evenly over those that were chosen, where these are more; no
            more than `MOST_FRAMES`
        :raises InvalidQuestion: for a camera that is unknown, or a time that is none
        """
        chosen = self._chosen(cameras, time_start_ns, time_end_ns)

        def look(loop: Loop) -> tuple[tuple[HeldFrame, ...], int]:
            reading = chosen(loop.parts)
            refs = [ref for ref in loop.parts.memory.refs() if reading.contains(ref)]
            spread = _spread(refs, min(max_frames, MOST_FRAMES))
            scores = [(ref, 0.0) for ref in spread]
            return held_frames(loop.parts, scores, attach_images=attach_images), len(refs)

        return self._done(look)

    def save(
        self, name: str, *, overwrite: bool, progress: Progress = lambda phase, share: None
    ) -> Saved:
        """
        Save the memory as it is now; frames and questions go on meanwhile.

        :param name: of a folder in the memory's path; empty: that one
        :raises BadName: for a name that is not plain, or leads elsewhere
        :raises NotDone: if there is one, while another is saved, or if the memory was cleared
        :raises SnapshotError: if it cannot be written
        """
        with self._alone():
            folder = snapshot_folder(self._config.memory.path, name)
            if has_snapshot(folder) and not overwrite:
                raise NotDone(f'name: {str(folder)!r} has a snapshot: set overwrite')
            new = not folder.exists()
            progress('copying', 0.0)
            snapshots = self._done(lambda loop: loop.parts.snapshots)
            snapshots.settle()
            copy = self._done(lambda loop: snapshots.copy())
            try:
                folder.mkdir(mode=0o700, exist_ok=True)
                nbytes = snapshots.write(folder, copy, lambda share: progress('writing', share))
            except Forgotten as error:
                raise NotDone('the memory was cleared while it was saved: save again') from error
            finally:
                if new and folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()
            return Saved(folder, nbytes, copy.frames)

    def load(self, name: str, *, progress: Progress = lambda phase, share: None) -> Loaded:
        """
        Go on with a saved memory in place of this one, which stays as it is if that fails.

        :param name: of a folder in the memory's path; empty: that one
        :raises BadName: for a name that is not plain, or leads elsewhere
        :raises NotDone: while another is saved or loaded
        :raises SnapshotError: if it is of no use
        :raises UnreadableSnapshot: if it cannot be read now
        """
        with self._alone():
            folder = snapshot_folder(self._config.memory.path, name)
            progress('reading', 0.0)
            state = read_snapshot(folder, lambda share: progress('reading', share))
            progress('placing', 0.0)
            new = self._done(self._beside)
            try:
                with torch.inference_mode():
                    new.take(state, folder / MANIFEST)
                episodes = state.part('time').facts['episodes']
                before, memory_id = self._done(lambda loop: _swapped(loop, new, episodes, folder))
            except BaseException:
                new.memory.close()
                raise
            before.close()
            progress('placing', 1.0)
            return Loaded(folder, memory_id, new.memory.frame_count)

    def _beside(self, loop: Loop) -> Contents:
        """Build an empty memory beside the one in use."""
        parts = loop.parts
        now, memory = parts.snapshots.contents, new_memory(self._config, parts.model)
        _ = now.model.sight  # looked at in the thread that owns the model
        return Contents(memory, Album(), parts.timeline, now.model)

    def _done(self, work: Callable[[Loop], T]) -> T:
        """Have the engine thread do something; return what came of it."""
        done = self._do(work, TURN_S)
        try:
            return done.result(TURN_S)
        except TimeoutError:
            if done.cancel():
                raise NotDone('the engine is busy, nothing was done: try again') from None
            return done.result()  # it is at it

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._snapshot.acquire(blocking=False):
            raise NotDone('another snapshot is being saved or loaded: wait for it')
        try:
            yield
        finally:
            self._snapshot.release()

    def _chosen(
        self, cameras: Sequence[str], time_start_ns: int, time_end_ns: int
    ) -> Callable[[EngineParts], ReadFilter]:
        """Return what makes the filter of a choice, as of a question that reads no more."""
        question = admissible(
            Question(
                'which ?',
                cameras=tuple(cameras),
                time_start_ns=time_start_ns,
                time_end_ns=time_end_ns,
            ),
            self._config,
        )
        return lambda parts: filter_of(question, parts.timeline, newest_ns=0)


def _swapped(
    loop: Loop, new: Contents, episodes: Sequence[Sequence[int]], folder: Path
) -> tuple[Memory, str]:
    """Go on with another memory, and tell of it; returns the one before, and the other's name."""
    before = loop.go_on_with(new, episodes)
    frames = new.memory.frame_count
    loop.parts.events.tell(EventKind.LOADED, detail=str(folder), value=frames)
    return before, loop.memory_id


def _find(parts: EngineParts, key: str) -> HeldFrame | None:
    found = next((ref for ref in parts.memory.refs() if ref.key == key), None)
    if found is None:
        return None
    return held_frames(parts, [(found, 0.0)], attach_images=True)[0]


def _spread(refs: Sequence[FrameRef], most: int) -> list[FrameRef]:
    """Return at most so many, evenly spread, the last among them."""
    if len(refs) <= most:
        return list(refs)
    return [refs[(number + 1) * len(refs) // most - 1] for number in range(most)]
