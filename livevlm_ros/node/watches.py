# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Standing questions over ROS: services that add, remove and list them, a topic that tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from livevlm_interfaces.msg import Watch as WatchMessage
from livevlm_interfaces.msg import WatchEvent as WatchEventMessage
from livevlm_interfaces.srv import AddWatch, ListWatches, RemoveWatch
from livevlm_ros.engine.watch import Watch, WatchEvent
from livevlm_ros.node.ask_service import Door, to_evidence
from livevlm_ros.node.conversions import to_time
from livevlm_ros.node.parameters import Values
from livevlm_ros.node.watch_message import to_watch_message, to_watch_state

LOOK_S = 0.1
DEPTH = 50


class WatchServices:
    """
    `~/add_watch`, `~/remove_watch`, `~/list_watches` and the topic `~/watch_events`.

    Watches belong to the engine: they are there from configure to cleanup, be the node active or
    not.
    """

    def __init__(
        self,
        node: Node,
        door: Door,
        engine: Callable[[], Any],
        parameters: Callable[[], Values],
        *,
        clock: Clock,
    ) -> None:
        """
        Create services and topic.

        :param door: says why there is no engine
        :param engine: gives the engine, or None while there is none
        :param parameters: the node's parameter values now
        :param clock: steady
        """
        self._node, self._door, self._engine, self._parameters = node, door, engine, parameters
        self._topic = node.create_publisher(
            WatchEventMessage,
            '~/watch_events',
            QoSProfile(depth=DEPTH, reliability=ReliabilityPolicy.RELIABLE),
        )
        group = MutuallyExclusiveCallbackGroup()
        for kind, name, serve in (
            (AddWatch, '~/add_watch', self._add),
            (RemoveWatch, '~/remove_watch', self._remove),
            (ListWatches, '~/list_watches', self._list),
        ):
            node.create_service(kind, name, serve, callback_group=group)
        node.create_timer(LOOK_S, self._tell, MutuallyExclusiveCallbackGroup(), clock=clock)

    def _add(self, request: Any, response: Any) -> Any:
        engine = self._engine()
        if engine is None:
            response.message = self._door.closed_because
            return response
        try:
            watch = _asked(request.watch, self._parameters())
            response.watch_id = engine.watches.add(watch)
            response.success = True
        except ValueError as error:
            response.message = str(error)
        return response

    def _remove(self, request: Any, response: Any) -> Any:
        engine = self._engine()
        if engine is None:
            response.message = self._door.closed_because
            return response
        response.removed = engine.watches.remove(request.watch_id)
        response.success = bool(response.removed or not request.watch_id)
        if not response.success:
            response.message = f'watch_id: got {request.watch_id!r}, which is no watch'
        return response

    def _list(self, request: Any, response: Any) -> Any:
        engine = self._engine()
        if engine is not None:
            response.watches = [to_watch_message(state) for state in engine.watches.list()]
        return response

    def _tell(self) -> None:
        """Publish what the engine has to tell."""
        engine = self._engine()
        if engine is None:
            return
        try:
            events, lost = engine.watches.take_events()
            for event in events:
                self._topic.publish(_to_event(event))
            if lost:
                self._node.get_logger().warning(f'watch_events: {lost} were lost')
        except Exception as error:
            self._node.get_logger().error(f'watch_events: {error!r}', throttle_duration_sec=10)


def _asked(message: WatchMessage, parameters: Values) -> Watch:
    """Return the watch that a request asks for; ValueError for text that is not UTF-8."""
    if '\ufffd' in message.question:  # rclpy puts it where bytes are not UTF-8
        raise ValueError('question is not valid UTF-8, expected UTF-8 text')
    watch = to_watch_state(message).watch
    return replace(watch, budget_s=watch.budget_s or float(parameters['ask.default_budget']))


def _to_event(event: WatchEvent) -> WatchEventMessage:
    message = WatchEventMessage(
        watch_id=event.watch_id,
        question=event.text,
        reason=int(event.reason),
        answer=event.answer,
        answer_before=event.answer_before,
        confidence=event.confidence,
        evidence=[to_evidence(found) for found in event.evidence],
    )
    message.header.stamp = to_time(event.stamp_ns)
    return message
