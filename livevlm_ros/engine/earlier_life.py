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

_log = logging.getLogger(__name__)


class EarlierLife:
    """
    What one life restored.

    :param folder: of its snapshots
    :param most: snapshots of earlier lives that are kept
    """

    def __init__(self, folder: Path, *, most: int) -> None:
        self._folder, self._most = folder, most
        self._frames: frozenset[FrameRef] = frozenset()
        self._forgets = False

    def restored(self, frames: Iterable[FrameRef]) -> None:
        """Note the frames that this life begins with."""
        self._frames = frozenset(frames)

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
        folder = keep(self._folder, most=self._most)
        self._frames = frozenset()
        _log.warning(
            'few of the frames that were restored are left, and few new ones came: the snapshot '
            'that had them is kept as %s',
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
        held = frozenset(read_refs(state.tensors['frames']))
        return len(held & self._frames) < before / 2 and len(held - self._frames) < before
