# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Answers that are measured rather than right or wrong: a place, a time ago, a number.

Place and time are those of the frame that the answer rests on most, for that is what a memory
knows; a number is read from the answer's text. In a questions file a metric truth is one of

    metric: {where: [12.5, -3.0, 0.0], tolerance: 2}            # metres
    metric: {ago: 2.5, unit: minutes}                           # or seconds
    metric: {number: 9, unit: minutes, tolerance: 0}            # any unit
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from livevlm_ros.engine.messages import Answer
from livevlm_ros.replay.errors import BadInput

UNITS_S = {'seconds': 1.0, 'minutes': 60.0}
"""Units of a time ago, in seconds."""

EXAMPLE = '{where: [x, y, z]}, {ago: 2.5, unit: minutes} or {number: 3}'
KINDS = ('where', 'ago', 'number')

_NUMBER = re.compile(r'\d+(?:\.\d+)?')


@dataclass(frozen=True, slots=True)
class Metric:
    """
    What an answer is measured against.

    :param kind: one of `KINDS`
    :param value: x, y and z in metres, or one number
    :param unit: of the value and of the error
    :param tolerance: error up to which an answer is right; None: it is neither right nor wrong
    """

    kind: str
    value: tuple[float, ...]
    unit: str = ''
    tolerance: float | None = None

    def error(self, answer: Answer, evidence_s: Sequence[float], at: float) -> float | None:
        """
        Measure how far an answer is from the truth.

        :param evidence_s: seconds of the answer's evidence frames, that looked at most first
        :param at: seconds at which it was asked
        :returns: the distance in `unit`; None where the answer has nothing to be measured
        """
        if self.kind == 'where':
            pose = answer.evidence[0].pose if answer.evidence else None
            return None if pose is None else math.dist(self.value, pose[:3])
        if self.kind == 'ago':
            if not evidence_s:
                return None
            return abs((at - evidence_s[0]) / UNITS_S[self.unit] - self.value[0])
        numbers = _NUMBER.findall(answer.text)
        return abs(float(numbers[0]) - self.value[0]) if len(numbers) == 1 else None

    def in_words(self) -> str:
        """Say the truth."""
        if self.kind == 'where':
            return f'at {", ".join(f"{part:g}" for part in self.value)}'
        return f'{self.value[0]:g} {self.unit}{" ago" if self.kind == "ago" else ""}'.strip()

    def given(self) -> dict[str, Any]:
        """Return the metric as a questions file has it."""
        value = list(self.value) if self.kind == 'where' else self.value[0]
        unit = {'unit': self.unit} if self.unit and self.kind != 'where' else {}
        tolerance = {} if self.tolerance is None else {'tolerance': self.tolerance}
        return {self.kind: value, **unit, **tolerance}


def read_metric(given: Any) -> Metric | None:
    """
    Read what a questions file says of a metric.

    :raises BadInput: for anything but one of `KINDS` with its unit and tolerance
    """
    if given is None:
        return None
    if not isinstance(given, dict):
        raise BadInput(f'metric must be such as {EXAMPLE}, got {type(given).__name__}')
    kinds = [kind for kind in KINDS if kind in given]
    unknown = [str(key) for key in given if key not in (*KINDS, 'unit', 'tolerance')]
    if len(kinds) != 1 or unknown:
        raise BadInput(f'metric must be such as {EXAMPLE}, got keys {", ".join(map(str, given))}')
    kind, unit = kinds[0], given.get('unit', 'metres' if kinds[0] == 'where' else '')
    if kind == 'where' and unit != 'metres':
        raise BadInput(f'metric: where is in metres, got {unit!r}')
    if kind == 'ago' and unit not in UNITS_S:
        raise BadInput(f'metric: ago needs a unit, {" or ".join(UNITS_S)}, got {unit!r}')
    if not isinstance(unit, str):
        raise BadInput(f'metric: unit must be a word, got {unit!r}')
    value = given[kind] if kind == 'where' else [given[kind]]
    if not isinstance(value, list) or len(value) != (3 if kind == 'where' else 1):
        raise BadInput('metric: where must be [x, y, z] in metres')
    tolerance = given.get('tolerance')
    return Metric(
        kind,
        tuple(_number(kind, part, signed=kind == 'where') for part in value),
        unit,
        None if tolerance is None else _number('tolerance', tolerance),
    )


def _number(key: str, value: Any, *, signed: bool = False) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or (value < 0 and not signed):
        wanted = 'a number' if signed else 'a number, 0 or more'
        raise BadInput(f'metric: {key} must be {wanted}, got {str(value)[:60]!r}')
    return float(value)
