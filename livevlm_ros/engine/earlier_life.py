# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What an earlier life remembered is not overwritten by a life that saw only a few frames.

Where a clock begins anew, or a small memory is filled by a few frames of another time, a life may
lose nearly all of what it restored. The snapshot in place is kept in a folder of its own then.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from livevlm_ros.memory import FrameRef, State
from livevlm_ros.memory.contents import read_refs
from livevlm_ros.memory.kept import forget_kept, keep

Named = tuple[str, int]  # camera and stamp in nanoseconds

_log = logging.getLogger(__name__)


class EarlierLife:
    """
    What one life restored.

    :param folder: of its snapshots
    :param most: snapshots of earlier lives that are kept
    """

    def __init__(self, folder: Path, *, most: int) -> None:
        self._folder, self._most = folder, most
        self._frames: frozenset[Named] = frozenset()
        self._forgets = False

    def restored(self, frames: Iterable[FrameRef]) -> None:
        """Note the frames that this life begins with."""
        self._frames = frozenset((ref.camera, ref.stamp_ns) for ref in frames)

    def forget(self) -> None:
        """Keep nothing of before: somebody wants frames to be forgotten."""
        self._frames, self._forgets = frozenset(), True

    def spare(self, state: State, frames: int) -> None:
        """
        Keep the snapshot in place if another is about to overwrite what was restored.

        :param state: of the memory, in the other snapshot
        :param frames: how many that has
        :raises OSError: if it cannot be kept
        """
        if not self._most or not self._is_lost(state, frames):
            return
        folder, self._frames = keep(self._folder, most=self._most), frozenset()
        if folder is not None:
            _log.warning(
                'few of the frames that were restored are left, and few new ones came: the '
                'snapshot that had them is kept in %s',
                folder,
            )

    def placed(self) -> None:
        """Note that a snapshot is in place that has nothing of what was to be forgotten."""
        if self._forgets:
            forget_kept(self._folder)
            self._forgets = False

    def _is_lost(self, state: State, frames: int) -> bool:
        """Return whether most of what was restored is gone, and fewer frames than that came."""
        before = len(self._frames)
        if frames >= before * 3 / 2:  # half of before and as many new ones, at least
            return False
        held = _frames_of(state)
        return len(held & self._frames) < before / 2 and len(held - self._frames) < before


def _frames_of(state: State) -> set[Named]:
    """Return the frames that questions could read in a state of a memory."""
    identity = state.facts['identity']
    if identity['long_term_frames'] or identity['archive_bits']:
        return {(ref.camera, ref.stamp_ns) for ref in read_refs(state.tensors['frames'])}
    return {(camera, stamp_ns) for camera, stamp_ns, *_ in state.facts['short_term']['frames']}
