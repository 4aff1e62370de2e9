# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What rclpy's lifecycle leaves to the node: to know its state, and to answer every request."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from lifecycle_msgs.srv import ChangeState
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node

# By transition: the label of the state meanwhile, and after success.
STATES = {
    'configure': ('configuring', 'inactive'),
    'activate': ('activating', 'active'),
    'deactivate': ('deactivating', 'inactive'),
    'cleanup': ('cleaningup', 'unconfigured'),
    'shutdown': ('shuttingdown', 'finalized'),
    'error': ('errorprocessing', 'unconfigured'),
}


def label_after(transition: str, result: TransitionCallbackReturn, *, before: str) -> str:
    """
    Return the label of the state that a transition ends in.

    :param transition: a key of `STATES`
    :param before: the label of the state that it began in
    """
    if result == TransitionCallbackReturn.SUCCESS:
        return STATES[transition][1]
    if result == TransitionCallbackReturn.ERROR:
        return STATES['error'][0]
    return 'finalized' if transition in ('shutdown', 'error') else before


def answer_every_request(node: Node) -> None:
    """
    Let `change_state` reply that it failed where rclpy would raise, and never reply.

    Jazzy's does (rclpy 7.1.6) for a transition that the state does not have.
    """
    for service in node.services:
        if service.srv_type is ChangeState:
            service.callback = _replying(node, service.callback)


def _replying(node: Node, callback: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    @wraps(callback)
    def reply(request: Any, response: Any) -> Any:
        try:
            return callback(request, response)
        except Exception as error:
            node.get_logger().error(f'change_state: {error}')
            return ChangeState.Response(success=False)

    return reply
