# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_ros.intrinsics import UNCALIBRATED, focal_of, pinhole


def test_a_point_at_the_edge_of_view_is_at_the_edge_of_the_picture() -> None:
    fx, _, cx, *_ = pinhole(640, 480, focal_of(90.0)).k
    assert fx == pytest.approx(320.0)  # tan(45°) = 1: as far aside as ahead
    assert fx * 1.0 + cx == pytest.approx(640.0) and fx * -1.0 + cx == pytest.approx(0.0)


def test_an_uncalibrated_camera_has_zeros_alone() -> None:
    assert not any(UNCALIBRATED.k + UNCALIBRATED.r + UNCALIBRATED.p) and not UNCALIBRATED.d
    assert [len(matrix) for matrix in UNCALIBRATED[2:]] == [9, 9, 12]
