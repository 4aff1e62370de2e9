# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Dataclasses as what JSON can hold, and back: the types say what was what."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar('T')


def as_json(value: Any) -> Any:
    """
    Return a value of dataclasses, named tuples, collections and bytes as what JSON can hold.

    Fields that have their default are left out.
    """
    if is_dataclass(value):
        given = ((field, getattr(value, field.name)) for field in fields(value))
        return {field.name: as_json(it) for field, it in given if it != _default(field)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode('ascii')
    if isinstance(value, Mapping):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return value


def from_json(kind: type[T], value: Any) -> T:
    """
    Return what `as_json` made of a value of a type.

    :raises TypeError: or ValueError or KeyError, for what it did not make
    """
    return _read(kind, value)


def _read(kind: Any, value: Any) -> Any:
    origin: Any = get_origin(kind) or kind
    arguments = get_args(kind)
    if origin in (Union, UnionType):  # of a type and None
        (kind,) = (one for one in arguments if one is not NoneType)
        return None if value is None else _read(kind, value)
    if is_dataclass(origin):
        return _read_fields(origin, value)
    if hasattr(origin, '_fields'):
        return origin(*value)
    if origin in (list, tuple):
        return origin(_read(arguments[0], item) for item in value)
    if origin is bytes:
        return base64.b64decode(value, validate=True)
    return value if origin in (bool, int, float, str) else origin(value)


def _read_fields(kind: Any, value: Mapping[str, Any]) -> Any:
    hints = _hints(kind)
    return kind(**{name: _read(hints[name], item) for name, item in value.items()})


@lru_cache
def _hints(kind: type) -> dict[str, Any]:
    """Return the types of fields, those too that their module imports for its types only."""
    from livevlm_ros import engine

    late = {name: getattr(engine, name) for name in ('MemorySizes', 'RecallCounts')}
    return get_type_hints(kind, localns=late)


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()
