# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The parameters of one camera. Imports neither rclpy nor torch."""

from __future__ import annotations

from livevlm_ros.node.parameter import Parameter


def camera_parameters(camera: str) -> tuple[Parameter, ...]:
    """Return the parameters that each name in `camera_names` brings along."""
    return (
        Parameter(
            f'cameras.{camera}.topic',
            f'{camera}/image_raw',
            'Image topic; its compressed form is <topic>/compressed.',
        ),
        Parameter(
            f'cameras.{camera}.transport',
            'auto',
            'Form of the images; auto takes what delivers, raw if both do.',
            choices=('auto', 'raw', 'compressed'),
        ),
        Parameter(
            f'cameras.{camera}.bits',
            0,
            'Bits of 16-bit values, which fill the low ones: 10, 12, 14 or 16; 0 is as many of '
            'these as the brightest value seen needs.',
            low=0,
            high=16,
        ),
        Parameter(
            f'cameras.{camera}.expected_rate',
            0.0,
            'Images per second that the camera is to publish: warn when fewer than three quarters '
            'of them come; 0, or fewer than four in diagnostics.window_s: any number will do.',
            low=0.0,
            high=1000.0,
            change='live',
        ),
        Parameter(
            f'cameras.{camera}.optional',
            False,
            'The camera may be missing: no publisher and no image are told, but are no fault.',
            change='live',
        ),
    )
