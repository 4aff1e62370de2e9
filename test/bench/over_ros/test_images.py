# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from livevlm_bench.over_ros.images import DATA, SPOILS, packed_image, raw_image
from livevlm_ros.bit_depth import BitDepth
from livevlm_ros.engine.messages import BadFrame
from livevlm_ros.images import to_rgb


@pytest.mark.parametrize(('make', 'ways'), [(raw_image, SPOILS), (packed_image, DATA)])
def test_no_spoiled_image_is_a_picture(make: Callable[[Random], Any], ways: tuple) -> None:
    for seed in range(8 * len(ways)):
        with pytest.raises(BadFrame):
            to_rgb(make(Random(seed)), BitDepth(0))


@pytest.mark.parametrize('make', [raw_image, packed_image])
def test_a_seed_spoils_the_same_image_the_same_way(make: Callable[[Random], Any]) -> None:
    assert make(Random(3)) == make(Random(3))
    assert make(Random(3)) != make(Random(4))
