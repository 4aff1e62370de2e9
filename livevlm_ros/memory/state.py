# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What something holds, as tensors and facts that a file can keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar('T')

RUN_BYTES = 2**24
"""Of rows that are read at once."""


@dataclass(frozen=True, slots=True)
class Rows:
    """
    A tensor that is read in runs of rows, for it may be as large as the disk.

    :param shape: the whole tensor's, [rows, ...]
    :param read: gives the rows from one to before another, on the CPU
    :param read_into: writes rows from one on into a tensor, as many as that has; None: `read` does
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[int, int], Tensor]
    read_into: Callable[[int, Tensor], None] | None = None

    @classmethod
    def of(cls, tensor: Tensor) -> Rows:
        """Return the rows of a tensor."""
        return cls(tuple(tensor.shape), tensor.dtype, lambda first, last: tensor[first:last])

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """Bytes of the whole tensor."""
        return prod(self.shape) * self.dtype.itemsize

    def runs(self) -> Iterator[Tensor]:
        """Give all rows in runs of about `RUN_BYTES`."""
        for first in range(0, len(self), self._at_once):
            yield self.read(first, min(first + self._at_once, len(self)))

    def copy_to(self, out: Tensor, *, first: int = 0) -> None:
        """Write rows from one on into a contiguous tensor on the CPU, as many as that has."""
        if self.read_into is not None:
            self.read_into(first, out)
            return
        for at in range(0, len(out), self._at_once):
            run = out[at : at + self._at_once]
            run.copy_(self.read(first + at, first + at + len(run)))

    @property
    def _at_once(self) -> int:
        """Rows of a run."""
        return max(1, RUN_BYTES * len(self) // max(1, self.nbytes))

    def whole(self) -> Tensor:
        """Return the whole tensor."""
        return torch.cat([torch.empty(0, *self.shape[1:], dtype=self.dtype), *self.runs()])


@dataclass(frozen=True, slots=True)
class State:
    """
    What something holds.

    :param tensors: by name, on the CPU
    :param facts: the rest, as JSON has it
    :param rows: tensors that are read in runs, by name
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, Rows] = field(default_factory=dict)

    @classmethod
    def joined(cls, parts: Mapping[str, State]) -> State:
        """Join states, each under a name; `part` gives it back."""
        return cls(
            _named({part: state.tensors for part, state in parts.items()}),
            {part: state.facts for part, state in parts.items()},
            _named({part: state.rows for part, state in parts.items()}),
        )

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        of_tensors = sum(tensor.nbytes for tensor in self.tensors.values())
        return of_tensors + sum(rows.nbytes for rows in self.rows.values())

    def part(self, name: str) -> State:
        """Return the state that was joined under a name."""
        return State(_of(name, self.tensors), self.facts[name], _of(name, self.rows))


def _named(parts: Mapping[str, Mapping[str, T]]) -> dict[str, T]:
    return {f'{part}.{name}': each for part, held in parts.items() for name, each in held.items()}


def _of(part: str, held: Mapping[str, T]) -> dict[str, T]:
    start = f'{part}.'
    return {key.removeprefix(start): each for key, each in held.items() if key.startswith(start)}


def copied(tensor: Tensor) -> Tensor:
    """Return a contiguous copy on the CPU."""
    return tensor.to('cpu', copy=True, memory_format=torch.contiguous_format)


def alike(one: Tensor, other: Tensor) -> bool:
    """Return whether tensors are equal to half their digits, as on two devices that round."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    near = torch.finfo(one.dtype).eps ** 0.5
    one, other = one.cpu().double(), other.cpu().double()
    return bool((one - other).norm() <= near * one.norm())
