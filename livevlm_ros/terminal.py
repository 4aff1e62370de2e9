# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How commands speak with whoever typed them: progress, options with a grammar, refusals."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from livevlm_ros.durations import typed_seconds

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@contextmanager
def plain_errors(*others: type[Exception]) -> Iterator[None]:
    """
    Turn what the user can mend into one line and exit code 2.

    :param others: errors that tell of bad input, beside `BadInput`; a full disk is one, too
    """
    from livevlm_ros.replay.errors import BadInput

    told: tuple[type[Exception], ...] = (BadInput, *others)
    try:
        yield
    except told as error:
        refuse(str(error))
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        refuse(f'{error.filename or "output"}: cannot be written: {error.strerror}')


def refuse(message: str) -> NoReturn:
    """End the command: one line on stderr, exit code 2."""
    print(f'livevlm: {message}', file=sys.stderr)
    raise typer.Exit(2)


def progress_bar() -> Progress:
    """Make a progress bar on stderr; nothing is drawn where that is no terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn('{task.description}', markup=False),
        BarColumn(),
        TextColumn('{task.percentage:>3.0f} %'),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def check_writable(*files: Path | None, read: Path | None = None) -> None:
    """
    Refuse an output that cannot be written before the work is done, not after.

    :param read: a file that is read, and so must be another one
    """
    taken = set() if read is None else {read.resolve()}
    for file in files:
        if file is None:
            continue
        folder, device = file.resolve().parent, file.exists() and not file.is_file()
        if not folder.is_dir() or file.is_dir():
            refuse(f'{file}: cannot be written; expected a file in an existing folder')
        touched = [file] if device else [folder, file] if file.exists() else [folder]
        if not all(os.access(path, os.W_OK) for path in touched):
            refuse(f'{file}: cannot be written; permission denied')
        if not device and file.resolve() in taken:
            refuse(f'{file}: is given twice; expected different files')
        taken.add(file.resolve())


def number_range(option: str, text: str) -> tuple[int, int]:
    """Read a number or a range such as 4..16."""
    match = re.fullmatch(r'(\d+)(?:\.\.(\d+))?', text)
    if match is None:
        refuse(f'{option} {text}: expected a number or a range such as 4..16')
    return int(match[1]), int(match[2] or match[1])


def image_size(option: str, text: str) -> tuple[int, int]:
    """Read a size such as 320x240."""
    match = re.fullmatch(r'(\d+)x(\d+)', text)
    if match is None:
        refuse(f'{option} {text}: expected width x height, such as 320x240')
    return int(match[1]), int(match[2])


def duration_s(option: str, text: str) -> float:
    """Read a length of time such as 90, 90s, 5m, 2h or 1d."""
    try:
        return typed_seconds(text)
    except ValueError as error:
        refuse(f'{option} {text}: {error}')


def time_ns(option: str, text: str) -> int:
    """Read a point in time: seconds as a header stamp has them, or a date and time of day."""
    if re.fullmatch(r'\d+(\.\d+)?', text.strip()):
        return int(Decimal(text.strip()) * 10**9)
    try:
        return round(datetime.fromisoformat(text.strip()).timestamp() * 1e6) * 1000
    except ValueError:
        refuse(f'{option} {text}: expected seconds, or a time such as 2026-11-27T09:30:00')


def different_names(option: str, text: str) -> list[str]:
    """Read names with commas between, none of them twice."""
    names = text.replace(' ', '').split(',')
    if len(set(names)) < len(names):
        refuse(f'{option} {text}: a name is given twice; expected different ones')
    return names
