# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""When memory and thumbnails are saved and restored, for an engine that is asked to."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from livevlm_ros.engine.album import Album
from livevlm_ros.engine.config import EngineConfig
from livevlm_ros.engine.events import EventKind, Events
from livevlm_ros.engine.timeline import Timeline
from livevlm_ros.memory import FrameRef, Memory, SnapshotError, State
from livevlm_ros.memory.archive.frozen import Forgotten
from livevlm_ros.memory.snapshot import (
    MANIFEST,
    TENSORS,
    UnreadableSnapshot,
    has_snapshot,
    read_snapshot,
    set_aside,
    write_snapshot,
)
from livevlm_ros.memory.state import alike, copied
from livevlm_ros.model import VideoLanguageModel

_log = logging.getLogger(__name__)

Mark = tuple[FrameRef | None, int]  # newest frame, and a size that grows with each frame


class Snapshots:
    """
    The snapshot of one engine; without a configuration that asks for it nothing happens.

    The engine thread owns it while that runs, else whoever holds the engine's life in hands. Only
    the disk is waited for in a thread of its own.
    """

    def __init__(
        self,
        config: EngineConfig,
        model: VideoLanguageModel,
        memory: Memory,
        album: Album,
        timeline: Timeline,
        events: Events,
    ) -> None:
        """Look at the model once, to know it again."""
        self._folder = Path(config.memory.path) if config.snapshot else None
        self._every_s = config.autosave_s or math.inf
        self._model_id, self._memory, self._album = model.model_id, memory, album
        self._timeline, self._events = timeline, events
        self._sight = _sight(model) if config.snapshot else torch.empty(0)
        self._saved = self._mark()
        self._due_s = time.monotonic() + self._every_s
        self._writer: threading.Thread | None = None
        self._failures = 0
        self.copy_s = 0.0
        """Seconds that the last `begin` took."""

    def restore(self) -> bool:
        """
        Take back what was saved; a snapshot of no use is told, and set aside.

        :returns: False if it was of no use: memory and thumbnails may be half restored
        :raises SnapshotError: if it can neither be used nor renamed
        :raises UnreadableSnapshot: if it cannot be read now, or the disk has no room for what the
            archive keeps there
        """
        if self._folder is None or not has_snapshot(self._folder):
            return True
        try:
            self._take(read_snapshot(self._folder), self._folder / MANIFEST)
        except SnapshotError as error:
            aside = set_aside(self._folder)
            _log.warning('the memory begins empty, its snapshot is kept as %s: %s', aside, error)
            return False
        self._saved = self._mark()
        frames, folder = self._memory.frame_count, str(self._folder)
        _log.info('%d frames restored from %s', frames, folder)
        self._events.tell(EventKind.LOADED, detail=folder, value=frames)
        return True

    def save(self) -> None:
        """Save what is not saved already, and wait for the disk; tell if it cannot be."""
        if self._writer is not None:
            self._writer.join()
        if self._folder is None or self._mark() == self._saved:
            return
        self._failures = 0  # so that it is told again
        try:
            state = self._state()
        except Exception:  # such as no RAM for the copies: whoever stops an engine goes on
            _log.exception('the memory is not saved')
            return
        self._write(self._folder, state, self._mark())

    def due(self) -> bool:
        """Return whether it is time to `begin`."""
        return time.monotonic() >= self._due_s

    def begin(self) -> None:
        """Let a thread write what is remembered now, if it is new; the archive is not copied."""
        began_s = time.monotonic()
        self._due_s = began_s + self._every_s
        writing = self._writer is not None and self._writer.is_alive()
        if self._folder is None or writing or self._mark() == self._saved:
            return
        work = (self._folder, self._state(), self._mark())
        writer = threading.Thread(target=self._write, args=work, name='livevlm-save', daemon=True)
        writer.start()
        self._writer = writer
        self.copy_s = time.monotonic() - began_s

    def _mark(self) -> Mark:
        """Return what tells whether the memory has changed."""
        return self._memory.newest(), self._memory.sizes().full_cache_bytes

    def _state(self) -> State:
        return State.joined(
            {
                'memory': self._memory.state(),
                'album': self._album.state(),
                'time': State({}, {'episodes': self._timeline.facts()}),
                'model': State({'sight': self._sight}, {'id': self._model_id}),
            }
        )

    def _take(self, state: State, manifest: Path) -> None:
        try:
            self._put_back(state)
        except OSError as error:
            hint = "for the archive's part: make room there, or raise archive_host_bytes"
            cause = OSError(error.errno, f'{error.strerror} {hint}')
            raise UnreadableSnapshot.because(manifest, cause) from error
        except torch.OutOfMemoryError:  # a RuntimeError, but no fault of the snapshot's
            raise
        except (ValueError, LookupError, RuntimeError) as error:
            told = error if isinstance(error, SnapshotError) else repr(error)
            raise SnapshotError(f'{manifest}: {told}') from error

    def _put_back(self, state: State) -> None:
        model = state.part('model')
        if model.facts['id'] != self._model_id or not alike(model.tensors['sight'], self._sight):
            same = ' with other weights' if model.facts['id'] == self._model_id else ''
            raise SnapshotError(
                f'of model {model.facts["id"]}{same}, here is {self._model_id}: load the weights '
                'it was made with'
            )
        self._memory.restore(state.part('memory'))
        self._album.restore(state.part('album'))
        self._timeline.restore(state.part('time').facts['episodes'])

    def _write(self, folder: Path, state: State, mark: Mark) -> None:
        try:
            write_snapshot(folder, state)
            files = *folder.glob(TENSORS), folder / MANIFEST
            size = sum(file.stat().st_size for file in files)
        except Forgotten:
            _log.info('the memory was cleared while it was saved: the snapshot before stays')
            return
        except Exception as error:
            self._failures += 1
            if self._failures == 1:
                trace = not isinstance(error, SnapshotError)
                _log.warning('the memory is not saved: %s', error, exc_info=trace)
            return
        if self._failures:
            _log.warning('the memory is saved again, after %d failures', self._failures)
        self._failures, self._saved = 0, mark
        self._events.tell(EventKind.SAVED, detail=str(folder), value=size)


def check_folder(folder: Path) -> None:
    """
    Refuse a folder that no snapshot can be saved in.

    :raises ValueError: if there is none, or it cannot be written
    """
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(
            f'path is {str(folder)!r}, expected a folder that can be written, for snapshots: make '
            'it, or set another'
        )


def _sight(model: VideoLanguageModel) -> Tensor:
    """Return what a model makes of a picture: all its vision weights tell in it."""
    rows, columns = np.mgrid[:480, :640]
    picture = np.stack((rows % 256, columns % 256, rows * columns // 1024 % 256), axis=-1)
    return copied(model.encode_frames([picture.astype(np.uint8)]))
