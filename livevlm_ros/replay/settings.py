# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The engine's settings for a replay, by the names of the node's parameters.

A replay runs in float32, which makes two runs equal on any device. Parameters
that mean nothing without a clock or a queue are not offered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, get_args, get_type_hints

from livevlm_ros.engine import EngineConfig, MemoryConfig, ModelConfig
from livevlm_ros.engine.settings import ENGINE, MEMORY, MODEL, configuration
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.recording import CAMERA

_TABLES = ((MEMORY, MemoryConfig), (MODEL, ModelConfig), (ENGINE, EngineConfig))
_WANTED = {bool: 'true or false', int: 'a whole number', float: 'a number'}


def _kind(hint: Any) -> type:
    """Return the type of a field: str, bool, int or float."""
    return next((kind for kind in get_args(hint) if kind is not NoneType), hint)


KINDS = {
    name: _kind(get_type_hints(config)[field])
    for table, config in _TABLES
    for name, field in table.items()
}
"""Types of the settings that `--set` takes, by name."""


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
    :raises BadInput: for a name that is not in `KINDS`, a value of the wrong kind, or a
        configuration that its room refuses
    """
    values: dict[str, Any] = {
        'memory.preset': preset,
        'model.path': model,
        'model.dtype': 'float32',
        'ingest.target_fps': fps,
    }
    try:
        return configuration(values | dict(read_setting(each, KINDS) for each in given), cameras)
    except ValueError as error:
        raise BadInput(str(error)) from error


def read_setting(setting: str, kinds: Mapping[str, type]) -> tuple[str, Any]:
    """
    Read `name=value`.

    :param kinds: str, bool, int or float, by the names that are known
    :raises BadInput: for a name that is not among them, or a value of another kind
    """
    name, equals, text = setting.partition('=')
    if not equals:
        raise BadInput(f'setting {setting}: expected name=value')
    if name not in kinds:
        known = ', '.join(kinds)
        raise BadInput(f'setting {setting}: no setting {name!r}; expected one of {known}')
    kind = kinds[name]
    try:
        return name, _switch(text) if kind is bool else kind(text)
    except ValueError:
        raise BadInput(f'setting {setting}: expected {_WANTED[kind]}, got {text!r}') from None


def _switch(text: str) -> bool:
    if text not in ('true', 'false'):
        raise ValueError(text)
    return text == 'true'
