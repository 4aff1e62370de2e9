# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Go where something was last seen: asks the node `livevlm`, and sends Nav2 the pose of its evidence.

The node needs `pose.source`, and Nav2 the same map: `pose.frame` is the frame of the goal. Run
`python3 examples/find_and_go.py "where did you last see the fire extinguisher ?"`.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from typing import Any

import rclpy
from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PoseStamped
from rcl_interfaces.srv import GetParameters
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from livevlm_interfaces.srv import Ask

FIND_S = 5.0  # for servers to be found
REPLY_S = 60.0  # for a reply; the node's own budgets are shorter
LOOK_S = 0.2  # between two looks for Ctrl-C
UPRIGHT = 0.7  # of the z axis of a robot, or of a camera frame that is not an optical one


class NotFound(RuntimeError):
    """There is nowhere to go: says why."""


def find(node: Node, question: str) -> PoseStamped:
    """
    Ask a question, and return where the robot was when it saw what the answer rests on.

    :raises NotFound: without an answer, or where no evidence has a pose
    """
    reply = _call(node, Ask, 'ask', Ask.Request(question=question))
    if reply.status not in (Ask.Response.STATUS_OK, Ask.Response.STATUS_PARTIAL):
        raise NotFound(reply.status_message or f'no answer: status {reply.status}')
    print(f'{reply.answer} ({reply.confidence:.0%})')
    seen = next((found for found in reply.evidence if found.has_pose), None)
    if seen is None:
        raise NotFound('no evidence has a pose: set pose.source of the node, see /diagnostics')
    request = GetParameters.Request(names=['pose.frame'])
    (frame,) = _call(node, GetParameters, 'livevlm/get_parameters', request).values
    goal = PoseStamped()
    goal.header.frame_id = frame.string_value
    goal.pose.position.x, goal.pose.position.y = seen.pose.position.x, seen.pose.position.y
    heading = heading_of(seen.pose.orientation)
    goal.pose.orientation.z, goal.pose.orientation.w = math.sin(heading / 2), math.cos(heading / 2)
    return goal


def heading_of(q: Any) -> float:
    """
    Return which way a pose looks on the floor, in radians from the x axis.

    A robot looks along x, its z axis points up; an optical frame (REP 103) looks along z.

    :param q: orientation, a unit quaternion
    """
    upright = 1 - 2 * (q.x * q.x + q.y * q.y) > UPRIGHT
    if upright:
        return math.atan2(2 * (q.x * q.y + q.w * q.z), 1 - 2 * (q.y * q.y + q.z * q.z))
    return math.atan2(2 * (q.y * q.z - q.w * q.x), 2 * (q.x * q.z + q.w * q.y))


def told(goal: PoseStamped) -> str:
    """Return a goal in words."""
    place, turned = goal.pose.position, goal.pose.orientation
    heading = math.degrees(2 * math.atan2(turned.z, turned.w))
    return f'{place.x:.2f}, {place.y:.2f} in {goal.header.frame_id}, heading {heading:.0f}°'


def navigate_to_pose() -> Any:
    """
    Return Nav2's action type.

    :raises NotFound: without nav2_msgs
    """
    try:
        from nav2_msgs.action import NavigateToPose
    except ImportError as error:
        raise NotFound('Nav2 is missing: sudo apt install ros-$ROS_DISTRO-nav2-msgs') from error
    return NavigateToPose


def go(node: Node, action: Any, goal: PoseStamped) -> bool:
    """
    Send a goal to `navigate_to_pose`, and wait until it is reached; Ctrl-C cancels it.

    :param action: type of the action, `nav2_msgs.action.NavigateToPose`
    :raises NotFound: without a server, or if it refuses the goal
    """
    client = ActionClient(node, action, 'navigate_to_pose')
    if not client.wait_for_server(FIND_S):
        raise NotFound('no action server navigate_to_pose: is Nav2 running?')
    sent = client.send_goal_async(action.Goal(pose=goal))
    try:
        handle = _wait(node, sent, REPLY_S)
        if not handle.accepted:
            raise NotFound('navigate_to_pose refuses the goal')
        result = _wait(node, handle.get_result_async(), math.inf)
    except KeyboardInterrupt:
        _wait(node, _wait(node, sent, REPLY_S).cancel_goal_async(), REPLY_S)
        raise
    return bool(result.status == GoalStatus.STATUS_SUCCEEDED)


def _call(node: Node, kind: Any, name: str, request: Any) -> Any:
    client = node.create_client(kind, name)
    if not client.wait_for_service(FIND_S):
        raise NotFound(f'no service {client.srv_name}: is the node livevlm running?')
    return _wait(node, client.call_async(request), REPLY_S)


def _wait(node: Node, future: Future[Any], timeout_s: float) -> Any:
    deadline = time.monotonic() + timeout_s
    while not future.done():
        if time.monotonic() > deadline:
            raise NotFound(f'no reply within {timeout_s:g} s')
        rclpy.spin_until_future_complete(node, future, timeout_sec=LOOK_S)
    return future.result()


def main(arguments: Sequence[str] | None = None, *, action: Any = None) -> int:
    """
    Find and go; returns the exit code.

    :param action: in place of Nav2's
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('question', help='such as "where did you last see the red box ?"')
    parser.add_argument('--namespace', default='', help='of livevlm and Nav2')
    parser.add_argument('--dry-run', action='store_true', help='print the goal, go nowhere')
    given = parser.parse_args(arguments)
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)  # Ctrl-C cancels
    node = rclpy.create_node('find_and_go', namespace=given.namespace)
    try:
        if not given.dry_run:
            action = action or navigate_to_pose()
        goal = find(node, given.question)
        print(f'seen from {told(goal)}')
        if given.dry_run:
            return 0
        reached = go(node, action, goal)
        print('there' if reached else 'did not get there')
        return 0 if reached else 1
    except NotFound as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == '__main__':
    sys.exit(main())
