# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The files that weights are in, and what their headers say. It needs no torch."""

from __future__ import annotations

from collections import Counter
from math import prod
from pathlib import Path

from safetensors import safe_open

from livevlm_ros.model.folder import CheckpointError, read_json

MOST_HEADER_BYTES = 2**23
"""Of safetensors: some 80,000 tensors."""


def weight_files(folder: Path) -> list[Path]:
    """
    Return the files that the weights of a folder are in, be they there or not.

    :raises CheckpointError: for an index that names none, or files elsewhere
    """
    index = folder / 'model.safetensors.index.json'
    if index.is_file():
        shards = read_json(index).get('weight_map')
        if not isinstance(shards, dict) or not shards:
            raise CheckpointError(f'{index}: expected a weight_map')
        foreign = [name for name in shards.values() if Path(str(name)).name != name]
        if foreign:
            raise CheckpointError(
                f'{index}: weight_map has {foreign[0]!r}, expected names of files in its folder'
            )
        return [folder / name for name in sorted(set(shards.values()))]
    return [folder / 'model.safetensors']


def check_header(file: Path) -> None:
    """
    Look at how long the header of a safetensors file is, before it is parsed.

    :raises CheckpointError: for one that names more tensors than any model has
    """
    with file.open('rb') as opened:
        length = int.from_bytes(opened.read(8), 'little')
    if MOST_HEADER_BYTES < length <= file.stat().st_size - 8:
        raise CheckpointError(
            f'{file}: a header of {length / 1e6:.0f} MB, expected at most '
            f'{MOST_HEADER_BYTES / 1e6:.3g}: no model has so many tensors'
        )


def count_numbers(folder: Path) -> Counter[str]:
    """Return how many numbers the weights of a folder are, by their type as safetensors has it."""
    numbers: Counter[str] = Counter()
    for file in weight_files(folder):
        check_header(file)
        with safe_open(file, framework='np') as weights:
            for tensor in map(weights.get_slice, weights.keys()):
                numbers[tensor.get_dtype()] += prod(tensor.get_shape())
    return numbers
