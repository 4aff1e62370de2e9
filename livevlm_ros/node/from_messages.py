# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Messages of a running node, back in the words of the engine behind it."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from livevlm_interfaces.msg import CameraState, MemoryState
from livevlm_ros.engine.messages import Answer, Evidence, Finish, Latency, Scope, Source, Status
from livevlm_ros.engine.slot import CameraStats, Dropped
from livevlm_ros.engine.stats import AskStats, EngineStats, Percentiles
from livevlm_ros.node.conversions import nanoseconds, pose_of

if TYPE_CHECKING:  # it brings torch
    from livevlm_ros.engine import MemorySizes


def to_stats(state: MemoryState | None) -> EngineStats:
    """Turn a `MemoryState` back into the statistics that it tells of; None: none came yet."""
    none = Percentiles()
    return EngineStats(
        cameras={camera.name: _to_account(camera) for camera in state.cameras} if state else {},
        unknown_cameras=CameraStats(),
        time_jumps=0,
        ask=AskStats({}, 0, 0, 0, none, none),
        memory=_to_sizes(state) if state else None,
    )


def _to_account(camera: CameraState) -> CameraStats:
    return CameraStats(
        frames_in=camera.frames_in,
        frames_used=camera.frames_used,
        dropped=Dropped(
            rate=camera.dropped_rate,
            newer=camera.dropped_newer,
            gate=camera.dropped_gate,
            bad=camera.errors,
            paused=camera.dropped_paused,
        ),
        waiting=camera.waiting,
        newest_stamp_ns=nanoseconds(camera.last_stamp),
    )


def _to_sizes(state: MemoryState) -> MemorySizes:
    from livevlm_ros.engine import MemorySizes, RecallCounts

    alike = [f.name for f in fields(MemorySizes) if hasattr(state, f.name)]
    recall = {f.name: getattr(state.recall, f.name) for f in fields(RecallCounts)}
    return MemorySizes(
        **{name: getattr(state, name) for name in alike}
        | {
            'evictions': state.evictions_total,
            'oldest_stamp_ns': nanoseconds(state.oldest),
            'short_term_oldest_ns': nanoseconds(state.short_term_oldest),
            'recall': RecallCounts(**recall),
        }
    )


def to_answer(response: Any) -> Answer:
    """Turn an `Ask` response back into the engine's answer."""
    return Answer(
        status=Status(response.status),
        message=response.status_message,
        request_id=response.request_id,
        text=response.answer,
        confidence=response.confidence,
        choice_index=response.choice_index,
        evidence=tuple(_evidence(found) for found in response.evidence),
        truncated=response.truncated,
        finish=Finish(response.finish_reason),
        scope_used=Scope(response.scope_used),
        newest_stamp_ns=nanoseconds(response.newest_frame),
        prompt_tokens=response.prompt_tokens,
        completion_tokens=response.completion_tokens,
        frames_considered=response.frames_considered,
        retry_after_s=nanoseconds(response.retry_after) / 1e9,
        model_id=response.model_id,
        degradation=response.degradation_level,
        latency=Latency(**{f.name: getattr(response.latency, f.name) for f in fields(Latency)}),
    )


def _evidence(found: Any) -> Evidence:
    return Evidence(
        camera=found.camera,
        stamp_ns=nanoseconds(found.header.stamp),
        frame_id=found.header.frame_id,
        frame_key=found.frame_key,
        score=found.score,
        source=Source(found.source),
        thumbnail_jpeg=bytes(found.thumbnail.data),
        pose=pose_of(found),
    )
