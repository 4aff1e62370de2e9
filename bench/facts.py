# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Kinds of facts that a stream of text says and questions ask for.

A file lists them: `{say, ask, who, values}`, where `say` is a sentence with `{who}` and
`{value}`, and `ask` the question. With two sentences in `say` the answer takes both: the first
has `{who}` and `{via}`, the second `{via}` and `{value}`; `answer` says it in one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from livevlm_ros.replay.errors import BadInput

HALVES = ('table', 'calibration')
"""What is built in: facts that a table is made with, and others to fit settings on."""

EXAMPLE = (
    '{say: The code of the {who} is {value}., ask: What is the code of the {who}?, '
    'who: [gate, safe], values: [12, 34]}'
)
_NEEDED = {'say', 'ask', 'who', 'values'}


@dataclass(frozen=True, slots=True)
class Kind:
    """
    Facts that differ in their subject and in their value.

    :param say: one sentence, or two of which the answer takes both
    :param ask: the question, with `{who}`
    :param answer: the true answer in a sentence, with `{who}` and `{value}`
    :param who: subjects
    :param values: what may be true of a subject
    :param via: what ties two sentences together, empty for one
    """

    say: tuple[str, ...]
    ask: str
    answer: str
    who: tuple[str, ...]
    values: tuple[str, ...]
    via: tuple[str, ...] = ()


def built_in_facts(half: str) -> list[Kind]:
    """Return the kinds of one of `HALVES`, which share no sentence, no subject and no value."""
    file = files('livevlm_bench') / 'facts' / f'{half}.yaml'
    return _kinds(yaml.safe_load(file.read_text(encoding='utf-8')), name=file.name)


def read_facts(file: Path) -> list[Kind]:
    """
    Read a file of facts, YAML or JSON.

    :raises BadInput: naming the entry that is none, and what is expected
    """
    try:
        entries = yaml.safe_load(file.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(
            f'{file}: cannot be read as YAML or JSON ({error})'.replace('\n', ' ')
        ) from error
    return _kinds(entries, name=str(file))


def _kinds(entries: object, *, name: str) -> list[Kind]:
    if not isinstance(entries, list) or not entries:
        raise BadInput(f'{name}: expected a list of facts such as {EXAMPLE}')
    return [_kind(entry, where=f'{name}: fact {n}') for n, entry in enumerate(entries, start=1)]


def _kind(entry: object, *, where: str) -> Kind:
    if not isinstance(entry, Mapping) or not _NEEDED <= set(entry) <= _NEEDED | {'via', 'answer'}:
        raise BadInput(f'{where}: expected {EXAMPLE}, got {entry!r}')
    say = _texts(entry['say'])
    two = len(say) == 2
    kind = Kind(
        say=say,
        ask=str(entry['ask']),
        answer=str(entry.get('answer', say[-1])),
        who=_texts(entry['who']),
        values=_texts(entry['values']),
        via=_texts(entry.get('via', ())),
    )
    wanted = [
        ('say', say[0], '{who}'),
        ('say', say[-1], '{value}'),
        *(('say', text, '{via}') for text in say if two),
        ('ask', kind.ask, '{who}'),
        ('answer', kind.answer, '{who}'),
        ('answer', kind.answer, '{value}'),
    ]
    for key, text, part in wanted:
        if text.count(part) != 1:
            raise BadInput(f'{where}: {key} must have {part} once, got {text!r}')
    if len(say) > 2 or not kind.who or len(set(kind.values)) < 2 or two != bool(kind.via):
        raise BadInput(
            f'{where}: expected one sentence, or two with via between them, someone and two values'
        )
    return kind


def _texts(given: Any) -> tuple[str, ...]:
    return tuple(map(str, given if isinstance(given, list | tuple) else [given]))
