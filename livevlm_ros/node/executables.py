# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What `ros2 run livevlm_ros` offers beside `livevlm`.

Importing rclpy and torch takes seconds: Ctrl-C in those ends the executable with 0 too, at once
and without a traceback from the middle of an import.
"""

from __future__ import annotations

import os
import signal
from importlib import import_module
from types import FrameType
from typing import NoReturn

from livevlm_ros.node.stopping import hear_signals


def livevlm_node() -> int:
    """Run the node."""
    return _run('main')


def world_camera() -> int:
    """Run the simulated camera."""
    return _run('world_camera')


def bag_player() -> int:
    """Run the player of bags."""
    return _run('bag_player')


def replay_evaluator() -> int:
    """Run what asks a node its questions while a bag is played to it."""
    return _run('replay_evaluator')


def _run(module: str) -> int:
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, _leave)
    main = import_module(f'livevlm_ros.node.{module}').main
    return int(main(hear_signals()))


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    os._exit(0)  # nothing has begun; what is imported might swallow an exception
