# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from torch import Tensor

from livevlm_ros.memory.archive.costs import scales_bytes
from livevlm_ros.memory.archive.quantise import (
    HALF_MAX,
    dequantise,
    quantise,
    to_half,
)


def drawn(*size: int, seed: int = 0) -> Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed))


INPUTS = {
    'one head': drawn(64, 8),
    'layers and heads': drawn(3, 2, 64, 64),
    'a short run': drawn(2, 9, 4),
    'wide and narrow channels': drawn(64, 8) * 10.0 ** torch.arange(-6, 2),
    'far from zero': drawn(64, 8) * 0.01 - 1000.3,
    'up to the end of the range': drawn(64, 8).tanh() * HALF_MAX,
    'no range at all': torch.full((64, 8), -777.77),
    'zeros': torch.zeros(64, 8),
    'smaller than float16 can tell': drawn(64, 8) * 1e-9,
}


@pytest.mark.parametrize('bits', [4, 8])
@pytest.mark.parametrize('name', INPUTS)
def test_no_number_is_off_by_more_than_half_a_step(name: str, bits: int) -> None:
    x = INPUTS[name]
    codes, scale, zero = quantise(x, bits=bits)
    back = dequantise(codes, scale, zero, bits=bits, dtype=torch.float32)
    rounding = x.abs().double() * 2**-23
    bound = scale.double().unsqueeze(-2) / 2 * (1 + 1e-6) + rounding
    assert ((back.double() - x.double()).abs() <= bound).all()


@pytest.mark.parametrize('bits', [4, 8])
def test_the_step_is_the_range_by_the_codes_there_are(bits: int) -> None:
    x = drawn(5, 64, 8)
    codes, scale, _ = quantise(x, bits=bits)
    low, high = x.aminmax(dim=-2)
    finest = (high - low) / (2**bits - 1)
    assert (scale.float() <= finest * 1.01).all()
    assert (codes.dtype, codes.shape) == (torch.uint8, (5, 64, 8 * bits // 8))


@pytest.mark.parametrize('bits', [4, 8])
@pytest.mark.parametrize('value', [0.0, 1000.0, -0.5])
def test_a_channel_that_never_changes_comes_back_as_it_was(value: float, bits: int) -> None:
    x = torch.full((64, 8), value)
    back = dequantise(*quantise(x, bits=bits), bits=bits, dtype=torch.float32)
    assert torch.equal(back, x)


@pytest.mark.parametrize('bits', [4, 8])
def test_a_value_beyond_the_range_of_float16_becomes_its_end(bits: int) -> None:
    x = torch.zeros(64, 8)
    x[3, 2], x[9, 5] = 1e9, -torch.inf
    back = dequantise(*quantise(x, bits=bits), bits=bits, dtype=torch.float32)
    step = 2 * HALF_MAX / (2**bits - 1)
    assert abs(back[3, 2] - HALF_MAX) < step
    assert abs(back[9, 5] + HALF_MAX) < step
    assert to_half(x).isfinite().all()


def test_two_codes_share_a_byte_and_come_apart_again() -> None:
    x = torch.arange(64)[:, None].remainder(16).float() + torch.zeros(6)
    x = x.roll(shifts=[1, 5], dims=[0, 1])
    x[:, 3] = 15 - x[:, 3]
    back = dequantise(*quantise(x, bits=4), bits=4, dtype=torch.float32)
    assert torch.equal(back.round(), x)


def test_some_tokens_of_a_run_can_be_read_alone() -> None:
    codes, scale, zero = quantise(drawn(64, 8), bits=4)
    whole = dequantise(codes, scale, zero, bits=4, dtype=torch.float16)
    part = dequantise(codes[16:20], scale, zero, bits=4, dtype=torch.float16)
    assert torch.equal(part, whole[16:20])


@pytest.mark.parametrize('bits', [4, 8])
def test_scales_add_a_sixth_of_a_bit_to_a_number_of_a_real_frame(bits: int) -> None:
    assert 8 * scales_bytes(dim=64, bits=bits) / (196 * 64) == pytest.approx(1 / 6, abs=0.01)


def test_the_bytes_said_are_those_of_the_tensors() -> None:
    for bits in (4, 8):
        codes, scale, zero = quantise(drawn(64, 10), bits=bits)
        assert scale.nbytes + zero.nbytes == scales_bytes(dim=10, bits=bits)
        assert codes.nbytes == 64 * 10 * bits // 8
    assert scales_bytes(dim=10, bits=16) == 0
