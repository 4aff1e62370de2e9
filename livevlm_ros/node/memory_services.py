# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Services that look into the memory, forget what it holds and let it rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from std_srvs.srv import SetBool

from livevlm_interfaces.srv import ClearMemory, GetFrame, QueryTimeline
from livevlm_ros.engine.messages import NotDone
from livevlm_ros.node.ask_service import Door
from livevlm_ros.node.conversions import nanoseconds
from livevlm_ros.node.memory_frame import to_message

USUAL_FRAMES = 1000
"""Frames of a timeline when a request names no number."""


class MemoryServices:
    """
    `~/clear_memory`, `~/set_paused`, `~/get_frame` and `~/query_timeline`.

    They work wherever there is a memory, be the node active or not, and say why where there is
    none. Those that change the memory wait for each other, and so do those that look into it: each
    kind takes one thread of the node's at most.
    """

    def __init__(self, node: Node, door: Door, engine: Callable[[], Any]) -> None:
        """
        Create the services.

        :param door: says why there is no engine
        :param engine: gives the engine, or None while there is none
        """
        self._node, self._door, self._engine = node, door, engine
        changing, looking = MutuallyExclusiveCallbackGroup(), MutuallyExclusiveCallbackGroup()
        for group, kind, name, serve in (
            (changing, ClearMemory, '~/clear_memory', _clear),
            (changing, SetBool, '~/set_paused', _pause),
            (looking, GetFrame, '~/get_frame', _get_frame),
            (looking, QueryTimeline, '~/query_timeline', _query_timeline),
        ):
            node.create_service(kind, name, self._served(name, serve), callback_group=group)

    def _served(
        self, name: str, serve: Callable[[Any, Any, Any], None]
    ) -> Callable[[Any, Any], Any]:
        """Return a callback that fills the response, or says why it cannot."""

        def on_request(request: Any, response: Any) -> Any:
            engine = self._engine()
            if engine is None:
                response.message = self._door.closed_because
                return response
            try:
                serve(engine.memory, request, response)
                response.success = True
            except (NotDone, ValueError) as error:
                response = type(response)(message=str(error))
            except Exception as error:
                self._node.get_logger().error(f'{name}: {error!r}')
                response = type(response)(message=f'{type(error).__name__}: {error}')
            return response

        return on_request


def _clear(memory: Any, request: Any, response: Any) -> None:
    freed = memory.forget(request.cameras, **_range(request))
    response.freed_tokens, response.freed_frames = freed.tokens, freed.frames
    response.freed_disk_bytes = freed.disk_bytes


def _pause(memory: Any, request: Any, response: Any) -> None:
    memory.pause(request.data)
    response.message = 'no frame is taken in' if request.data else 'frames are taken in'


def _get_frame(memory: Any, request: Any, response: Any) -> None:
    response.frame = to_message(memory.frame(request.frame_key))


def _query_timeline(memory: Any, request: Any, response: Any) -> None:
    frames, response.frames_in_range = memory.timeline(
        request.cameras,
        **_range(request),
        max_frames=request.max_frames or USUAL_FRAMES,
        attach_images=request.attach_images,
    )
    response.frames = [to_message(frame) for frame in frames]


def _range(request: Any) -> dict[str, int]:
    return {
        'time_start_ns': nanoseconds(request.time_start),
        'time_end_ns': nanoseconds(request.time_end),
    }
