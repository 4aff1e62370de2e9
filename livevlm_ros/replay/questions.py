# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The questions file: what to ask a recording, when, and what the right answer is.

A list of entries in YAML or JSON. Only `at` and `question` are needed; without `answer` or
`metric` nothing is scored. With several times as `at`, the same is asked at each of them. An
entry that cannot be used is refused with a message of its own and the others are asked; a file
that is no list of entries is refused whole.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.metric import Metric, read_metric
from livevlm_ros.replay.recording import stem_of
from livevlm_ros.replay.set_rules import SETS

AT_THE_END = math.inf
"""Time of a question that is asked after the recording's last frame."""

FILE_SUFFIXES = ('.questions.yaml', '.questions.yml', '.questions.json')


@dataclass(frozen=True, slots=True)
class QuestionEntry:
    """
    One entry of a questions file.

    :param at: when to ask, seconds from the recording's first frame, or `AT_THE_END`
    :param question: the question's words
    :param id: name of the entry in the report; its position in the file by default
    :param answer: accepted answers; empty: not scored
    :param type: kind of question, in any words; those of one kind have a row of the report
    :param evidence: seconds between which the answer was to be seen
    :param choices: what may be answered, for the rate that guessing gives and for `--choices`
    :param budget: seconds the answer may take; None: no deadline
    :param lookback: seconds before `at` of which frames are read; None: all
    :param metric: what the answer is measured against, in place of accepted answers or beside them
    :param set: public set whose rule scores the answer, one of `SETS`, or empty; its choices are
        always given
    :param intervals: the stretches of `evidence`, where the answer was to be seen in several
    """

    at: float
    question: str
    id: str = ''
    answer: tuple[str, ...] = ()
    type: str = ''
    evidence: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    budget: float | None = None
    lookback: float | None = None
    metric: Metric | None = None
    set: str = ''
    intervals: tuple[tuple[float, float], ...] = ()

    @property
    def shown(self) -> tuple[tuple[float, float], ...]:
        """The stretches in which the answer was to be seen; none where that is not known."""
        return self.intervals or (() if self.evidence is None else (self.evidence,))


KEYS = (*(f.name for f in fields(QuestionEntry) if f.name != 'intervals'), 'answer_index')


def questions_beside(recording: Path) -> Path | None:
    """Find the questions file that lies beside a recording and has its name."""
    beside = (questions_file(recording, suffix) for suffix in FILE_SUFFIXES)
    return next((file for file in beside if file.exists()), None)


def questions_file(recording: Path, suffix: str = FILE_SUFFIXES[0]) -> Path:
    """Return the name of a recording's questions file."""
    return recording.with_name(stem_of(recording) + suffix)


class _Words(yaml.SafeLoader):
    """Reads yes, no, on and off as the words that they are in answers."""

    yaml_implicit_resolvers = {
        first: [(tag, form) for tag, form in forms if tag != 'tag:yaml.org,2002:bool']
        for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _yaml(text: str) -> Any:
    """Return what a text says; several documents in it are an error, as of `yaml.safe_load`."""
    words = _Words(text)
    try:
        return words.get_single_data()
    finally:
        words.dispose()


def read_questions(file: Path) -> tuple[list[QuestionEntry], list[str]]:
    """
    Read a questions file.

    :returns: the entries that can be used in order of time, and a message for each that cannot
    :raises BadInput: when the file is missing, does not parse or is no list
    """
    try:
        text = file.read_text(encoding='utf-8-sig')
        content = json.loads(text) if file.suffix == '.json' else _yaml(text)
    except OSError as error:
        raise BadInput(f'{file}: cannot be read: {error.strerror}') from error
    except UnicodeDecodeError as error:
        raise BadInput(f'{file}: not UTF-8 text: {error.reason} at byte {error.start}') from error
    except (yaml.YAMLError, json.JSONDecodeError) as error:
        kind = 'JSON' if file.suffix == '.json' else 'YAML'
        raise BadInput(f'{file}: not {kind}: {" ".join(str(error).split())}') from error
    if not isinstance(content, list):
        raise BadInput(
            f'{file}: expected a list of questions, each with {", ".join(KEYS)}; '
            f'got {_describe(content)}'
        )
    entries, refused, seen = [], [], set[str]()
    for position, given in enumerate(content, start=1):
        name = f'question {position}'
        try:
            asked = _entries(given, default_id=str(position))
            name = f'question {asked[0].id!r}'
            if not seen.isdisjoint(entry.id for entry in asked):
                raise BadInput('id is used by an entry before it; expected one id an entry')
            seen.update(entry.id for entry in asked)
            entries += asked
        except BadInput as problem:
            if isinstance(given, dict) and given.get('id') is not None:
                name = f'question {given["id"]!r}'
            refused.append(f'{file}: {name}: {problem}')
    return sorted(entries, key=lambda entry: entry.at), refused


def write_questions(file: Path, entries: Iterable[QuestionEntry]) -> None:
    """Write a questions file that `read_questions` reads back; empty fields are left out."""
    content = [
        {key: value for key in KEYS if (value := _given(entry, key)) not in ('', [], None)}
        for entry in entries
    ]
    text = yaml.safe_dump(content, sort_keys=False, width=200, allow_unicode=True)
    file.write_text(text, encoding='utf-8')


def _given(entry: QuestionEntry, key: str) -> Any:
    """Return a key's value as a questions file has it."""
    if key == 'metric':
        return None if entry.metric is None else entry.metric.given()
    if key == 'evidence' and entry.intervals:
        return [list(interval) for interval in entry.intervals]
    value = getattr(entry, key, None)
    return list(value) if isinstance(value, tuple) else value


def _entries(given: Any, *, default_id: str) -> list[QuestionEntry]:
    """Read an entry, once for each of its times."""
    if not isinstance(given, dict) or not isinstance(times := given.get('at'), list):
        return [_entry(given, default_id=default_id)]
    if not times:
        raise BadInput('at is an empty list; expected seconds, or several of them')
    read = [_entry({**given, 'at': at}, default_id=default_id) for at in times]
    return [replace(entry, id=f'{entry.id}@{number}') for number, entry in enumerate(read, 1)]


def _entry(given: Any, *, default_id: str) -> QuestionEntry:
    if not isinstance(given, dict):
        raise BadInput(f'expected keys {", ".join(KEYS)}; got {_describe(given)}')
    unknown = [str(key) for key in given if key not in KEYS]
    if unknown:
        raise BadInput(f'unknown key {", ".join(unknown)}; expected {", ".join(KEYS)}')
    missing = [key for key in ('at', 'question') if key not in given]
    if missing:
        raise BadInput(f'{" and ".join(missing)} missing; expected at least at and question')
    question = _text('question', given['question'])
    if not question.strip():
        raise BadInput('question is empty; expected words')
    of_set = _text('set', given.get('set', ''))
    if of_set and of_set not in SETS:
        raise BadInput(f'unknown set {of_set!r}; expected one of {", ".join(SETS)}')
    choices = _texts('choices', given.get('choices', ()))
    intervals = _intervals(given.get('evidence'))
    return QuestionEntry(
        at=_seconds('at', given['at']),
        question=question,
        id=default_id if given.get('id') is None else str(given['id']),
        answer=_accepted(given, choices),
        type=' '.join(_text('type', given.get('type', '')).split()),
        evidence=(intervals[0][0], max(last for _, last in intervals)) if intervals else None,
        choices=choices,
        budget=_length('budget', given.get('budget'), 'deadline'),
        lookback=_length('lookback', given.get('lookback'), 'limit'),
        metric=read_metric(given.get('metric')),
        set=of_set,
        intervals=intervals if len(intervals) > 1 else (),
    )


def _text(key: str, value: Any) -> str:
    if isinstance(value, bool):  # of JSON
        return 'yes' if value else 'no'
    if isinstance(value, str | int | float):
        return str(value)
    raise BadInput(f'{key} must be text, got {_describe(value)}')


def _texts(key: str, value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(_text(key, one) for one in values)


def _accepted(given: dict[str, Any], choices: tuple[str, ...]) -> tuple[str, ...]:
    """Return the accepted answers, or the choice that an index from 0 names."""
    index = given.get('answer_index')
    if index is None:
        return _answers(given.get('answer'))
    if given.get('answer') is not None:
        raise BadInput('answer and answer_index are both given; expected one of them')
    whole = isinstance(index, int) and not isinstance(index, bool)
    if not whole or not 0 <= index < len(choices):
        raise BadInput(
            f'answer_index must be the place of one of {len(choices)} choices, from 0; '
            f'got {_shown(index)}'
        )
    return (choices[index],)


def _answers(value: Any) -> tuple[str, ...]:
    answers = _texts('answer', () if value is None else value)
    if not all(answer.strip() for answer in answers):
        raise BadInput('answer is empty; leave it out where none is known')
    return answers


def _seconds(key: str, value: Any) -> float:
    if isinstance(value, str) and value.replace('.', '', 1).isdecimal():  # it was quoted
        value = float(value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0:
        raise BadInput(
            f'{key} must be seconds from the first frame, 0 or more, got {_shown(value)}'
        )
    return float(value)


def _intervals(value: Any) -> tuple[tuple[float, float], ...]:
    """Read one stretch of time, or several, in their order."""
    if value is None:
        return ()
    several = isinstance(value, list) and value and all(isinstance(one, list) for one in value)
    return tuple(sorted(map(_interval, value if several else [value])))


def _interval(value: Any) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise BadInput(f'evidence must be [from, to] in seconds, got {_shown(value)}')
    first, last = (_seconds('evidence', second) for second in value)
    if first > last:
        raise BadInput(f'evidence must end after it begins, got {value!r}')
    return first, last


def _length(key: str, value: Any, without: str) -> float | None:
    if value is None:
        return None
    seconds = _seconds(key, value)
    if seconds == 0:
        raise BadInput(f'{key} must be more than 0 seconds; leave it out for no {without}')
    return seconds


def _shown(value: Any) -> str:
    return _describe(value) if isinstance(value, dict | list) else repr(value)


def _describe(value: Any) -> str:
    if isinstance(value, dict | list):  # not its text: anchors may stand for gigabytes of it
        return f'{type(value).__name__} of {len(value)}'
    return 'nothing' if value is None else f'{type(value).__name__} {str(value)[:60]!r}'
