# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Linear layers that read the same input, side by side: one product in place of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from livevlm_kernels.low_bits import LowBits, Scratch, product_with
from livevlm_ros.freed import return_freed
from livevlm_ros.model.low_bits import LowBitsLinear


class Packed(Protocol):
    """Weights of linear layers, without biases."""

    def product(self, inputs: Tensor, plus: Tensor | None = None) -> Tensor:
        """
        Multiply with the weights.

        :param inputs: [tokens, in]
        :param plus: added to it, [out] or [tokens, out]
        :returns: [tokens, sum of out]
        """


def packed(parts: Sequence[Any], scratch: Scratch) -> Packed:
    """
    Lay the weights of layers side by side; they exist once.

    :param parts: all of them `Linear`, or all `LowBitsLinear`
    :param scratch: shared by all that are packed for one thread
    """
    if isinstance(parts[0], LowBitsLinear):
        lowered = PackedLowBits(parts, scratch)
        return_freed()  # the next layers do not fit where these were, between others
        return lowered
    return PackedFloats(parts)


class PackedFloats:
    """Weights as floating point numbers, [in, sum of out]; the layers go on as views of them."""

    def __init__(self, parts: Sequence[nn.Linear]) -> None:
        self._weight = torch.cat([part.weight for part in parts]).t().contiguous()
        views = self._weight.split([part.out_features for part in parts], dim=1)
        for part, view in zip(parts, views, strict=True):
            part.weight.data = view.t()

    def product(self, inputs: Tensor, plus: Tensor | None = None) -> Tensor:
        """Multiply as `Packed` says."""
        if plus is None:
            return torch.mm(inputs, self._weight)
        return torch.addmm(plus, inputs, self._weight)


class PackedLowBits:
    """Weights in a few bits; the layers give them up."""

    def __init__(self, parts: Sequence[LowBitsLinear], scratch: Scratch) -> None:
        first, *others = [part.give_up() for part in parts]
        if others:
            codes, scales = zip(first, *others, strict=True)
            first = LowBits(torch.cat(codes), torch.cat(scales))
        self._product = product_with(first, scratch)

    def product(self, inputs: Tensor, plus: Tensor | None = None) -> Tensor:
        """Multiply as `Packed` says."""
        found = self._product(inputs)
        return found if plus is None else found.add_(plus)
