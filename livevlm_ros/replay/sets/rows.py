# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rows of a set's annotation files, and their fields, as plain Python values."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from livevlm_ros.replay.errors import BadInput

Row = dict[str, Any]

_CLOCK = re.compile(r'(?:(\d+):)?(\d{1,2}):(\d{2}(?:\.\d+)?)')
_PICTURE = re.compile(r'data:image/', re.IGNORECASE)


class LeftOut(Exception):
    """A row that cannot become a question; its text is the reason that it is counted under."""


def find_files(folder: Path, *names: str) -> list[Path]:
    """List what a set's folder, or one or two below it, holds under some names, in their order."""
    patterns = (at + name for name in names for at in ('', '*/', '*/*/'))
    return [file for pattern in patterns for file in sorted(folder.glob(pattern))]


def find_file(folder: Path, names: Sequence[str], *, what: str) -> Path:
    """
    Find an annotation file by the names it may have.

    :param what: is expected, for the refusal
    :raises BadInput: when there is none
    """
    for file in find_files(folder, *names):
        return file
    raise BadInput(f'{folder}: no {" or ".join(names)} in it; expected {what}')


def read_rows(file: Path) -> list[Any]:
    """
    Read a file of rows by its ending: JSON, a JSON object a line, CSV or parquet.

    :raises BadInput: when it cannot be read as that
    """
    try:
        if file.suffix == '.parquet':
            return _parquet(file)
        text = file.read_text(encoding='utf-8-sig')
        if file.suffix == '.csv':
            return list(csv.DictReader(StringIO(text, newline='')))
        if file.suffix == '.jsonl':
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        rows = json.loads(text)
    except OSError as error:
        raise BadInput(f'{file}: cannot be read: {error.strerror}') from error
    except (ValueError, csv.Error) as error:
        raise BadInput(f'{file}: not {file.suffix[1:]}: {" ".join(str(error).split())}') from error
    if not isinstance(rows, list):
        raise BadInput(f'{file}: expected a list of rows, got {type(rows).__name__}')
    return rows


def _parquet(file: Path) -> list[Any]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise BadInput(
            f"{file}: to read parquet, pip install 'livevlm_ros[sets]', or pip install pyarrow"
        ) from error
    try:
        rows: list[Any] = parquet.read_table(file).to_pylist()
    except ArrowException as error:
        raise BadInput(f'{file}: not parquet: {" ".join(str(error).split())}') from error
    return rows


def field(row: Any, name: str, *kinds: type) -> Any:
    """
    Return a field of a row.

    :raises LeftOut: where it is missing, or of another kind
    """
    value = row.get(name) if isinstance(row, dict) else None
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise LeftOut(f'{name} missing or unreadable')
    return value


def seconds(value: Any, name: str) -> float:
    """
    Read seconds, given as a number or as [hours:]minutes:seconds.

    :raises LeftOut: for anything else
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9:
        return float(value)
    clock = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if clock is None:
        raise LeftOut(f'{name} missing or unreadable')
    hours, minutes, rest = clock.groups(default='0')
    return 3600 * int(hours) + 60 * int(minutes) + float(rest)


def texts(values: Sequence[Any]) -> tuple[str, ...]:
    """
    Return options as texts.

    :raises LeftOut: for pictures, which a question cannot choose among, and for what is no text
    """
    if not all(isinstance(value, str) for value in values):
        raise LeftOut('options missing or unreadable')
    if any(_PICTURE.match(value) for value in values):
        raise LeftOut('options are pictures')
    return tuple(' '.join(value.split()) for value in values)


def stretches(values: Any) -> tuple[tuple[float, float], ...]:
    """
    Return [from, to] pairs in seconds, in their order; those that are none are passed over.

    :param values: a list, or None for none
    :raises LeftOut: for anything else
    """
    if not isinstance(values, list | tuple | None):
        raise LeftOut('evidence unreadable')
    pairs = [pair for pair in values or () if isinstance(pair, list | tuple) and len(pair) == 2]
    return tuple(
        sorted(
            (float(first), float(last))
            for first, last in pairs
            if isinstance(first, int | float)
            and isinstance(last, int | float)
            and 0 <= first <= last < 1e9
        )
    )
