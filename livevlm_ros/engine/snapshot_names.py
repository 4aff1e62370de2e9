# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Names of snapshots: a plain name is a folder inside the memory's own, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

NAME = re.compile(r'[A-Za-z0-9_][A-Za-z0-9_-]{0,63}')


class BadName(ValueError):
    """A name that is no snapshot's: says what was given and what is expected."""


def snapshot_folder(path: str, name: str) -> Path:
    """
    Return the folder of a snapshot; it need not exist.

    :param path: the memory's `path`
    :param name: empty: that folder itself
    :raises BadName: for a name that is not plain, or leads elsewhere, and without a path
    """
    if not path:
        raise BadName('memory.path is not set: snapshots need a folder')
    if not name:
        return Path(path)
    if NAME.fullmatch(name) is None:
        raise BadName(
            f'name: got {name[:80]!r}, expected up to 64 letters, digits, _ and -, no folder'
        )
    folder = Path(path) / name
    links = [folder, *(folder.iterdir() if folder.is_dir() else ())]
    linked = next((file for file in links if file.is_symlink()), None)
    if linked is not None:
        raise BadName(f'name: {str(linked)!r} is a link, expected a folder of its own files')
    if folder.exists() and not folder.is_dir():
        raise BadName(f'name: {str(folder)!r} is a file, expected a folder')
    return folder
