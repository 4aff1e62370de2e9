# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_bench.shapes import HALF_BILLION, SEVEN_BILLION, Shape, cache_shape


@pytest.mark.parametrize(
    ('shape', 'layers', 'q_heads', 'kv_heads', 'head_dim'),
    [(HALF_BILLION, 24, 14, 2, 64), (SEVEN_BILLION, 28, 28, 4, 128)],
)
def test_shapes_are_those_of_llava_onevision(
    shape: Shape, layers: int, q_heads: int, kv_heads: int, head_dim: int
) -> None:
    found = cache_shape(shape.config, tokens_per_frame=shape.tokens_per_frame)
    assert (found.layers, found.q_heads, found.kv_heads) == (layers, q_heads, kv_heads)
    assert (found.head_dim, found.tokens_per_frame) == (head_dim, 196)
