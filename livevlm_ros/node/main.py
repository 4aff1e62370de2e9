# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The executable `livevlm_node`: spins the node until it is told to stop, then exits with 0."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence

import rclpy

from livevlm_ros.node.executor import NodeExecutor
from livevlm_ros.node.heap import share_few_heaps
from livevlm_ros.node.node import LiveVlmNode
from livevlm_ros.node.spinning import Refused, Spinner, enter_ros
from livevlm_ros.node.stopping import hear_signals

LAST_REPLIES_S = 0.5  # for what is settled to be sent


def main(stop: threading.Event, args: Sequence[str] | None = None) -> int:
    """
    Run the node until `stop` is set; this ends the process with exit code 0.

    :returns: 1 when a parameter is not allowed
    """
    share_few_heaps()
    try:
        node = enter_ros(LiveVlmNode, args)
    except Refused as error:
        print(f'livevlm_node: {error}', file=sys.stderr)
        return 1
    executor = NodeExecutor(node.threads())
    executor.add_node(node)
    spinner = Spinner(executor)
    stop.wait()
    all_ended = node.close()
    executor.settle(LAST_REPLIES_S)
    spinner.stop()
    executor.shutdown(timeout_sec=1.0, wait_for_threads=all_ended)
    node.destroy_node()
    rclpy.try_shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # all is closed; Python would take torch apart for seconds, or wait for its work


if __name__ == '__main__':
    sys.exit(main(hear_signals()))
