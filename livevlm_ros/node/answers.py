# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The topic `~/answers`: every question with its reply, so that a bag holds both."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile

from livevlm_interfaces.msg import AnswerRecord, Evidence

ASKED = ('question', 'request_id', 'cameras', 'choices')
REPLIED = (
    'status',
    'status_message',
    'answer',
    'confidence',
    'choice_index',
    'truncated',
    'finish_reason',
    'scope_used',
    'asked_at',
    'newest_frame',
    'latency',
    'model_id',
    'degradation_level',
)


class Answers:
    """Publishes replies after they were given: nobody who waits for one waits for its record."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = node.create_publisher(AnswerRecord, '~/answers', QoSProfile(depth=10))

    def record(self, request: Any, response: Any, by: str) -> None:
        """Leave a reply to the executor, which publishes it."""
        if (executor := self._node.executor) is not None:
            executor.create_task(self._publish, request, response, by)

    def _publish(self, request: Any, response: Any, by: str) -> None:
        message = AnswerRecord(client=by, evidence=[_bare(e) for e in response.evidence])
        message.header.stamp = self._node.get_clock().now().to_msg()
        for names, source in ((ASKED, request), (REPLIED, response)):
            for name in names:
                setattr(message, name, getattr(source, name))
        self._publisher.publish(message)


def _bare(evidence: Evidence) -> Evidence:
    """Return evidence without its picture."""
    return Evidence(
        header=evidence.header,
        camera=evidence.camera,
        frame_key=evidence.frame_key,
        source=evidence.source,
        score=evidence.score,
        caption=evidence.caption,
        pose=evidence.pose,
        has_pose=evidence.has_pose,
    )
