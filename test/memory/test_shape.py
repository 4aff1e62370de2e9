# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from livevlm_ros.memory import CacheShape


def test_a_token_of_the_half_billion_model_takes_12_kib_in_half_precision() -> None:
    shape = CacheShape(24, 14, 2, 64, 196, 1e6, 32768)
    assert shape.token_bytes(2) == 12 * 1024
