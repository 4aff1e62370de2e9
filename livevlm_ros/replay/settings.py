# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The engine's settings for a replay, by the names of the node's parameters.

A replay runs in float32, which makes two runs equal on any device. Parameters
that mean nothing without a clock or a queue are not offered.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType
from typing import Any, get_args, get_type_hints

from livevlm_ros.engine import EngineConfig, MemoryConfig, ModelConfig
from livevlm_ros.engine.settings import ENGINE, MEMORY, MODEL, configuration
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.recording import CAMERA

_TABLES = ((MEMORY, MemoryConfig), (MODEL, ModelConfig), (ENGINE, EngineConfig))
_KINDS = {
    name: get_type_hints(config)[field]
    for table, config in _TABLES
    for name, field in table.items()
}

SETTINGS = tuple(_KINDS)
"""Names that `--set` takes."""


def engine_config(
    *,
    model: str = 'embedded',
    preset: str = 'balanced',
    fps: float = 1.0,
    given: Sequence[str] = (),
    cameras: Sequence[str] = (CAMERA,),
) -> EngineConfig:
    """
    Build the configuration of a replay's engine.

    :param model: 'embedded', a checkpoint folder or a hub name
    :param preset: memory preset
    :param fps: most frames used per second of the recording
    :param given: `name=value` settings, which go over the rest
    :param cameras: logical names
    :raises BadInput: for a name that is not in `SETTINGS`, a value of the wrong kind, or a
        configuration that its room refuses
    """
    values: dict[str, Any] = {
        'memory.preset': preset,
        'model.path': model,
        'model.dtype': 'float32',
        'ingest.target_fps': fps,
    }
    try:
        return configuration(values | dict(map(_parse, given)), cameras)
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
    hint = _KINDS[name]
    return next((kind for kind in get_args(hint) if kind is not NoneType), hint)


def _switch(text: str) -> bool:
    if text not in ('true', 'false'):
        raise ValueError(text)
    return text == 'true'
