# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What `ros2 run livevlm_ros` offers beside `livevlm`.

Signals are heard before rclpy is imported, which takes a second: Ctrl-C in that second ends the
executable with 0 too, without a traceback from the middle of an import.
"""

from __future__ import annotations

from importlib import import_module

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
    stop = hear_signals()
    main = import_module(f'livevlm_ros.node.{module}').main
    return 0 if stop.is_set() else int(main(stop))
