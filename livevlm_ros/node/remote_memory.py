# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The memory and the watches of a running node, used as those of an engine are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from livevlm_interfaces.srv import (
    AddWatch,
    ClearMemory,
    GetFrame,
    GetInfo,
    ListWatches,
    QueryTimeline,
    Recall,
    RemoveWatch,
)
from livevlm_ros.engine.held import HeldFrame
from livevlm_ros.engine.messages import Answer, Latency, Question, Status
from livevlm_ros.engine.watch import Watch, WatchState
from livevlm_ros.node.conversions import nanoseconds, to_duration
from livevlm_ros.node.memory_client import (
    LONGEST_CLEAR_S,
    REPLY_S,
    MemoryClient,
    chosen,
    done,
)
from livevlm_ros.node.memory_frame import to_frame
from livevlm_ros.node.watch_message import to_watch_message, to_watch_state


class Freed(NamedTuple):
    """What was forgotten."""

    frames: int
    tokens: int
    disk_bytes: int


class RemoteMemory:
    """
    What `Engine.memory` is, by the services of a node; any thread.

    What the node refuses, or does not reply to, is `CommandFailed`.
    """

    def __init__(self, client: MemoryClient) -> None:
        self._client = client

    def info(self) -> Any:
        """Return the response of `~/get_info`."""
        return self._client.call(GetInfo, 'get_info', GetInfo.Request())

    def recall(self, question: Question) -> Answer:
        """Return the frames that a question wants; no words. `as_of_ns` is not looked at."""
        request = Recall.Request(
            question=question.text,
            latency_budget=to_duration(question.budget_s or 0.0),
            max_frames=question.max_evidence or 0,
            lookback=to_duration(question.lookback_s),
            attach_images=question.attach_images,
            **chosen(question.cameras, question.time_start_ns, question.time_end_ns),
        )
        timeout_s = REPLY_S + (question.budget_s or 0.0)
        found = self._client.call(Recall, 'recall', request, timeout_s)
        return Answer(
            status=Status(found.status),
            message=found.status_message,
            evidence=tuple(map(to_frame, found.frames)),
            frames_considered=found.frames_considered,
            retry_after_s=nanoseconds(found.retry_after) / 1e9,
            latency=Latency(**{f.name: getattr(found.latency, f.name) for f in fields(Latency)}),
        )

    def timeline(
        self,
        cameras: Sequence[str],
        *,
        time_start_ns: int,
        time_end_ns: int,
        max_frames: int,
    ) -> tuple[tuple[HeldFrame, ...], int]:
        """Return frames, oldest first, and how many were chosen."""
        request = QueryTimeline.Request(
            max_frames=max_frames, **chosen(cameras, time_start_ns, time_end_ns)
        )
        found = done(self._client.call(QueryTimeline, 'query_timeline', request))
        return tuple(map(to_frame, found.frames)), found.frames_in_range

    def frame(self, key: str) -> HeldFrame:
        """Return a frame with its picture."""
        request = GetFrame.Request(frame_key=key)
        return to_frame(done(self._client.call(GetFrame, 'get_frame', request)).frame)

    def forget(self, cameras: Sequence[str], *, time_start_ns: int, time_end_ns: int) -> Freed:
        """Forget frames for good; without a choice all."""
        request = ClearMemory.Request(**chosen(cameras, time_start_ns, time_end_ns))
        freed = done(self._client.call(ClearMemory, 'clear_memory', request, LONGEST_CLEAR_S))
        return Freed(freed.freed_frames, freed.freed_tokens, freed.freed_disk_bytes)


class RemoteWatches:
    """What `Engine.watches` is, by the services of a node; any thread."""

    def __init__(self, client: MemoryClient) -> None:
        self._client = client

    def add(self, watch: Watch) -> str:
        """Ask a standing question; returns its name."""
        request = AddWatch.Request(watch=to_watch_message(WatchState(watch)))
        return str(done(self._client.call(AddWatch, 'add_watch', request)).watch_id)

    def remove(self, watch_id: str = '') -> int:
        """End a watch; without a name, all of them."""
        request = RemoveWatch.Request(watch_id=watch_id)
        return int(done(self._client.call(RemoveWatch, 'remove_watch', request)).removed)

    def list(self) -> tuple[WatchState, ...]:
        """Return the watches, oldest first."""
        listed = self._client.call(ListWatches, 'list_watches', ListWatches.Request())
        return tuple(to_watch_state(message) for message in listed.watches)
