# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Snapshots of earlier lives, kept in numbered folders beside the one that took their place."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

from livevlm_ros.memory.snapshot import MANIFEST, REFUSED, TENSORS, tensors_of

KEPT = 'kept-'
"""Beginning of their folders' names; a number follows, the newest has the highest."""

_log = logging.getLogger(__name__)


def keep(folder: Path, *, most: int) -> Path | None:
    """
    Keep the snapshot of a folder, unless that is done already.

    Of more than so many the smallest go: a life that saw little pushes out none that saw much.

    :returns: the folder that it is kept in; None: those that are kept are larger, and enough
    :raises SnapshotError: if there is none, or it is of no use
    :raises OSError: if it cannot be kept
    """
    manifest, tensors = folder / MANIFEST, tensors_of(folder)
    earlier = kept(folder)
    for each in earlier:
        file = each / MANIFEST
        if file.exists() and file.read_bytes() == manifest.read_bytes():
            return each
    smaller = [each for each in sorted(earlier, key=_nbytes) if _nbytes(each) <= _size(tensors)]
    leave = smaller[: max(0, len(earlier) + 1 - most)]
    if len(earlier) + 1 - len(leave) > most:
        return None
    number = _number(earlier[-1]) + 1 if earlier else 1
    new = folder / f'{KEPT}{number}'
    new.mkdir(mode=0o700)
    try:
        os.link(tensors, new / tensors.name)
    except OSError:  # a file system without links
        shutil.copy(tensors, new / tensors.name)
    shutil.copy(manifest, new / MANIFEST)
    for each in leave:
        _remove(each)
    return new


def kept(folder: Path) -> list[Path]:
    """Return the folders of the snapshots that are kept, the oldest first."""
    found = [each for each in folder.glob(f'{KEPT}*') if each.is_dir() and _number(each)]
    return sorted(found, key=_number)


def forget_kept(folder: Path) -> None:
    """Remove all snapshots that are kept, refused ones too: they hold what was to be forgotten."""
    for each in kept(folder):
        _remove(each)
    for file in folder.glob(f'*{REFUSED}'):
        file.unlink(missing_ok=True)


def _number(folder: Path) -> int:
    """Return the number of a folder, 0 if it has none."""
    digits = folder.name.removeprefix(KEPT)
    return int(digits) if digits.isdecimal() else 0


def _nbytes(folder: Path) -> int:
    """Return how large the tensors in a folder are: about how much a life saw."""
    return sum(_size(file) for file in folder.glob(TENSORS))


def _size(file: Path) -> int:
    return file.stat().st_size


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        _log.warning('%s: cannot be removed: %s', folder, error)
