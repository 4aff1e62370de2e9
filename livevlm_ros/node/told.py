# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a running node tells, back in the words of the engine behind it."""

from __future__ import annotations

from ast import literal_eval
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from livevlm_ros.engine.messages import Answer, Evidence, Finish, Latency, Scope, Source, Status
from livevlm_ros.engine.slot import CameraStats, Dropped
from livevlm_ros.engine.stats import AskStats, EngineStats, ModelStats, Percentiles
from livevlm_ros.node.client import Client
from livevlm_ros.node.conversions import nanoseconds, pose_of
from livevlm_ros.replay.recording import CAMERA

if TYPE_CHECKING:  # it brings torch
    from livevlm_ros.engine import MemorySizes


def told_stats(client: Client) -> EngineStats:
    """Return what the node's diagnostics say of its engine; nothing before the first of them."""
    ingest, memory, model = (_values(client, task) for task in ('ingest', 'memory', 'model'))
    none = Percentiles()
    return EngineStats(
        cameras={CAMERA: _told_frames(ingest) if ingest else CameraStats()},
        unknown_cameras=CameraStats(),
        time_jumps=int(ingest.get('time_jumps', 0)),
        time_resets=int(ingest.get('time_resets', 0)),
        ask=AskStats({}, 0, 0, 0, none, none),
        memory=_told_memory(memory) if memory else None,
        model=ModelStats(
            model_id=model['model_id'],
            dtype=model['dtype'],
            weights=model['weights'],
            weight_bytes=int(model['weight_bytes']),
            device=model['device'],
            parameters=int(model['parameters']),
            load_s=float(model['load_s']),
            warm_up_ms={},
            costs_ms={},
        )
        if model
        else None,
    )


def _told_memory(memory: dict[str, str]) -> MemorySizes:
    from livevlm_ros.engine import MemorySizes, RecallCounts

    counts = [(f.name, f'recall_{f.name}') for f in fields(RecallCounts)]
    return MemorySizes(
        **{f.name: literal_eval(memory[f.name]) for f in fields(MemorySizes) if f.name in memory},
        recall=RecallCounts(**{name: literal_eval(memory[key]) for name, key in counts}),
    )


def _told_frames(ingest: dict[str, str]) -> CameraStats:
    return CameraStats(
        frames_in=int(ingest['frames_in']),
        frames_used=int(ingest['frames_used']),
        dropped=Dropped(**{f.name: int(ingest[f'dropped_{f.name}']) for f in fields(Dropped)}),
        waiting=int(ingest['frames_waiting']),
    )


def _values(client: Client, task: str) -> dict[str, str]:
    status = client.status(task)
    return {} if status is None else {value.key: value.value for value in status.values}


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
