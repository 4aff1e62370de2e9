# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Messages of the node as JSON has them: seconds, words, pictures as data URLs."""

from __future__ import annotations

import base64
import math
from typing import Any

from livevlm_ros.engine.events import EventKind
from livevlm_ros.engine.watch import Reason
from livevlm_ros.node.ask_client import to_dict

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
            'pose': _position(found),
            'picture': picture_url(bytes(found.thumbnail.data)),
        }
    return told


def frame(message: Any) -> dict[str, Any]:
    """Return a `MemoryFrame`."""
    return {
        'key': message.frame_key,
        'camera': message.camera,
        'stamp': seconds(message.header.stamp),
        'tiers': [tier for tier in TIERS if getattr(message, f'{tier}_tokens')],
        'pose': _position(message),
        'picture': picture_url(bytes(message.thumbnail.data)),
    }


def watch(message: Any) -> dict[str, Any]:
    """Return a `Watch`."""
    return {
        'id': message.watch_id,
        'question': message.question,
        'period': seconds(message.period),
        'every_frames': message.every_frames,
        'answer': message.answer,
        'confidence': round(message.confidence, 4),
        'answered_at': seconds(message.answered_at),
        'events': message.events,
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


def _position(message: Any) -> list[float | None] | None:
    """Return where the camera was, in metres."""
    if not message.has_pose:
        return None
    at = message.pose.position
    return [_number(at.x), _number(at.y), _number(at.z)]
