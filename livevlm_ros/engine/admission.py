# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a question must look like before the engine spends time on it."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import replace

from livevlm_ros.engine.config import MAX_ANSWER_TOKENS, EngineConfig
from livevlm_ros.engine.messages import Question, Scope

MAX_CHARACTERS = 2000
MAX_TEMPERATURE = 5.0
MAX_EVIDENCE = 255
_SCOPES = (Scope.AUTO, Scope.SHORT_TERM)


class InvalidQuestion(ValueError):
    """A field is out of range: says which, what was given and what is allowed."""


def admissible(question: Question, config: EngineConfig) -> Question:
    """
    Return the question with defaults filled in and white space folded.

    :raises InvalidQuestion: for the first field that is out of range
    """
    return replace(
        question,
        text=_checked_text(question.text),
        budget_s=_checked_budget_s(question, config),
        max_tokens=int(
            _within(
                'max_tokens', question.max_tokens, config.default_max_tokens, 1, MAX_ANSWER_TOKENS
            )
        ),
        temperature=_within(
            'temperature', question.temperature, config.temperature, 0.0, MAX_TEMPERATURE
        ),
        max_evidence=int(
            _within('max_evidence', question.max_evidence, config.max_evidence, 0, MAX_EVIDENCE)
        ),
        scope=_checked_scope(question.scope),
    )


def _checked_text(text: str) -> str:
    if len(text) > MAX_CHARACTERS:
        raise InvalidQuestion(
            f'question: got {len(text)} characters, at most {MAX_CHARACTERS} are allowed'
        )
    odd = [
        mark
        for mark in text
        if mark not in '\t\n\r' and unicodedata.category(mark) in ('Cc', 'Cs')
    ]
    if odd:
        raise InvalidQuestion(
            f'question: got control character or lone surrogate {odd[0]!r}, expected plain text'
        )
    words = ' '.join(text.split())
    if not words:
        raise InvalidQuestion('question: got an empty text, expected a question')
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


def _checked_scope(scope: Scope) -> Scope:
    if scope not in _SCOPES:
        allowed = ', '.join(f'{known.name} ({known.value})' for known in _SCOPES)
        raise InvalidQuestion(f'memory_scope: got {scope!r}, only {allowed} are built')
    return scope


def _within(field: str, given: float | None, default: float, low: float, high: float) -> float:
    if given is None:
        return default
    if math.isnan(given) or not low <= given <= high:
        raise InvalidQuestion(f'{field}: got {given}, allowed is {low} to {high}')
    return given
