# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files that are written whole or not at all, so that no half report is taken for a report."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from livevlm_ros.replay.errors import BadInput


@contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """
    Give a temporary file, which takes the place of the file once it is written.

    A device or a pipe is written directly.

    :raises BadInput: where the disk is full or cannot be written; the file is then as it was
    """
    direct = file.exists() and not file.is_file()
    target = file if direct else file.resolve()  # through a link: the link stays
    part = file if direct else target.with_name(f'.{target.stem}.{os.getpid()}{target.suffix}')
    try:
        yield part
        if not direct:
            part.replace(target)
    except OSError as error:
        raise BadInput(f'{file}: cannot be written: {error.strerror}') from error
    finally:
        if not direct:
            part.unlink(missing_ok=True)


def write_whole(file: Path, text: str) -> None:
    """
    Write a text file.

    :raises BadInput: as `whole_file` does
    """
    with whole_file(file) as part:
        part.write_text(text, encoding='utf-8')


def append_line(file: Path, line: str) -> None:
    """
    Append a line to a text file, in place of one that was cut off, if the last one was.

    :raises BadInput: where the disk is full or cannot be written; whole lines stay as they were
    """
    try:
        with file.open('r+b', buffering=0) as stream:
            end = _cut_to_whole_lines(stream)
            try:
                left = f'{line}\n'.encode()
                while left:
                    left = left[stream.write(left) or 0 :]
            except BaseException:
                stream.truncate(end)
                raise
    except OSError as error:
        raise BadInput(f'{file}: cannot be written: {error.strerror}') from error


def whole_lines(file: Path) -> list[str]:
    """
    Read the lines of a text file, but for a last one that was cut off.

    :raises BadInput: for a file that cannot be read
    """
    try:
        *lines, _ = file.read_bytes().split(b'\n')
    except OSError as error:
        raise BadInput(f'{file}: cannot be read: {error.strerror}') from error
    return [line.decode(errors='replace') for line in lines]


def _cut_to_whole_lines(stream: FileIO) -> int:
    """Cut off the end of a file that is no whole line, go there, and return where it is."""
    end = stream.seek(0, os.SEEK_END)
    if end:
        stream.seek(-1, os.SEEK_END)
        if stream.read(1) != b'\n':
            stream.seek(0)
            end = stream.readall().rfind(b'\n') + 1
            stream.truncate(end)
    return stream.seek(end)


class Written(NamedTuple):
    """
    What became of several files.

    :param files: those that were written
    :param problems: a line for each that could not be
    """

    files: list[Path]
    problems: list[str]


def write_each(*files: tuple[Path | None, Callable[[], str]]) -> Written:
    """
    Write text files, each where it is wanted, whatever becomes of the others.

    :param files: a name or None, and what makes the text
    """
    return make_each(
        *((file, lambda file, text=text: write_whole(file, text())) for file, text in files)
    )


def make_each(*files: tuple[Path | None, Callable[[Path], None]]) -> Written:
    """
    Make files, each where it is wanted, whatever becomes of the others.

    :param files: a name or None, and what makes the file
    """
    written = Written([], [])
    for file, make in files:
        if file is not None:
            try:
                make(file)
            except BadInput as problem:
                written.problems.append(str(problem))
            else:
                written.files.append(file)
    return written
