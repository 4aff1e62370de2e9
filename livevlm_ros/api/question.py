# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The fields of a question, with times in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Literal, TypedDict, TypeVar

from livevlm_ros.engine.messages import Priority, Question, Scope
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.seconds import Seconds

_AS_THEY_ARE = (
    'request_id',
    'max_tokens',
    'temperature',
    'allow_partial',
    'lookback_s',
    'max_evidence',
    'min_confidence',
    'max_doubt',
)

Named = TypeVar('Named', bound=IntEnum)


class Fields(TypedDict, total=False):
    """
    What a question may have beside its text; every field is optional.

    :param budget_s: seconds that the reply may take; by default as many as it needs; 0: as many
        as a whole answer is measured to take
    :param allow_partial: when the budget ends, reply with what was said so far (default), or with
        `status` `DEADLINE`
    :param max_tokens: length of the answer; by default 64
    :param temperature: 0 (default): always the likeliest word
    :param scope: what is read: `auto` (default) and `all`: everything; `now`: the newest frame of
        each camera; `short-term`; `long-term`: only what is retrieved
    :param cameras: only these; by default all
    :param time_start_s: no frame before this second
    :param time_end_s: no frame after this second
    :param lookback_s: only the last so many seconds before `as_of_s`, or before the newest frame
    :param as_of_s: answer as if it were this second
    :param choices: the answer is the likeliest of these
    :param min_confidence: an answer less sure than this has `status` `NOT_SEEN`; by default 0.3
    :param max_doubt: an answer that is doubted more has it, too, because the model came near to
        saying that nothing was there; by default 1; without effect where `min_confidence` is 0
    :param max_evidence: evidence frames; by default 3
    :param attach_images: attach their pictures (default)
    :param priority: `high` goes before other questions that wait; by default `normal`
    :param request_id: comes back in the answer
    """

    budget_s: float
    allow_partial: bool
    max_tokens: int
    temperature: float
    scope: Literal['auto', 'now', 'short-term', 'long-term', 'all']
    cameras: Sequence[str]
    time_start_s: float
    time_end_s: float
    lookback_s: float
    as_of_s: float
    choices: Sequence[str]
    min_confidence: float
    max_doubt: float
    max_evidence: int
    attach_images: bool
    priority: Literal['normal', 'high']
    request_id: str


def question_of(text: str, fields: Fields, seconds: Seconds) -> Question:
    """
    Return the question as the engine is asked it.

    :raises TypeError: for a field that there is not
    :raises BadInput: for a scope or priority that there is not
    """
    if unknown := sorted(fields.keys() - Fields.__annotations__.keys()):
        known = ', '.join(Fields.__annotations__)
        raise TypeError(f'a question has no field {unknown[0]!r}; expected some of {known}')
    budget_s = fields.get('budget_s')
    return Question(
        text,
        budget_s=budget_s,
        unlimited=budget_s is None,
        scope=_named(Scope, 'scope', fields.get('scope', 'auto')),
        priority=_named(Priority, 'priority', fields.get('priority', 'normal')),
        cameras=_texts(fields.get('cameras', ())),
        choices=_texts(fields.get('choices', ())),
        time_start_ns=seconds.begin_ns(fields.get('time_start_s')),
        time_end_ns=seconds.end_ns(fields.get('time_end_s')),
        as_of_ns=seconds.end_ns(fields.get('as_of_s')),
        attach_images=fields.get('attach_images', True),
        **{name: value for name, value in fields.items() if name in _AS_THEY_ARE},  # type: ignore[arg-type]
    )


def _named(kind: type[Named], field: str, name: str) -> Named:
    by_name = {each.name.lower().replace('_', '-'): each for each in kind}
    if name not in by_name:
        raise BadInput(f'{field}: got {name!r}, expected one of {", ".join(by_name)}')
    return by_name[name]


def _texts(given: Sequence[str]) -> tuple[str, ...]:
    """Return several texts; a single one stands for itself, not for its letters."""
    return (given,) if isinstance(given, str) else tuple(given)
