# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Rows of a comparison: a name, and the settings that make it differ from the others.

A row is written as `NAME=PRESET setting=value setting=value`, such as
`small=balanced memory.long_term_frames=8`; with `oracle=true` it reads where the truth lies, with
`alone=true` nothing.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.settings import engine_config

if TYPE_CHECKING:  # it brings torch
    from livevlm_ros.engine import EngineConfig

EXAMPLE = "'small=balanced memory.long_term_frames=8'"

BASELINES = (
    'no-video=recent alone=true ask.min_confidence=0',
    'last-2=recent memory.short_term_frames=2',
    'last-4=recent memory.short_term_frames=4',
    'last-8=recent memory.short_term_frames=8',
)
"""Rows that a memory is to be better than."""

ORACLE = 'oracle=%s oracle=true'
"""Row that no retrieval over a preset's memory can be better than."""


class Row(NamedTuple):
    """
    One way to answer, to be compared with others.

    :param name: unlike that of any other row
    :param oracle: what is read of long-term and archive is the truth's interval, see `oracle`
    :param alone: no frame is read
    """

    name: str
    config: EngineConfig
    oracle: bool = False
    alone: bool = False


def read_rows(
    presets: Sequence[str],
    texts: Sequence[str],
    *,
    model: str = 'embedded',
    fps: float = 1.0,
    given: Sequence[str] = (),
) -> list[Row]:
    """
    Make a row of each preset, which is its name, and of each text.

    :param presets: they come first
    :param texts: rows as the user wrote them
    :param given: `name=value` settings of every row; a row's own go over them
    :raises BadInput: for a text that is no row, a name given twice, or as `engine_config` does
    """
    rows = [
        Row(preset, engine_config(model=model, preset=preset, fps=fps, given=given))
        for preset in presets
    ]
    rows += [_read(text, model=model, fps=fps, given=given) for text in texts]
    check_names([row.name for row in rows])
    return rows


def check_names(names: Sequence[str]) -> None:
    """
    Refuse rows of which two have the same name.

    :raises BadInput: naming the first that comes again
    """
    for number, name in enumerate(names):
        if name in names[:number]:
            raise BadInput(f'row {name}: the name is given twice; expected different ones')


def check_baselines(baselines: Sequence[str], names: Sequence[str]) -> None:
    """
    Refuse baselines that are no rows.

    :param names: of the rows
    :raises BadInput: naming the first of them, and the rows
    """
    for baseline in baselines:
        if baseline not in names:
            raise BadInput(f'--against {baseline}: no such row; expected of {", ".join(names)}')


def _read(text: str, *, model: str, fps: float, given: Sequence[str]) -> Row:
    name, equals, rest = text.partition('=')
    try:
        preset, *own = shlex.split(rest)
    except ValueError:  # nothing there, or a quotation without an end
        equals = ''
    if not equals:
        raise BadInput(f'--row {text}: expected NAME=PRESET and settings, such as {EXAMPLE}')
    if not re.fullmatch('[A-Za-z0-9_-]+', name):
        raise BadInput(f'--row {text}: expected a name of letters, digits, - and _, got {name!r}')
    switches = [setting for setting in own if setting.startswith(('oracle=', 'alone='))]
    for switch in switches:
        if not switch.endswith(('=true', '=false')):
            raise BadInput(f'row {name}: {switch}: expected true or false')
    settings = [*given, *(setting for setting in own if setting not in switches)]
    try:
        config = engine_config(model=model, preset=preset, fps=fps, given=settings)
    except BadInput as error:
        raise BadInput(f'row {name}: {error}') from error
    last = dict(switch.split('=') for switch in switches)
    return Row(name, config, **{switch: value == 'true' for switch, value in last.items()})
