# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest

from livevlm_ros.bit_depth import DEPTHS, BitDepth


def values(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.uint16)


@pytest.mark.parametrize('bits', DEPTHS)
def test_the_brightest_value_of_a_depth_is_white(bits: int) -> None:
    full = (1 << bits) - 1
    assert BitDepth().to_8_bits(values(0, full // 2, full)).tolist() == [0, 127, 255]


def test_bits_grow_and_never_shrink() -> None:
    depth = BitDepth()
    seen = []
    for brightest in (0, 1023, 1024, 5, 70, 60000, 1023):
        depth.to_8_bits(values(brightest))
        seen.append(depth.bits)
    assert seen == [10, 10, 12, 12, 12, 16, 16]


def test_given_bits_stay_and_brighter_values_are_white() -> None:
    depth = BitDepth(12)
    assert depth.to_8_bits(values(16, 4095, 65535)).tolist() == [1, 255, 255]
    assert depth.bits == 12
    assert BitDepth(8).to_8_bits(values(200, 300)).tolist() == [200, 255]


def test_values_of_either_byte_order_in_any_shape_are_taken() -> None:
    swapped = values(512, 1023).astype('>u2').reshape(2, 1)
    assert BitDepth().to_8_bits(swapped).tolist() == [[128], [255]]
    assert BitDepth().to_8_bits(np.empty((0, 3), np.uint16)).shape == (0, 3)
