# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Faults of cameras: killed and back, of another quality of service, of another type."""

from __future__ import annotations

import subprocess
from random import Random

from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from livevlm_bench.over_ros.fault import DIAGNOSTICS, EVENTS, FaultClass, Untold
from livevlm_bench.over_ros.rig import Rig
from livevlm_bench.over_ros.sensors import RAW, STRICT
from livevlm_ros.engine.events import EventKind
from livevlm_ros.node.diagnostics import ERROR

FILMED = {
    'topic': f'{RAW}/image_raw',
    'transports': '[raw]',
    'rate': 10.0,
    'width': 96,
    'height': 72,
}
IMAGES = 5  # after which a pause between them is known
BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
STRANGERS = (
    ('does not match', Image, BEST_EFFORT),
    ('expected sensor_msgs/msg/Image', CompressedImage, QoSProfile(depth=1)),
)


def camera_faults() -> list[FaultClass]:
    """Return the classes of cameras that die, and that cannot be heard."""
    return [
        FaultClass('camera-killed', 5, _kill),
        FaultClass('mismatch', 30, _mismatch),
    ]


def _kill(rig: Rig, draw: Random) -> str:
    lost, back = rig.heard(EventKind.CAMERA_LOST, RAW), rig.heard(EventKind.CAMERA_BACK, RAW)
    _film(rig).kill()
    rig.until(lambda: rig.heard(EventKind.CAMERA_LOST, RAW) > lost, 'a camera is told to be lost')
    again = _film(rig)
    try:
        rig.until(lambda: rig.heard(EventKind.CAMERA_BACK, RAW) > back, 'a camera is told back')
    finally:
        again.terminate()
        again.wait()
    return EVENTS


def _film(rig: Rig) -> subprocess.Popen[bytes]:
    """Start a camera and return it once its images come as they should."""
    before = rig.number(f'camera/{RAW}', 'received')
    camera = rig.children.start('livevlm_ros.node.world_camera', FILMED)
    rig.until(lambda: rig.number(f'camera/{RAW}', 'received') > before + IMAGES, 'images come')
    return camera


def _mismatch(rig: Rig, draw: Random) -> str:
    said, kind, qos = draw.choice(STRANGERS)
    task = f'camera/{STRICT}'
    with rig.sensors.stranger(kind, STRICT, qos):
        rig.until(lambda: said in rig.message(task), f'{said!r} is told')
        if rig.level(task) != ERROR:
            raise Untold(f'{said!r} is no error')
    rig.until(lambda: said not in rig.message(task), f'{said!r} is over')
    return DIAGNOSTICS
