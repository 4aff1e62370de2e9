# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The executable `livevlm_node`: spins the node until it is told to stop, then exits with 0."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import rclpy
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.signals import SignalHandlerOptions

from livevlm_ros.node.executor import NodeExecutor
from livevlm_ros.node.heap import share_few_heaps
from livevlm_ros.node.node import LiveVlmNode
from livevlm_ros.node.spinning import Spinner, stop_signals
from livevlm_ros.share import use_dds_profile


def main(args: Sequence[str] | None = None) -> int:
    """
    Run the node; after SIGINT or SIGTERM this ends the process with exit code 0.

    :returns: 1 when a parameter is not allowed
    """
    share_few_heaps()
    use_dds_profile()
    with stop_signals() as stop:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        try:
            node = LiveVlmNode()
        except (
            InvalidParameterTypeException,
            InvalidParameterValueException,
            ValueError,
        ) as error:
            print(f'livevlm_node: {error}', file=sys.stderr)
            rclpy.try_shutdown()
            return 1
        executor = NodeExecutor(node.threads())
        executor.add_node(node)
        spinner = Spinner(executor)
        stop.wait()
        all_ended = node.close()
        spinner.stop()
        executor.shutdown(timeout_sec=1.0, wait_for_threads=all_ended)
        node.destroy_node()
        rclpy.try_shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # all is closed; Python would take torch apart for seconds, or wait for its work


if __name__ == '__main__':
    sys.exit(main())
