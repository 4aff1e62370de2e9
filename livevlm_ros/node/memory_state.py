# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The message `~/memory_state`: what the memory holds, and each camera that fills it."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from livevlm_interfaces.msg import CameraState, MemoryState, RecallCounts
from livevlm_ros.node.cameras import CameraReport
from livevlm_ros.node.conversions import to_time
from livevlm_ros.node.parameters import Values

if TYPE_CHECKING:
    from livevlm_ros.engine import EngineStats


class MemoryTeller:
    """Makes the messages of one engine."""

    def __init__(self) -> None:
        self._used: deque[tuple[float, dict[str, int]]] = deque()

    def message(
        self,
        stats: EngineStats,
        reports: Sequence[CameraReport],
        parameters: Values,
        *,
        now_ns: int,
    ) -> MemoryState | None:
        """
        Return the state now, None before there is a memory.

        :param now_ns: ROS time; 0: there is none
        """
        sizes = stats.memory
        if sizes is None:
            return None
        rates = self._rates(stats, parameters['diagnostics.window_s'])
        message = MemoryState(
            preset=parameters['memory.preset'],
            memory_id=stats.memory_id,
            frames=sizes.frames,
            short_term_frames=sizes.short_term_frames,
            short_term_tokens=sizes.short_term_tokens,
            long_term_tokens=sizes.long_term_tokens,
            long_term_capacity=sizes.long_term_capacity,
            archive_tokens=sizes.archive_tokens,
            device_bytes=sizes.device_bytes,
            read_bytes=sizes.read_bytes,
            host_bytes=sizes.host_bytes,
            disk_bytes=sizes.disk_bytes,
            full_cache_bytes=sizes.full_cache_bytes,
            evictions_total=sizes.evictions,
            context_truncated=sizes.context_truncated,
            archive_lost=sizes.archive_lost,
            disk_lost=sizes.disk_lost,
            recall=RecallCounts(**asdict(sizes.recall)),
            correction_rate=sizes.recall.correction_rate,
            short_term_oldest=to_time(sizes.short_term_oldest_ns),
            oldest=to_time(sizes.oldest_stamp_ns),
            paused=stats.paused,
            cameras=[
                _camera_state(report, stats, fps_used=rates[report.name], now_ns=now_ns)
                for report in reports
            ],
        )
        message.header.stamp = to_time(now_ns)
        return message

    def _rates(self, stats: EngineStats, window_s: float) -> dict[str, float]:
        """Return the frames a second of each camera that entered the memory in the window."""
        now = time.monotonic()
        used = {name: account.frames_used for name, account in stats.cameras.items()}
        self._used.append((now, used))
        while self._used[0][0] < now - window_s:
            self._used.popleft()
        since, before = self._used[0]
        span_s = now - since
        return {name: (n - before[name]) / span_s if span_s else 0.0 for name, n in used.items()}


def _camera_state(
    report: CameraReport, stats: EngineStats, *, fps_used: float, now_ns: int
) -> CameraState:
    account = stats.cameras[report.name]
    dropped, newest_ns = account.dropped, account.newest_stamp_ns
    return CameraState(
        name=report.name,
        topic=' '.join(report.topics),
        encoding=report.encoding,
        fps_in=report.traffic.fps,
        fps_used=fps_used,
        frame_age=(now_ns - newest_ns) / 1e9 if newest_ns and now_ns else math.nan,
        frames_in=account.frames_in,
        frames_used=account.frames_used,
        waiting=account.waiting,
        dropped=dropped.total,
        errors=dropped.bad,
        dropped_rate=dropped.rate,
        dropped_newer=dropped.newer,
        dropped_gate=dropped.gate,
        dropped_paused=dropped.paused,
        qos_incompatible=bool(report.incompatible),
        last_stamp=to_time(newest_ns),
        alive=bool(report.publishers) and report.silent_s < report.patience_s,
    )
