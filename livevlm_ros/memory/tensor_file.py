# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Tensors in a safetensors file that is written run by run, for they need not fit in RAM.

The library writes whole tensors only. The format: the length of a header in eight bytes, the
header in JSON, and the tensors' bytes without gaps.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BufferedReader
from pathlib import Path

import torch
from torch import Tensor

from livevlm_ros.memory.checksum import PIECE_BYTES, Checksum
from livevlm_ros.memory.private_file import private
from livevlm_ros.memory.state import Rows, State

SYNCED_BYTES = 2**26
"""Written between two syncs: whoever else writes to the disk waits for no more."""

TYPES = {
    'F64': torch.float64,
    'F32': torch.float32,
    'F16': torch.float16,
    'BF16': torch.bfloat16,
    'I64': torch.int64,
    'I16': torch.int16,
    'U8': torch.uint8,
}
_NAMES = {dtype: name for name, dtype in TYPES.items()}


def write_tensors(
    path: Path, state: State, progress: Callable[[float], None] = lambda share: None
) -> tuple[str, int]:
    """
    Write the tensors and rows of a state to a file, and have the disk keep it.

    :param progress: called with the share that is written
    :returns: the file's checksum and its bytes
    :raises OSError: if it cannot be written
    """
    checksum, unsynced, size = Checksum(), 0, max(1, state.nbytes)
    with open(path, 'wb', opener=private) as file:
        for run in _runs(state):
            checksum.update(run)
            unsynced += file.write(run)
            progress(min(1.0, file.tell() / size))
            if unsynced >= SYNCED_BYTES:
                file.flush()
                os.fdatasync(file.fileno())
                unsynced = 0
        file.flush()
        os.fsync(file.fileno())
        return checksum.hexdigest(), file.tell()


def _runs(state: State) -> Iterator[bytes | memoryview]:
    """Give the bytes of a file, the tensors of the widest types first, so that each is aligned."""
    parts: dict[str, Tensor | Rows] = {**state.tensors, **state.rows}
    parts = dict(sorted(parts.items(), key=lambda part: (-part[1].dtype.itemsize, part[0])))
    header, end = {}, 0
    for name, part in parts.items():
        start, end = end, end + part.nbytes
        shape, dtype = list(part.shape), _NAMES[part.dtype]
        header[name] = {'dtype': dtype, 'shape': shape, 'data_offsets': [start, end]}
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    yield len(text).to_bytes(8, 'little') + text
    for part in parts.values():
        for run in (part,) if isinstance(part, Tensor) else part.runs():
            yield run.contiguous().flatten().view(torch.uint8).numpy().data


def read_tensors(path: Path, rows: Iterable[str]) -> tuple[dict[str, Tensor], dict[str, Rows]]:
    """
    Read the tensors of a file as `write_tensors` makes it.

    :param rows: names of those that are given in rows, to be read later; the file may be replaced
    :raises OSError: if it cannot be read
    """
    file = path.open('rb')
    header = json.loads(file.read(int.from_bytes(file.read(8), 'little')))
    start, parts = file.tell(), {}
    for name, part in header.items():
        shape, dtype = tuple(part['shape']), TYPES[part['dtype']]
        at = start + part['data_offsets'][0]
        read = partial(_read, file, at, shape[1:], dtype)
        parts[name] = Rows(shape, dtype, read, partial(_read_into, file, at))
    by_rows = {name: parts.pop(name) for name in rows}
    return {name: part.read(0, len(part)) for name, part in parts.items()}, by_rows


def _read(
    file: BufferedReader,
    start: int,
    row: tuple[int, ...],
    dtype: torch.dtype,
    first: int,
    last: int,
) -> Tensor:
    """Read some rows of a tensor that lies at a place of a file."""
    rows = torch.empty(last - first, *row, dtype=dtype)
    _read_into(file, start, first, rows)
    return rows


def _read_into(file: BufferedReader, start: int, first: int, out: Tensor) -> None:
    """Read rows from one on into a tensor, by several threads: as fast as the disk, or RAM."""
    if not out.numel():
        return
    start += first * (out.nbytes // len(out))
    data = out.flatten().view(torch.uint8).numpy().data
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(
            pool.map(
                lambda at: _read_piece(file, start + at, data[at : at + PIECE_BYTES]),
                range(0, len(data), PIECE_BYTES),
            )
        )


def _read_piece(file: BufferedReader, at: int, data: memoryview) -> None:
    """Fill a piece with the bytes that lie at a place of a file."""
    while len(data):
        count = os.preadv(file.fileno(), [data], at)
        if not count:
            raise OSError(errno.EIO, 'the file ends before its tensors do')
        at, data = at + count, data[count:]
