# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What tells files from others of the same name, without reading gigabytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from livevlm_ros.replay.errors import BadInput

PIECE = 1 << 16
"""Bytes that are read at the beginning, in the middle and at the end of a file."""


def fingerprint(paths: Iterable[Path]) -> str:
    """
    Return a text that changes when the files do: names, sizes, and pieces of what is in them.

    :param paths: files and folders; those that are not there are passed over
    :raises BadInput: for a file that cannot be read
    """
    digest = hashlib.sha256()
    for path in paths:
        files = sorted(path.rglob('*')) if path.is_dir() else [path]
        for file in filter(Path.is_file, files):
            try:
                digest.update(f'{file.name} {file.stat().st_size}\n'.encode())
                digest.update(_pieces(file))
            except OSError as error:
                raise BadInput(f'{file}: cannot be read: {error.strerror}') from error
    return digest.hexdigest()[:16]


def _pieces(file: Path) -> bytes:
    size = file.stat().st_size
    with file.open('rb') as stream:
        if size <= 3 * PIECE:
            return stream.read()
        found = b''
        for place in (0, (size - PIECE) // 2, size - PIECE):
            stream.seek(place)
            found += stream.read(PIECE)
    return found
