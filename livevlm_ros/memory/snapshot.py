# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Snapshots: what is remembered, in files that outlive the process.

A snapshot is two files of a folder: tensors, named by their checksum, and the manifest that names
them and holds the rest. Both are written under other names and synced, and the manifest is renamed
into its place last. So whenever the machine fails there is the old snapshot or the new one, whole.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError

from livevlm_ros.memory.checksum import checksum_of
from livevlm_ros.memory.private_file import private
from livevlm_ros.memory.state import State
from livevlm_ros.memory.tensor_file import read_tensors, write_tensors

MANIFEST = 'memory.json'
TENSORS = 'memory-*.safetensors'
JOURNALS = 'memory-*.journal'
DIGEST = '[0-9a-f]{16,}'
REFUSED = '.refused'  # added to the names of a snapshot that is of no use
FORMAT, VERSION = 'livevlm_ros memory', 6

Progress = Callable[[float], None]

_log = logging.getLogger(__name__)


class SnapshotError(ValueError):
    """A snapshot that cannot be used or written: says what was found, expected, and what to do."""


class UnreadableSnapshot(ValueError):
    """A snapshot that cannot be read now, or by this release, and may well be good: it stays."""

    @classmethod
    def because(cls, file: Path, error: OSError) -> UnreadableSnapshot:
        """Return the error for a file that the system does not let be read."""
        return cls(
            f'{file}: cannot be read now ({error}), expected a disk that is ready and has room, '
            'and a file that may be read; nothing was touched: try again, or move the snapshot '
            'out of the way'
        )


def has_snapshot(folder: Path) -> bool:
    """
    Return whether a folder has a snapshot, be it good or not.

    :raises UnreadableSnapshot: if the system does not tell
    """
    manifest = folder / MANIFEST
    try:
        mode = manifest.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise UnreadableSnapshot.because(manifest, error) from error
    if not stat.S_ISREG(mode):
        raise UnreadableSnapshot(
            f'{manifest}: not a regular file, expected a snapshot: move it out of the way'
        )
    return True


def write_snapshot(
    folder: Path,
    state: State,
    *,
    placing: AbstractContextManager[None] | None = None,
    progress: Progress = lambda share: None,
) -> int:
    """
    Write a snapshot in the place of the one before; returns its bytes.

    :param placing: entered while it takes its place; what that raises keeps it from it
    :param progress: called with the share that is written
    :raises SnapshotError: if the folder is none, cannot be written or the disk is full: then the
        one before is as it was. Or if the disk does not confirm the new one, and the message says
        so
    """
    manifest = folder / MANIFEST
    tensors, draft = folder / 'memory.safetensors.tmp', folder / f'{MANIFEST}.tmp'
    unfinished = [tensors, draft]
    try:
        digest, size = write_tensors(tensors, state, progress)
        content = {
            'tensors_checksum': digest,
            'tensors_bytes': size,
            'rows': sorted(state.rows),
            **state.facts,
        }
        with open(draft, 'w', encoding='utf-8', opener=private) as text:
            text.write(_signed(content))
        sync(draft)
        file = _tensors_file(folder, digest)
        if not file.exists():
            unfinished.append(file)
        tensors.replace(file)
        sync(folder)
        written = size + draft.stat().st_size
        with placing or nullcontext():
            draft.replace(manifest)
    except Exception as error:
        for path in unfinished:
            with suppress(OSError):
                path.unlink()
        if not isinstance(error, OSError):
            raise
        raise SnapshotError(
            f'{manifest}: no snapshot could be written ({error}), the one before is as it was: '
            'expected a folder that can be written and has room'
        ) from error
    _settle(folder, file)
    return written


def _settle(folder: Path, file: Path) -> None:
    """
    Have the disk keep a snapshot that has taken its place, and remove the tensors of others.

    :param file: with its tensors
    :raises SnapshotError: if the disk does not confirm it
    """
    try:
        sync(folder)
    except OSError as error:
        raise SnapshotError(
            f'{folder / MANIFEST}: the new snapshot is in its place, but the disk does not '
            f'confirm it ({error}): a crash of the machine may bring back the one before: save '
            'again'
        ) from error
    for old in _own_tensors(folder):
        if old != file:
            try:
                old.unlink()
            except OSError as error:
                _log.warning('%s: no snapshot needs it, and it cannot be removed: %s', old, error)


def read_snapshot(folder: Path, progress: Progress = lambda share: None) -> State:
    """
    Read a snapshot whose every bit is as it was written.

    :param progress: called with the share that is checked
    :returns: the state; its rows are read from the file when they are asked for
    :raises SnapshotError: if it is missing, truncated, damaged or no snapshot
    :raises UnreadableSnapshot: if the system does not let it be read, or it is of another version
    """
    manifest = folder / MANIFEST
    content = _content(manifest)
    digest, size, rows, file = _named(manifest, content)
    try:
        found = file.stat().st_size
        if found != size:
            raise SnapshotError(
                f'{file}: truncated or grown, it has {found} bytes, {MANIFEST} says {size}: '
                'bring back both files from a copy, or remove them'
            )
        if checksum_of(file, progress) != digest:
            raise SnapshotError(
                f'{file}: damaged, its checksum is not the one that {MANIFEST} says: '
                'bring back both files from a copy, or remove them'
            )
        return _state(file, rows, content)
    except FileNotFoundError as error:
        raise SnapshotError(
            f'{file}: cannot be read ({error}), expected the tensors that {MANIFEST} names: '
            f'bring back both files from a copy, or remove {MANIFEST}'
        ) from error
    except OSError as error:
        raise UnreadableSnapshot.because(file, error) from error


def _state(file: Path, rows: list[str], content: dict[str, Any]) -> State:
    """Return the tensors of a file, and what else its manifest holds."""
    try:
        tensors, of_rows = read_tensors(file, rows)
    except (LookupError, TypeError, ValueError, SafetensorError) as error:  # signed, and wrong
        raise SnapshotError(
            f'{file}: does not hold what {MANIFEST} says ({error!r}): remove both files'
        ) from error
    facts = {name: fact for name, fact in content.items() if name not in Named._fields}
    return State(tensors, facts, of_rows)


class Named(NamedTuple):
    """What a manifest says of the tensors; `file` is where they are."""

    tensors_checksum: str
    tensors_bytes: int
    rows: list[str]
    file: Path


def _named(manifest: Path, content: dict[str, Any]) -> Named:
    """Return which tensors a manifest is of."""
    try:
        digest, size, rows = (content[name] for name in Named._fields[:-1])
        if not re.fullmatch(DIGEST, digest) or not all(isinstance(row, str) for row in rows):
            raise ValueError('no checksum, or no names of rows')
    except (LookupError, TypeError, ValueError) as error:
        raise SnapshotError(
            f'{manifest}: does not say which tensors it is of ({error!r}): bring back both files '
            'from a copy, or remove them'
        ) from error
    return Named(digest, size, rows, _tensors_file(manifest.parent, digest))


def tensors_of(folder: Path) -> Path:
    """
    Return the file of the tensors of a snapshot.

    :raises SnapshotError: if there is no snapshot, or it is of no use
    :raises UnreadableSnapshot: if the system does not let it be read, or it is of another version
    """
    manifest = folder / MANIFEST
    return _named(manifest, _content(manifest)).file


def set_aside(folder: Path) -> Path:
    """
    Rename a snapshot that is of no use, and its journal: the next one takes another place.

    One that was set aside before is removed: they may be as large as the disk.

    :returns: its manifest's new name
    :raises SnapshotError: if it cannot be renamed
    """
    manifest = folder / MANIFEST
    try:
        for name in (MANIFEST, TENSORS, JOURNALS):
            for old in folder.glob(f'{name}{REFUSED}'):
                old.unlink()
        for file in (*_own_tensors(folder), *folder.glob(JOURNALS), manifest):
            file.rename(folder / f'{file.name}{REFUSED}')
    except OSError as error:
        raise SnapshotError(
            f'{manifest}: of no use and cannot be renamed ({error}): move it out of the way'
        ) from error
    return folder / f'{MANIFEST}{REFUSED}'


def _content(manifest: Path) -> dict[str, Any]:
    """Return what a manifest holds, checked."""
    try:
        found = json.loads(manifest.read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        raise SnapshotError(
            f'{manifest}: cannot be read ({error.strerror}), expected a snapshot: save one there'
        ) from error
    except OSError as error:
        raise UnreadableSnapshot.because(manifest, error) from error
    except (ValueError, RecursionError) as error:
        raise SnapshotError(
            f'{manifest}: not JSON ({error}), expected a whole snapshot: bring it back from a '
            'copy, or remove it'
        ) from error
    marks = (found.get('format'), found.get('version')) if isinstance(found, dict) else (None,) * 2
    if marks[0] == FORMAT and marks != (FORMAT, VERSION):
        raise UnreadableSnapshot(
            f'{manifest}: version {marks[1]}, this release reads version {VERSION}; nothing was '
            'touched: read it with the release that wrote it, or move it out of the way'
        )
    if marks != (FORMAT, VERSION):
        raise SnapshotError(
            f'{manifest}: expected format {FORMAT!r}, version {VERSION}, got {marks[0]!r}, '
            f'version {marks[1]}: remove it'
        )
    content = found.get('content')
    if found.get('sha256') != _digest_of_text(content):
        raise SnapshotError(
            f'{manifest}: damaged or edited, its checksum is not the one it says: bring back both '
            'files from a copy, or remove them'
        )
    return content


def _signed(content: dict[str, Any]) -> str:
    marks = {'format': FORMAT, 'version': VERSION, 'sha256': _digest_of_text(content)}
    return json.dumps({**marks, 'content': content}, indent=1)


def _digest_of_text(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _tensors_file(folder: Path, digest: str) -> Path:
    return folder / TENSORS.replace('*', digest[:16])


def _own_tensors(folder: Path) -> list[Path]:
    """Return the tensors that snapshots wrote; others may have files of such names there."""
    own = re.compile(TENSORS.replace('*', '[0-9a-f]{16}'))
    return [file for file in folder.glob(TENSORS) if own.fullmatch(file.name)]


def sync(path: Path) -> None:
    """Have the disk keep a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
