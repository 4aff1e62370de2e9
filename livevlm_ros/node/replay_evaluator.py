# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The executable `replay_evaluator`: asks a node its questions while a `bag_player` plays to it.

launch/replay.launch.py starts the three. The player must wait for this one to listen to /clock.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import rclpy
from rclpy.node import Node

from livevlm_ros.node import declaration
from livevlm_ros.node.bag_player import STRETCH_PARAMETERS, open_bag, stretch_of
from livevlm_ros.node.memory_client import MemoryClient
from livevlm_ros.node.parameters import Parameter
from livevlm_ros.node.remote_engine import RemoteEngine
from livevlm_ros.node.replay import Replay, ask, plainly, publish
from livevlm_ros.node.spinning import enter_ros
from livevlm_ros.node.stopping import hear_signals
from livevlm_ros.replay import BadInput
from livevlm_ros.replay.compare import Run

PATHS = ('questions', 'out', 'html')
PARAMETERS = (
    Parameter('bag', '', 'The bag that the player plays.', change='start'),
    Parameter('topic', '', 'Image topic in the bag, where it has several.', change='start'),
    Parameter(
        'questions',
        '',
        'Questions file; empty: <bag>.questions.yaml beside the bag.',
        change='start',
    ),
    Parameter('rate', 1.0, 'Of the player.', low=0.01, high=1000.0, change='start'),
    *STRETCH_PARAMETERS,
    Parameter('out', '', 'File for the report as JSON; empty: none.', change='start'),
    Parameter('html', '', 'File for the report as one page; empty: none.', change='start'),
)


def main(stop: threading.Event, args: Sequence[str] | None = None) -> int:
    """
    Ask a node that runs, in the namespace of this one, what a player plays to it.

    :param stop: until the questions begin; then a signal interrupts them

    :returns: 0; 1 when a reply was lost or late, when nothing was measured, or when it could not
        be carried through; 2 for what was given and cannot be used
    """
    try:
        replay, namespace = _given(args)
    except ValueError as error:
        return _refuse(error)
    if stop.is_set():
        return 1

    def work() -> Run:
        with MemoryClient(namespace=namespace, follows_clock=True) as client:
            return ask(replay, RemoteEngine(client, rate=replay.rate))

    try:
        run = plainly(work)
    except BadInput as error:
        return _refuse(error)
    return 1 if run is None else publish(run, replay)


def _given(args: Sequence[str] | None) -> tuple[Replay, str]:
    """Return what the ROS arguments ask for, and the namespace they put it in."""
    node = enter_ros(_declared, args)
    values = declaration.values(node, {row.name: row for row in PARAMETERS})
    namespace = node.get_namespace()
    node.destroy_node()
    rclpy.try_shutdown()
    if not values['bag']:
        raise ValueError('bag is empty, expected the path of a bag')
    paths = {name: Path(values[name]) if values[name] else None for name in PATHS}
    for name in ('out', 'html'):
        file = paths[name]
        if file is not None and not file.absolute().parent.is_dir():
            raise ValueError(f'{name} is {file}, expected a file in an existing folder')
    open_bag(Path(values['bag']), topic=values['topic'] or None)
    replay = Replay(
        Path(values['bag']),
        questions=paths['questions'],
        topic=values['topic'] or None,
        rate=values['rate'],
        stretch=stretch_of(values),
        json_file=paths['out'],
        html_file=paths['html'],
    )
    return replay, namespace


def _declared() -> Node:
    node = rclpy.create_node('replay_evaluator')
    declaration.declare(node, PARAMETERS)
    return node


def _refuse(error: Exception) -> int:
    print(f'replay_evaluator: {error}', file=sys.stderr)
    return 2


if __name__ == '__main__':
    sys.exit(main(hear_signals()))
