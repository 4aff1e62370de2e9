# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The executable `livevlm_node`: spins the node until it is told to stop, then exits with 0."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from livevlm_ros.share import use_dds_profile


def main(args: Sequence[str] | None = None) -> int:
    """
    Run the node.

    :returns: 0 after SIGINT or SIGTERM, 1 when a parameter is not allowed
    """
    try:
        return _run(args)
    except KeyboardInterrupt:
        return 0


def _run(args: Sequence[str] | None) -> int:
    use_dds_profile()
    import rclpy
    from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
    from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor

    from livevlm_ros.node.node import LiveVlmNode

    rclpy.init(args=list(args) if args is not None else None)
    try:
        node = LiveVlmNode()
    except (InvalidParameterTypeException, InvalidParameterValueException, ValueError) as error:
        print(f'livevlm_node: {error}', file=sys.stderr)
        rclpy.try_shutdown()
        return 1
    executor = MultiThreadedExecutor(num_threads=node.threads())
    executor.add_node(node)
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        executor.spin()
    stopped = node.close()
    executor.shutdown(timeout_sec=1.0, wait_for_threads=stopped)
    node.destroy_node()
    rclpy.try_shutdown()
    if not stopped:  # torch cannot be interrupted in the middle of a load: leave without it
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0


if __name__ == '__main__':
    sys.exit(main())
