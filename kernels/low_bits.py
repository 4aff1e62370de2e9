# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Weights of linear layers in eight or four bits, and products with them.

Eight bits have a scale for each output; four bits have a scale and a zero for every 64 inputs of
an output. Scales and zeros are bfloat16, and codes are those of the rounded ones, so that they
mean the same in every type that is computed in.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from math import ceil
from typing import NamedTuple

import torch
from torch import Tensor

GROUP = 64
"""Inputs that share a scale and a zero where a weight has four bits."""

FEW_TOKENS = {'cpu': 32, 'cuda': 4}
"""Most tokens of a product that is computed code by code, on a CPU in eight bits alone."""

NUMBERS_AT_ONCE = 2**19
"""Weights that are decoded at a time by one thread: so many stay in the cache of a core."""

MOST_AT_ONCE = 2**24
"""The same where several threads, or a GPU, would wait for each other after every piece."""

_LEAST_SCALE = 2.0**-100  # of weights that are all zero
_ABOVE = 1 + 2.0**-8  # a bfloat16 rounded from this much above a number is not below it
_HAS_TRITON = find_spec('triton') is not None  # not every torch for a GPU brings it


class LowBits(NamedTuple):
    """
    The weights of a linear layer.

    :param codes: int8 [out, in]; or of four bits uint8 [out, in / 2], the even input in the low
        nibble
    :param scales: bfloat16 [out]; or of four bits [out, in / GROUP, 2], scale and zero
    """

    codes: Tensor
    scales: Tensor


class Scratch:
    """Memory that weights are decoded into, for products that follow one another."""

    def __init__(self) -> None:
        self._numbers = torch.empty(0)

    def room(self, rows: int, like: Tensor) -> Tensor:
        """
        Return room for decoded weights, [rows, in], with any numbers in it.

        :param like: inputs of their product, [tokens, in]
        """
        needed = rows * like.shape[1]
        old = self._numbers
        if needed > len(old) or (old.dtype, old.device) != (like.dtype, like.device):
            with torch.inference_mode(False):  # so that it may be written in that mode and out
                self._numbers = torch.empty(needed, dtype=like.dtype, device=like.device)
        return self._numbers[:needed].view(rows, -1)


Product = Callable[[Tensor], Tensor]
"""Of inputs, [tokens, in], and weights: [tokens, out], in the type of the inputs."""


def quantise(weight: Tensor, bits: int) -> LowBits:
    """
    Quantise weights; an error is at most half a scale, but for the rounding of a zero.

    :param weight: [out, in]; of four bits `in` is a multiple of `GROUP`
    :param bits: 8 or 4
    """
    rows = max(1, NUMBERS_AT_ONCE // weight.shape[1])
    quantised = {8: _quantise_8, 4: _quantise_4}[bits]
    codes, scales = zip(*map(quantised, weight.split(rows)), strict=True)
    return LowBits(torch.cat(codes), torch.cat(scales))


def _quantise_8(weight: Tensor) -> LowBits:
    weight = weight.float()
    scales = _at_least(weight.abs().amax(1) / 127)
    steps = weight / scales[:, None].float()
    return LowBits(steps.round_().to(torch.int8), scales)


def _quantise_4(weight: Tensor) -> LowBits:
    groups = weight.float().unflatten(1, (-1, GROUP))
    low, high = groups.aminmax(dim=2)
    scale = _at_least((high - low) / 15)
    zero = (low + 8 * scale.float()).bfloat16()
    steps = (groups - zero[..., None].float()) / scale[..., None].float()
    codes = (steps.round_() + 8).clamp_(0, 15).to(torch.uint8).flatten(1)
    return LowBits(codes[:, ::2] | codes[:, 1::2] << 4, torch.stack((scale, zero), dim=-1))


def _at_least(scales: Tensor) -> Tensor:
    """Round to bfloat16 that is not below."""
    return (scales.clamp_min(_LEAST_SCALE) * _ABOVE).bfloat16()


def dequantise(low: LowBits, dtype: torch.dtype) -> Tensor:
    """Undo `quantise`: [out, in]."""
    outs, width = low.codes.shape
    if low.codes.dtype == torch.uint8:
        width *= 2
    return _decode(low, torch.empty(outs, width, dtype=dtype, device=low.codes.device))


def _decode(low: LowBits, weight: Tensor) -> Tensor:
    """Write the weights, [out, in]."""
    scales = low.scales.to(weight.dtype)
    if low.codes.dtype == torch.int8:
        return weight.copy_(low.codes).mul_(scales[:, None])
    scale, zero = scales[..., None].unbind(2)
    weight.copy_(_nibbles(low.codes)).sub_(8)
    weight.unflatten(1, (-1, GROUP)).mul_(scale).add_(zero)
    return weight


def _nibbles(codes: Tensor) -> Tensor:
    """Return a code of four bits a byte, [out, in]."""
    return torch.stack((codes & 15, codes >> 4), dim=-1).flatten(1)


def product_with(low: LowBits, scratch: Scratch) -> Product:
    """
    Return what multiplies with weights, arranged as the device that they are on wants them.

    :param scratch: used by a CPU, for more than a few tokens
    """
    if low.codes.device.type != 'cpu':
        return partial(_on_gpu, low)
    if low.codes.dtype == torch.int8:
        return partial(_of_8_on_cpu, low, scratch)
    return partial(_of_4_on_cpu, _arranged(low))


def _on_gpu(low: LowBits, inputs: Tensor) -> Tensor:
    if len(inputs) > FEW_TOKENS['cuda'] or not _HAS_TRITON:
        return product_torch(low, inputs)
    from livevlm_kernels.low_bits_triton import product_triton

    return product_triton(low, inputs)


def _of_8_on_cpu(low: LowBits, scratch: Scratch, inputs: Tensor) -> Tensor:
    if len(inputs) > FEW_TOKENS['cpu']:
        return product_torch(low, inputs, scratch)
    halves = inputs.bfloat16()  # the one type in which torch's operator is fast
    return torch.ops.aten._weight_int8pack_mm(halves, *low).to(inputs.dtype)


def _of_4_on_cpu(low: LowBits, inputs: Tensor) -> Tensor:
    halves = inputs.bfloat16()
    found = torch.ops.aten._weight_int4pack_mm_for_cpu(halves, low.codes, GROUP, low.scales)
    return found.to(inputs.dtype)


def _arranged(low: LowBits) -> LowBits:
    """Put codes in the order of this CPU's instructions, scales as [in / GROUP, out, 2]."""
    pack = torch.ops.aten._convert_weight_to_int4pack_for_cpu
    parts = [pack(_nibbles(rows).int(), 1) for rows in low.codes.split(GROUP)]
    return LowBits(torch.cat(parts), low.scales.transpose(0, 1).contiguous())


def product_torch(low: LowBits, inputs: Tensor, scratch: Scratch | None = None) -> Tensor:
    """
    Multiply with weights that are decoded in pieces, on any device.

    :param scratch: to decode into; None: memory of its own
    """
    if inputs.dtype == torch.float16:  # sums of codes leave its range
        return product_torch(low, inputs.float(), scratch).half()
    (tokens, width), outs = inputs.shape, len(low.codes)
    eight = low.codes.dtype == torch.int8
    rows = _rows_at_once(outs, width, inputs.device)
    outputs, memory = inputs.new_empty(tokens, outs), (scratch or Scratch()).room(rows, inputs)
    pieces = map(LowBits, low.codes.split(rows), low.scales.split(rows))
    for output, piece in zip(outputs.split(rows, dim=1), pieces, strict=True):
        weight = memory[: len(piece.codes)]
        weight = weight.copy_(piece.codes) if eight else _decode(piece, weight)
        torch.mm(inputs, weight.t(), out=output)
    return outputs.mul_(low.scales.to(inputs.dtype)) if eight else outputs


def _rows_at_once(outs: int, width: int, device: torch.device) -> int:
    """Return how many outputs' weights are decoded at a time, in pieces of about one size."""
    alone = device.type == 'cpu' and torch.get_num_threads() == 1
    pieces = ceil(outs * width / (NUMBERS_AT_ONCE if alone else MOST_AT_ONCE))
    return ceil(outs / pieces)
