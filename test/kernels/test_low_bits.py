# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Weights come back within half a step, and products are those of the weights that came back."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from livevlm_kernels.low_bits import (
    FEW_TOKENS,
    GROUP,
    LowBits,
    Scratch,
    dequantise,
    product_torch,
    product_with,
    quantise,
)

Weights = Callable[..., tuple[Tensor, Tensor]]


@pytest.mark.parametrize('rows', [64, 9000])  # in one piece, and in several
def test_an_error_of_eight_bits_is_half_a_step(weights: Weights, rows: int) -> None:
    weight, _ = weights(rows, 128)
    low = quantise(weight, 8)
    error = (dequantise(low, torch.float32) - weight).abs()
    assert low.codes.shape == weight.shape and low.scales.shape == (rows,)
    assert (error <= 0.501 * low.scales[:, None].float()).all()
    largest = weight.abs().amax(1) / 127
    assert (low.scales >= largest).all() and (low.scales <= 1.02 * largest).all()


@pytest.mark.parametrize('rows', [64, 9000])
def test_an_error_of_four_bits_is_half_a_step_and_the_rounding_of_a_zero(
    weights: Weights, rows: int
) -> None:
    weight, _ = weights(rows, 128)
    low = quantise(weight, 4)
    error = (dequantise(low, torch.float32) - weight).abs().unflatten(1, (-1, GROUP))
    scale, zero = low.scales.float().unbind(2)
    assert low.codes.shape == (rows, 64) and low.scales.shape == (rows, 128 // GROUP, 2)
    assert (error <= (0.501 * scale + 2**-8 * zero.abs())[..., None]).all()


@pytest.mark.parametrize('bits', [8, 4])
def test_weights_that_are_all_zero_or_all_alike_stay_so(bits: int) -> None:
    weight = torch.zeros(64, 64)
    weight[1] = 0.25
    back = dequantise(quantise(weight, bits), torch.float32)
    assert torch.equal(back[0], weight[0])
    torch.testing.assert_close(back[1], weight[1], rtol=0.01, atol=0)


@pytest.mark.parametrize('bits', [8, 4])
@pytest.mark.parametrize('bad', [torch.nan, torch.inf])
def test_numbers_that_are_not_finite_show_in_the_scales(bits: int, bad: float) -> None:
    weight = torch.ones(64, 64)
    weight[3, 5] = bad
    assert not quantise(weight, bits).scales.isfinite().all()


@pytest.mark.parametrize('bits', [8, 4])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize('tokens', [1, FEW_TOKENS['cpu'], FEW_TOKENS['cpu'] + 1])
def test_a_product_is_that_of_the_weights(
    weights: Weights, bits: int, dtype: torch.dtype, tokens: int
) -> None:
    weight, inputs = weights(192, 320, tokens, dtype)
    low = quantise(weight, bits)
    expected = inputs.float() @ dequantise(low, torch.float32).t()
    found = product_with(low, Scratch())(inputs)
    assert found.dtype == dtype
    apart = (found.float() - expected).abs().max() / expected.abs().max()
    assert apart < 0.01  # bfloat16 is the narrowest type on the way


@pytest.mark.parametrize('bits', [8, 4])
def test_decoded_in_pieces_a_product_is_exact(weights: Weights, bits: int) -> None:
    weight, inputs = weights(4096, 320, 5)  # in three pieces
    low = quantise(weight, bits)
    expected = inputs @ dequantise(low, torch.float32).t()
    torch.testing.assert_close(product_torch(low, inputs), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('threads', [1, 2])
def test_products_that_share_a_scratch_do_not_disturb_each_other(
    weights: Weights, threads: int
) -> None:
    scratch, before = Scratch(), torch.get_num_threads()
    torch.set_num_threads(threads)
    small, large = (64, 128, torch.float32), (4096, 320, torch.float32)
    for rows, width, dtype in (small, large, small, (64, 320, torch.bfloat16)):
        weight, inputs = weights(rows, width, FEW_TOKENS['cpu'] + 1, dtype)
        low = quantise(weight, 8)
        with torch.inference_mode(rows == 64):
            found = product_with(low, scratch)(inputs)
        assert torch.equal(found, product_torch(low, inputs))
    torch.set_num_threads(before)


def test_sums_of_codes_stay_in_the_range_of_float16(weights: Weights) -> None:
    weight, inputs = weights(64, 256, 40, torch.float16)
    low, inputs = quantise(weight, 8), 100 * inputs
    assert (inputs.float() @ low.codes.float().t()).abs().max() > 65504
    expected = inputs.float() @ dequantise(low, torch.float32).t()
    torch.testing.assert_close(product_torch(low, inputs).float(), expected, rtol=0.01, atol=0.1)


def test_layers_side_by_side_are_their_codes_side_by_side(weights: Weights) -> None:
    parts = [quantise(weights(rows, 128)[0], 4) for rows in (64, 128)]
    _, inputs = weights(64, 128, 3)
    codes, scales = zip(*parts, strict=True)
    together = product_with(LowBits(torch.cat(codes), torch.cat(scales)), Scratch())(inputs)
    apart = [product_with(part, Scratch())(inputs) for part in parts]
    assert torch.equal(together, torch.cat(apart, dim=1))
