# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What something holds, as tensors and facts that a file can keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class State:
    """
    What something holds.

    :param tensors: by name, on the CPU
    :param facts: the rest, as JSON has it
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def joined(cls, parts: Mapping[str, State]) -> State:
        """Join states, each under a name; `part` gives it back."""
        return cls(
            {
                f'{part}.{name}': tensor
                for part, state in parts.items()
                for name, tensor in state.tensors.items()
            },
            {part: state.facts for part, state in parts.items()},
        )

    def part(self, name: str) -> State:
        """Return the state that was joined under a name."""
        start = f'{name}.'
        tensors = {
            key.removeprefix(start): tensor
            for key, tensor in self.tensors.items()
            if key.startswith(start)
        }
        return State(tensors, self.facts[name])


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
