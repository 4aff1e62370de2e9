# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Entering ROS with a node, and spinning it in a thread."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import rclpy
from rclpy.exceptions import (
    InvalidHandle,
    InvalidParameterTypeException,
    InvalidParameterValueException,
)
from rclpy.executors import Executor
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from livevlm_ros.share import use_dds_profile

LOOK_S = 0.2

AnyNode = TypeVar('AnyNode', bound=Node)


class Refused(ValueError):
    """What was given on the command line cannot be used; the text is one line."""


def enter_ros(make: Callable[[], AnyNode], args: Sequence[str] | None) -> AnyNode:
    """
    Enter ROS, without its signal handlers, and make a node.

    :param args: arguments of ROS; None: those of the process
    :raises Refused: for arguments that ROS cannot read, and parameters that are not allowed
    """
    use_dds_profile()
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # of a class that rclpy keeps to itself
        raise Refused(re.sub(r', at \S+:\d+', '', str(error))) from error
    try:
        return make()
    except (
        InvalidParameterTypeException,
        InvalidParameterValueException,
        ValueError,
    ) as error:
        rclpy.try_shutdown()
        raise Refused(str(error)) from error


class Spinner:
    """Spins an executor until `stop`. An error that comes out of it is logged and outlived."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._spin, name='spin', daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more callbacks; those that run go on."""
        self._stopping.set()
        self._executor.wake()
        self._thread.join(1.0)

    def _spin(self) -> None:
        while not self._stopping.is_set():
            try:
                self._executor.spin_once(timeout_sec=LOOK_S)
            except InvalidHandle:
                continue  # a subscription was destroyed while the executor looked at it
            except Exception as error:
                if not self._stopping.wait(LOOK_S):
                    get_logger('livevlm').error(f'a callback failed: {error!r}')
