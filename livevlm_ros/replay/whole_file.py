# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files that are written whole or not at all, so that no half report is taken for a report."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

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


def write_each(*files: tuple[Path | None, Callable[[], str]]) -> list[str]:
    """
    Write text files, each where it is wanted, whatever becomes of the others.

    :param files: a name or None, and what makes the text
    :returns: a line for each that could not be written
    """
    problems = []
    for file, text in files:
        if file is not None:
            try:
                write_whole(file, text())
            except BadInput as problem:
                problems.append(str(problem))
    return problems
