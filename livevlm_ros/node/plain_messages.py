# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a node tells, as JSON has it: seconds, words, pictures as data URLs."""

from __future__ import annotations

import base64
import math
from typing import Any

from livevlm_ros.engine.events import EventKind
from livevlm_ros.engine.held import HeldFrame
from livevlm_ros.engine.watch import Reason, WatchState
from livevlm_ros.node.ask_client import to_dict
from livevlm_ros.pose import Pose

WORDS = {
    EventKind.BUCKETED: '{value:.0f} frames left short-term memory and were compressed',
    EventKind.ARCHIVED: '{value:.0f} frames went to the archive',
    EventKind.SAVED: 'saved to {detail}',
    EventKind.LOADED: '{value:.0f} frames loaded from {detail}',
    EventKind.CLEARED: 'forgotten: {detail}',
    EventKind.CAMERA_LOST: 'no image for {value:.1f} s',
    EventKind.CAMERA_BACK: 'images come again, after {value:.1f} s without',
    EventKind.TIME_JUMP: 'header stamps leapt by {value:.1f} s',
    EventKind.DEGRADED: 'an answer gave something up: {detail}',
    EventKind.RECOVERED: 'answers are whole again',
    EventKind.DEADLINE_MISS: 'a question ended without an answer in its {value:.0f} ms',
    EventKind.OOM: 'the device ran out of memory: {detail}',
}
LEVELS = ('ok', 'warning', 'error', 'stale')
TIERS = ('short_term', 'long_term', 'archive')


def picture_url(jpeg: bytes) -> str:
    """Return a picture as a data URL; empty where there is none."""
    return f'data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}' if jpeg else ''


def state(message: Any) -> dict[str, Any]:
    """Return a `MemoryState`."""
    return {
        'preset': message.preset,
        'short_term_frames': message.short_term_frames,
        'short_term_tokens': message.short_term_tokens,
        'long_term_tokens': message.long_term_tokens,
        'archive_tokens': message.archive_tokens,
        'device_bytes': message.device_bytes,
        'host_bytes': message.host_bytes,
        'disk_bytes': message.disk_bytes,
        'paused': message.paused,
        'cameras': [
            {
                'name': camera.name,
                'fps_in': round(camera.fps_in, 1),
                'fps_used': round(camera.fps_used, 1),
                'frame_age': _number(camera.frame_age),
                'alive': camera.alive,
            }
            for camera in message.cameras
        ],
    }


def health(status: Any) -> dict[str, str]:
    """Return a `DiagnosticStatus`; its task is what follows the node's name."""
    level = LEVELS[status.level[0]]
    return {'task': status.name.partition(': ')[2], 'level': level, 'message': status.message}


def event(message: Any) -> dict[str, Any]:
    """Return a `MemoryEvent` in words."""
    kind = EventKind(message.type)
    return {
        'stamp': seconds(message.header.stamp),
        'kind': kind.name.lower(),
        'camera': message.camera,
        'words': WORDS[kind].format(value=message.value, detail=message.detail),
    }


def answered(message: Any) -> dict[str, Any]:
    """Return of an `AnswerRecord` what a timeline marks."""
    return {
        'question': message.question,
        'answer': message.answer,
        'read': [
            {'camera': found.camera, 'stamp': seconds(found.header.stamp)}
            for found in message.evidence
        ],
    }


def answer(response: Any) -> dict[str, Any]:
    """Return an `Ask` response with its evidence frames."""
    told = to_dict(response)
    for entry, found in zip(told['evidence'], response.evidence, strict=True):
        entry |= {
            'key': found.frame_key,
            'pose': _position(entry['pose']),
            'picture': picture_url(bytes(found.thumbnail.data)),
        }
    return told


def frame(held: HeldFrame) -> dict[str, Any]:
    """Return a frame of the memory."""
    return {
        'key': held.frame_key,
        'camera': held.camera,
        'stamp': held.stamp_ns / 1e9,
        'tiers': [tier for tier in TIERS if getattr(held, f'{tier}_tokens')],
        'pose': _position(held.pose),
        'picture': picture_url(held.thumbnail_jpeg),
    }


def watch(state: WatchState) -> dict[str, Any]:
    """Return a standing question, and what became of it."""
    return {
        'id': state.watch.watch_id,
        'question': state.watch.text,
        'period': state.watch.period_s,
        'every_frames': state.watch.every_frames,
        'answer': state.answer,
        'confidence': round(state.confidence, 4),
        'answered_at': state.answered_ns / 1e9,
        'events': state.events,
    }


def watch_event(message: Any) -> dict[str, Any]:
    """Return a `WatchEvent`."""
    return {
        'stamp': seconds(message.header.stamp),
        'question': message.question,
        'reason': Reason(message.reason).name.lower(),
        'answer': message.answer,
        'before': message.answer_before,
        'confidence': round(message.confidence, 4),
    }


def seconds(time: Any) -> float:
    """Return a time or a duration."""
    return float(time.sec) + time.nanosec * 1e-9


def _number(value: float) -> float | None:
    """Return what JSON has a number for."""
    return round(value, 3) if math.isfinite(value) else None


def _position(pose: Pose | None) -> list[float] | None:
    """Return where the camera was, in metres."""
    return None if pose is None else [round(at, 3) for at in pose[:3]]
