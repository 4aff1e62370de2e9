# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a question must look like before the engine spends time on it."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import replace

from livevlm_ros.engine.config import MAX_ANSWER_TOKENS, EngineConfig
from livevlm_ros.engine.messages import NAME_CHARACTERS, Question

MAX_CHARACTERS = 2000
MAX_TEMPERATURE = 5.0
GREEDY_BELOW = 1e-6  # a temperature that divides logits into numbers that float32 cannot hold
MAX_EVIDENCE = 255
MAX_CHOICES = 64
MAX_CHOICE_CHARACTERS = 500
UNKNOWN_TOLD = 3  # names of unknown cameras in a refusal


class InvalidQuestion(ValueError):
    """A field is out of range: says which, what was given and what is allowed."""


def admissible(question: Question, config: EngineConfig) -> Question:
    """
    Return the question with defaults filled in and white space folded.

    :raises InvalidQuestion: for the first field that is out of range
    """
    _check_cameras(question.cameras, config.cameras)
    _check_times(question)
    temperature = _within(
        'temperature', question.temperature, config.temperature, 0.0, MAX_TEMPERATURE
    )
    return replace(
        question,
        text=_checked_text('question', question.text, most=MAX_CHARACTERS),
        choices=_checked_choices(question.choices),
        budget_s=_checked_budget_s(question, config),
        max_tokens=int(
            _within(
                'max_tokens', question.max_tokens, config.default_max_tokens, 1, MAX_ANSWER_TOKENS
            )
        ),
        min_confidence=_within(
            'min_confidence', question.min_confidence, config.min_confidence, 0.0, 1.0
        ),
        max_doubt=_within('max_doubt', question.max_doubt, config.max_doubt, 0.0, 1000.0),
        temperature=0.0 if temperature < GREEDY_BELOW else temperature,
        max_evidence=int(
            _within('max_evidence', question.max_evidence, config.max_evidence, 0, MAX_EVIDENCE)
        ),
    )


def _checked_choices(choices: tuple[str, ...]) -> tuple[str, ...]:
    """Return the choices with white space folded; of one there is nothing to choose."""
    if choices and not 2 <= len(choices) <= MAX_CHOICES:
        raise InvalidQuestion(f'choices: got {len(choices)}, expected 2 to {MAX_CHOICES}, or none')
    checked = tuple(
        _checked_text('choices', choice, most=MAX_CHOICE_CHARACTERS) for choice in choices
    )
    seen: dict[str, str] = {}
    for choice in checked:
        if (folded := choice.casefold()) in seen:
            raise InvalidQuestion(
                f'choices: got {seen[folded]!r} and {choice!r}, expected different ones'
            )
        seen[folded] = choice
    return checked


def _checked_text(field: str, text: str, *, most: int) -> str:
    if len(text) > most:
        raise InvalidQuestion(f'{field}: got {len(text)} characters, at most {most} are allowed')
    odd = [
        mark
        for mark in text
        if mark not in '\t\n\r' and unicodedata.category(mark) in ('Cc', 'Cs')
    ]
    if odd:
        raise InvalidQuestion(
            f'{field}: got control character or lone surrogate {odd[0]!r}, expected plain text'
        )
    words = ' '.join(text.split())
    if not words:
        expected = 'a question' if field == 'question' else 'words'
        raise InvalidQuestion(f'{field}: got an empty text, expected {expected}')
    return words


def _checked_budget_s(question: Question, config: EngineConfig) -> float:
    if question.unlimited:
        return math.inf
    if question.budget_s is None:
        return config.default_budget_s
    if math.isnan(question.budget_s) or question.budget_s < 0:
        raise InvalidQuestion(
            f'latency_budget: got {question.budget_s} s, expected a positive time'
        )
    return min(question.budget_s, config.max_budget_s)


def _check_cameras(given: tuple[str, ...], known: tuple[str, ...]) -> None:
    unknown = [camera for camera in given if camera not in known]
    if unknown:
        told = ', '.join(repr(camera[:NAME_CHARACTERS]) for camera in unknown[:UNKNOWN_TOLD])
        more = f' and {len(unknown) - UNKNOWN_TOLD} more' if len(unknown) > UNKNOWN_TOLD else ''
        raise InvalidQuestion(f'cameras: got {told}{more}, expected some of {", ".join(known)}')


def _check_times(question: Question) -> None:
    for field in ('time_start_ns', 'time_end_ns', 'as_of_ns', 'lookback_s'):
        given = getattr(question, field)
        if math.isnan(given) or given < 0:
            name = field.removesuffix('_ns').removesuffix('_s')
            raise InvalidQuestion(f'{name}: got {given}, expected 0 or a later time')
    if question.time_start_ns and question.lookback_s:
        raise InvalidQuestion('lookback: time_start is set too, expected one of them')
    begin_ns = question.time_start_ns
    end_ns = question.time_end_ns  # `as_of` may be an earlier stamp, after a clock was set back
    if end_ns and begin_ns > end_ns:
        raise InvalidQuestion(
            f'time_start: got {begin_ns / 1e9:.3f} s, after the end at {end_ns / 1e9:.3f} s'
        )


def _within(field: str, given: float | None, default: float, low: float, high: float) -> float:
    if given is None:
        return default
    if math.isnan(given) or not low <= given <= high:
        raise InvalidQuestion(f'{field}: got {given}, allowed is {low} to {high}')
    return given
