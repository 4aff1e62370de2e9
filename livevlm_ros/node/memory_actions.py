# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Actions that save and load the memory, and tell how far they are."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from rclpy.action import ActionServer
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node

from livevlm_interfaces.action import LoadMemory, SaveMemory
from livevlm_ros.engine.messages import NotDone
from livevlm_ros.node.ask_service import Door

TOLD_EVERY_S = 0.1
"""Between two feedbacks of a phase."""

RESULT_S = 300
"""For which a result waits for its client."""

Progress = Callable[[str, float], None]


class MemoryActions:
    """
    `~/save_memory` and `~/load_memory`.

    Each goal is accepted and worked at in a thread of its own, so that none of the node's waits
    for the disk; it is executed when it is done, which takes no time then.
    """

    def __init__(self, node: Node, door: Door, engine: Callable[[], Any]) -> None:
        """
        Create the actions.

        :param door: says why there is no engine
        :param engine: gives the engine, or None while there is none
        """
        self._node, self._door, self._engine = node, door, engine
        self._results: dict[bytes, Any] = {}  # by goal
        self._servers = [
            ActionServer(
                node,
                kind,
                name,
                self._finish,
                callback_group=ReentrantCallbackGroup(),
                handle_accepted_callback=self._worked_at(kind, work),
                result_timeout=RESULT_S,
            )
            for kind, name, work in (
                (SaveMemory, '~/save_memory', _save),
                (LoadMemory, '~/load_memory', _load),
            )
        ]

    def destroy(self) -> None:
        """Destroy the servers, which rclpy does not do with the node."""
        for server in self._servers:
            server.destroy()

    def _worked_at(
        self, kind: Any, work: Callable[[Any, Any, Any, Progress], None]
    ) -> Callable[[Any], None]:
        """Return what begins to work at a goal."""

        def run(goal: Any) -> None:
            self._results[bytes(goal.goal_id.uuid)] = self._result(kind, goal, work)
            goal.execute()

        return lambda goal: threading.Thread(
            target=run, args=(goal,), name='livevlm-snapshot', daemon=True
        ).start()

    def _result(
        self, kind: Any, goal: Any, work: Callable[[Any, Any, Any, Progress], None]
    ) -> Any:
        engine = self._engine()
        if engine is None:
            return kind.Result(message=self._door.closed_because)
        result = kind.Result()
        try:
            work(engine.memory, goal.request, result, _teller(kind, goal))
            result.success = True
        except (NotDone, ValueError) as error:
            result = kind.Result(message=str(error))
        except Exception as error:
            self._node.get_logger().error(f'{kind.__name__}: {error!r}')
            result = kind.Result(message=f'{type(error).__name__}: {error}')
        return result

    def _finish(self, goal: Any) -> Any:
        result = self._results.pop(bytes(goal.goal_id.uuid))
        if result.success:
            goal.succeed()
        else:
            goal.abort()
        return result


def _teller(kind: Any, goal: Any) -> Progress:
    """Return what publishes each phase as it begins and ends, and shares not too often."""
    told: dict[str, float] = {}  # when, by phase

    def tell(phase: str, share: float) -> None:
        now = time.monotonic()
        if share < 1.0 and now - told.get(phase, -TOLD_EVERY_S) < TOLD_EVERY_S:
            return
        told[phase] = now
        goal.publish_feedback(kind.Feedback(phase=phase, share=share))

    return tell


def _save(memory: Any, request: Any, result: Any, progress: Progress) -> None:
    saved = memory.save(request.name, overwrite=request.overwrite, progress=progress)
    result.path, result.bytes, result.frames = str(saved.path), saved.nbytes, saved.frames


def _load(memory: Any, request: Any, result: Any, progress: Progress) -> None:
    loaded = memory.load(request.name, progress=progress)
    result.path, result.memory_id = str(loaded.path), loaded.memory_id
    result.frames = loaded.frames
