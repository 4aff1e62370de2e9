# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What of the memory the next questions of a chat read, and the commands that set it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from livevlm_ros.durations import typed_seconds
from livevlm_ros.engine.messages import Question, Scope

COMMANDS = {
    '/now': 'read the newest frame only',
    '/lookback 5m': 'read the last five minutes only',
    '/camera NAME': 'read this camera only',
    '/as-of 12.5': 'answer as if asked at this second',
    '/all': 'read everything again',
    '/help': 'list these commands',
    '/quit': 'end, as Ctrl-D does',
}


class BadCommand(ValueError):
    """A command that cannot be obeyed: says what was typed and what was expected."""


@dataclass(frozen=True)
class Focus:
    """
    The part of the memory that questions read; the default is all of it.

    :param lookback_s: seconds before `as_of_s`, or before the newest frame; 0: open
    :param camera: its name; empty: every camera
    :param as_of_s: seconds as the chat tells times; None: now
    """

    now: bool = False
    lookback_s: float = 0.0
    camera: str = ''
    as_of_s: float | None = None

    def told(self, command: str) -> Focus:
        """
        Return the focus after a command.

        :raises BadCommand: for one that is unknown, or does not say what it must
        """
        name, _, value = command.partition(' ')
        value = value.strip()
        try:
            match name:
                case '/all' if not value:
                    return Focus()
                case '/now' if not value:
                    return replace(self, now=True, lookback_s=0.0)
                case '/lookback':
                    return replace(self, now=False, lookback_s=typed_seconds(value))
                case '/as-of':
                    return replace(self, as_of_s=_second(value))
                case '/camera' if value:
                    return replace(self, camera=value)
        except ValueError as error:
            raise BadCommand(f'{command}: {error}') from error
        raise BadCommand(f'{command}: no such command; expected {", ".join(COMMANDS)}')

    def question(self, text: str, *, zero_ns: int) -> Question:
        """
        Return a question that reads this part.

        :param zero_ns: stamp that the chat calls second 0
        """
        as_of_ns = 0 if self.as_of_s is None else zero_ns + round(self.as_of_s * 1e9)
        return Question(
            text=text,
            scope=Scope.NOW if self.now else Scope.AUTO,
            lookback_s=self.lookback_s,
            cameras=(self.camera,) if self.camera else (),
            as_of_ns=as_of_ns,
            attach_images=True,
        )

    def __str__(self) -> str:
        parts = [
            'the newest frame' if self.now else '',
            f'the last {self.lookback_s:g} s' if self.lookback_s else '',
            f'camera {self.camera}' if self.camera else '',
            '' if self.as_of_s is None else f'as of {self.as_of_s:g} s',
        ]
        return ', '.join(part for part in parts if part) or 'everything'


def _second(text: str) -> float:
    try:
        second = float(text)
    except ValueError:
        second = math.nan
    if not 0 <= second < math.inf:
        raise ValueError('expected seconds, 0 or more, such as 12.5')
    return second
