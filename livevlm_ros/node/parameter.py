# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What there is to know of one parameter of a node. Imports neither rclpy nor torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Value = bool | int | float | str | Sequence[str]
Change = Literal['live', 'unconfigured', 'start']

_CHANGE_TEXT = {
    'live': 'Can be set at any time.',
    'unconfigured': 'Can be set while the node is unconfigured.',
    'start': 'Set when the node starts.',
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    One parameter.

    :param text: one line that says what it does, with its unit
    :param low: least number, inclusive
    :param high: greatest number, inclusive
    :param choices: allowed strings; empty: any
    :param pattern: regular expression that a string must match whole; empty: any
    :param change: when it may be set
    """

    name: str
    default: Value
    text: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ''
    change: Change = 'unconfigured'

    def describe(self) -> str:
        """Return the text with the time at which the parameter may be set."""
        return f'{self.text} {_CHANGE_TEXT[self.change]}'

    def constraints(self) -> str:
        """Return what a string must be, in words; empty when any string will do."""
        if self.choices:
            return f'one of: {", ".join(self.choices)}'
        return f'must match {self.pattern}' if self.pattern else ''

    def refuse(self, value: Value) -> str:
        """Return why `value` cannot be taken, or '' if it can; numbers are ranged by rclpy."""
        if not isinstance(value, str) or not self.constraints():
            return ''
        if value in self.choices or (self.pattern and re.fullmatch(self.pattern, value)):
            return ''
        return f'{self.name} is {value!r}, expected {self.constraints()}'
