# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The engine's settings for a replay, by the names of the node's parameters.

A replay runs in float32, which makes two runs equal on any device. Parameters
that mean nothing without a clock or a queue are not offered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from types import NoneType
from typing import Any, get_args, get_type_hints

from livevlm_ros.engine import EngineConfig, MemoryConfig, ModelConfig
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.recording import CAMERA

_ENGINE_FIELDS = {
    'ingest.target_fps': 'target_fps',
    'ingest.gate': 'gate',
    'ingest.gate_similarity': 'gate_similarity',
    'ingest.gate_heartbeat_s': 'gate_heartbeat_s',
    'ask.default_max_tokens': 'default_max_tokens',
    'ask.temperature': 'temperature',
    'ask.max_evidence': 'max_evidence',
    'ask.min_confidence': 'min_confidence',
    'model.threads': 'threads',
    'time.on_jump': 'on_jump',
    'seed': 'seed',
}
_RETRIEVAL_FIELDS = {
    'retrieval.by': 'retrieval',
    'retrieval.frames': 'retrieval_frames',
    'retrieval.tau': 'tau',
}
_ROOM_CONFIGS = {'memory': MemoryConfig, 'model': ModelConfig}
_ROOM_FIELDS = {
    f'{room}.{field.name}': (room, field.name)
    for room, kind in _ROOM_CONFIGS.items()
    for field in fields(kind)
    if field.name not in _RETRIEVAL_FIELDS.values()
} | {name: ('memory', field) for name, field in _RETRIEVAL_FIELDS.items()}

SETTINGS = (*_ROOM_FIELDS, *_ENGINE_FIELDS)
"""Names that `--set` takes."""


def engine_config(
    *,
    model: str = 'embedded',
    preset: str = 'balanced',
    fps: float = 1.0,
    given: Sequence[str] = (),
) -> EngineConfig:
    """
    Build the configuration of a replay's engine.

    :param model: 'embedded', a checkpoint folder or a hub name
    :param preset: memory preset
    :param fps: most frames used per second of the recording
    :param given: `name=value` settings, which go over the rest
    :raises BadInput: for a name that is not in `SETTINGS`, a value of the wrong kind, or a
        configuration that its room refuses
    """
    rooms: dict[str, dict[str, Any]] = {
        'memory': {'preset': preset},
        'model': {'path': model, 'dtype': 'float32'},
    }
    engine: dict[str, Any] = {'target_fps': fps}
    for setting in given:
        name, value = _parse(setting)
        if name in _ENGINE_FIELDS:
            engine[_ENGINE_FIELDS[name]] = value
        else:
            room, field = _ROOM_FIELDS[name]
            rooms[room][field] = value
    try:
        return replace(
            EngineConfig(cameras=(CAMERA,)),
            memory=MemoryConfig(**rooms['memory']),
            model=ModelConfig(**rooms['model']),
            **engine,
        )
    except ValueError as error:
        raise BadInput(str(error)) from error


def _parse(setting: str) -> tuple[str, Any]:
    name, equals, text = setting.partition('=')
    if not equals:
        raise BadInput(f'setting {setting}: expected name=value')
    if name not in SETTINGS:
        known = ', '.join(SETTINGS)
        raise BadInput(f'setting {setting}: no setting {name!r}; expected one of {known}')
    kind = _kind(name)
    try:
        return name, _switch(text) if kind is bool else kind(text)
    except ValueError:
        wanted = {int: 'a whole number', float: 'a number', bool: 'true or false'}[kind]
        raise BadInput(f'setting {setting}: expected {wanted}, got {text!r}') from None


def _kind(name: str) -> type:
    """Return the type of a setting: str, bool, int or float."""
    if name in _ENGINE_FIELDS:
        hint = get_type_hints(EngineConfig)[_ENGINE_FIELDS[name]]
    else:
        room, field = _ROOM_FIELDS[name]
        hint = get_type_hints(_ROOM_CONFIGS[room])[field]
    return next((kind for kind in get_args(hint) if kind is not NoneType), hint)


def _switch(text: str) -> bool:
    if text not in ('true', 'false'):
        raise ValueError(text)
    return text == 'true'
