# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Tensors in a safetensors file that is written run by run, for they need not fit in RAM.

The library writes whole tensors only. The format: the length of a header in eight bytes, the
header in JSON, and the tensors' bytes without gaps.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

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


def write_tensors(path: Path, state: State) -> tuple[str, int]:
    """
    Write the tensors and rows of a state to a file, and have the disk keep it.

    :returns: the file's SHA-256 and its bytes
    :raises OSError: if it cannot be written
    """
    parts = {name: Rows.of(tensor[None]) for name, tensor in state.tensors.items()} | state.rows
    shapes = {name: tensor.shape for name, tensor in state.tensors.items()}
    widest_first = sorted(parts, key=lambda name: (-parts[name].dtype.itemsize, name))  # aligned
    digest, unsynced = hashlib.sha256(), 0
    with path.open('wb') as file:
        for run in _runs({name: parts[name] for name in widest_first}, shapes):
            digest.update(run)
            unsynced += file.write(run)
            if unsynced >= SYNCED_BYTES:
                file.flush()
                os.fdatasync(file.fileno())
                unsynced = 0
        file.flush()
        os.fsync(file.fileno())
        return digest.hexdigest(), file.tell()


def _runs(
    parts: Mapping[str, Rows], shapes: Mapping[str, torch.Size]
) -> Iterator[bytes | memoryview]:
    """Give the bytes of a file."""
    header, end = {}, 0
    for name, part in parts.items():
        start, end = end, end + part.nbytes
        shape = list(shapes.get(name, part.shape))
        header[name] = {'dtype': _NAMES[part.dtype], 'shape': shape, 'data_offsets': [start, end]}
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    yield len(text).to_bytes(8, 'little') + text
    for part in parts.values():
        for _, run in part.runs():
            yield run.contiguous().flatten().view(torch.uint8).numpy().data


def read_tensors(path: Path, rows: Iterable[str]) -> tuple[dict[str, Tensor], dict[str, Rows]]:
    """
    Map the tensors of a file.

    :param rows: names of those that are given in rows
    :raises OSError: if it cannot be read
    :raises SafetensorError: if it is no such file
    """
    opened, by_rows = safe_open(path, 'pt'), set(rows)
    tensors = {name: opened.get_tensor(name) for name in opened.keys() - by_rows}
    return tensors, {name: _mapped(opened.get_slice(name)) for name in by_rows}


def _mapped(part: Any) -> Rows:
    """Return the rows of a `PySafeSlice`, which the library has no type for."""
    shape = tuple(part.get_shape())
    return Rows(shape, TYPES[part.get_dtype()], lambda first, last: part[first:last])
