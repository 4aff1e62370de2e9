# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Linear layers with weights in eight or four bits, until their weights are packed."""

from __future__ import annotations

from torch import Tensor, nn

from livevlm_kernels.low_bits import LowBits, quantise

EIGHT_AT_LEAST = ('q_proj', 'k_proj', 'v_proj')
"""Layers that never have four bits: few of all weights, and most of what four bits lose."""


class LowBitsLinear(nn.Module):
    """
    What takes the place of a linear layer, with its bias.

    :param name: of the layer, with or without its parents'
    :param weight: floating point numbers, [out, in]
    :param bits: of a weight, 8 or 4
    """

    def __init__(self, name: str, linear: nn.Linear, weight: Tensor, bits: int) -> None:
        super().__init__()
        low = quantise(weight, 8 if name.endswith(EIGHT_AT_LEAST) else bits)
        self.out_features, self.numbers = linear.out_features, weight.numel()
        self.codes, self.scales = (nn.Parameter(part, requires_grad=False) for part in low)
        self.bias = linear.bias

    def give_up(self) -> LowBits:
        """Return the weights, and forget them."""
        low = LowBits(self.codes.data, self.scales.data)
        del self.codes, self.scales
        return low


def count_weights(network: nn.Module) -> int:
    """Return how many numbers the weights of a packed model stand for."""
    kept = sum(parameter.numel() for parameter in network.parameters())
    lowered = (each.numbers for each in network.modules() if isinstance(each, LowBitsLinear))
    return kept + sum(lowered)
