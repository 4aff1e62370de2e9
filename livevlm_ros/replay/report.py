# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The report of an evaluation: rates with their sample sizes, and what they cost.

Two runs of the same evaluation give the same report but for the keys in `TIMED`. Beside each rate
by kind stand its standard error, the rate of guessing among the choices, and the rate of always
giving the kind's commonest answer.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from livevlm_ros.engine.messages import Status
from livevlm_ros.replay.outcome import Evaluation, Outcome

if TYPE_CHECKING:  # it brings torch
    from livevlm_ros.engine import EngineConfig, EngineStats

TIMED = ('latency_ms', 'deadline', 'ingest.fps', 'cap.first_token_p95_ms', 'seconds_taken')
"""Keys that differ between two runs."""

AGES = (16, 64, 256, 1024)
MEMORY_KEYS = (
    'short_term_tokens',
    'long_term_tokens',
    'archive_tokens',
    'device_bytes',
    'read_bytes',
    'host_bytes',
    'disk_bytes',
    'full_cache_bytes',
)
ABSENT = ('never', 'no')

Report = dict[str, Any]


def build_report(
    evaluation: Evaluation, stats: EngineStats, config: EngineConfig, *, path: str, seconds: float
) -> Report:
    """
    Compute the report.

    :param evaluation: what was replayed and answered
    :param stats: the engine's statistics at the end
    :param config: the engine's configuration
    :param path: what was evaluated, as the user gave it
    :param seconds: seconds the whole replay took
    :returns: the stable keys of the report format, and keys that explain them
    """
    outcomes = evaluation.outcomes
    scored = [outcome for outcome in outcomes if outcome.correct is not None]
    latency = _latency(outcomes)
    accuracy = _accuracy(scored)
    return {
        'source': {
            'path': path,
            'recordings': len(evaluation.recordings),
            'frames': evaluation.frames,
            'seconds': round(evaluation.seconds, 6),
        },
        'model': stats.model.model_id if stats.model else config.model.path,
        'preset': config.memory.preset,
        'settings': _settings(config),
        'accuracy': accuracy,
        'evidence': _evidence(outcomes),
        'false_memory': _false_memory(scored),
        'latency_ms': latency,
        'deadline': {
            'met': sum(outcome.in_time is True for outcome in outcomes),
            'missed': sum(outcome.in_time is False for outcome in outcomes),
        },
        'ingest': _ingest(evaluation, stats),
        'memory': _memory(evaluation),
        'cap': {
            'context_seconds': max((s.context_s for s in evaluation.memory), default=0.0),
            'accuracy': accuracy['overall']['rate'],
            'first_token_p95_ms': latency['first_token']['p95'],
        },
        'questions': {
            'asked': len(outcomes),
            'scored': len(scored),
            'refused': evaluation.refused,
            'outside': evaluation.outside,
            'statuses': dict(Counter(Status(o.answer.status).name for o in outcomes)),
        },
        'skipped_messages': dict(evaluation.skipped),
        'warnings': [*evaluation.warnings, *_miscounts(evaluation, stats)],
        'seconds_taken': round(seconds, 3),
        'answers': [_answer(outcome) for outcome in outcomes],
    }


def rate(hits: int, n: int, *, key: str = 'correct') -> Report:
    """Return a rate with sample size and binomial standard error; None without samples."""
    if not n:
        return {'n': 0, key: 0, 'rate': None, 'se': None}
    share = hits / n
    return {'n': n, key: hits, 'rate': share, 'se': math.sqrt(share * (1 - share) / n)}


def _right(outcomes: Sequence[Outcome]) -> Report:
    return rate(sum(outcome.correct is True for outcome in outcomes), len(outcomes))


def _accuracy(scored: Sequence[Outcome]) -> Report:
    by_type = _groups(scored, lambda outcome: outcome.entry.type or 'untyped')
    by_variant = _groups(
        (outcome for outcome in scored if outcome.variant),
        lambda outcome: f'{outcome.entry.type}/{outcome.variant}',
    )
    by_age = _groups(scored, age_bucket)
    names = [*(f'<={age}' for age in AGES), f'>{AGES[-1]}']
    accuracy = {
        'overall': _right(scored),
        'by_type': {
            kind: {**_right(group), 'chance': _chance(group), 'majority': _majority(group)}
            for kind, group in sorted(by_type.items())
        },
        'by_variant': {name: _right(group) for name, group in sorted(by_variant.items())},
        'by_age': {name: _right(by_age.get(name, [])) for name in names},
    }
    if 'exists' in by_type:
        accuracy['exists_balanced'] = _balanced(by_type['exists'])
    return accuracy


def _balanced(outcomes: Sequence[Outcome]) -> Report:
    """Return the mean of the rates where the truth is yes and where it is no."""
    sides = [
        _right([outcome for outcome in outcomes if ('yes' in outcome.entry.answer) is truth])
        for truth in (True, False)
    ]
    if not all(side['n'] for side in sides):
        return {'n': len(outcomes), 'rate': None, 'se': None}
    return {
        'n': len(outcomes),
        'rate': sum(side['rate'] for side in sides) / 2,
        'se': math.hypot(*(side['se'] for side in sides)) / 2,
    }


def _chance(outcomes: Sequence[Outcome]) -> float | None:
    """Return the mean share of accepted among the choices; None where choices are missing."""
    shares = [
        len(set(outcome.entry.choices) & set(outcome.entry.answer)) / len(outcome.entry.choices)
        for outcome in outcomes
        if outcome.entry.choices
    ]
    return _mean(shares) if len(shares) == len(outcomes) else None


def _majority(outcomes: Sequence[Outcome]) -> float:
    """Return the rate of the one answer that is accepted most often."""
    accepted = Counter(answer for outcome in outcomes for answer in set(outcome.entry.answer))
    return accepted.most_common(1)[0][1] / len(outcomes)


def _evidence(outcomes: Sequence[Outcome]) -> Report:
    checked = [outcome for outcome in outcomes if outcome.evidence_hit is not None]
    past = [outcome for outcome in checked if outcome.age is not None and outcome.age > 1]

    def hits(group: Sequence[Outcome]) -> Report:
        row = rate(sum(outcome.evidence_hit is True for outcome in group), len(group), key='hit')
        return {**row, 'chance': _mean([outcome.evidence_chance or 0.0 for outcome in group])}

    by_type = _groups(checked, lambda outcome: outcome.entry.type or 'untyped')
    return {
        **hits(checked),
        'past': hits(past),
        'by_type': {kind: hits(group) for kind, group in sorted(by_type.items())},
    }


def _false_memory(scored: Sequence[Outcome]) -> Report:
    """Count claims to have seen what was not there: other than never, and yes where it is no."""
    absent = [o for o in scored if any(answer in ABSENT for answer in o.entry.answer)]
    wrong = [
        outcome
        for outcome in absent
        if not outcome.correct
        and outcome.answer.text
        and ('never' in outcome.entry.answer or outcome.answer.text.strip().lower() == 'yes')
    ]
    return rate(len(wrong), len(absent), key='wrong')


def _latency(outcomes: Sequence[Outcome]) -> Report:
    answered = [outcome.answer.latency for outcome in outcomes if outcome.answer.completion_tokens]
    return {
        'first_token': percentiles([latency.first_token_ms for latency in answered]),
        'total': percentiles([latency.total_ms for latency in answered]),
    }


def percentiles(values: Sequence[float]) -> Report:
    """Return p50, p95, p99 and max; None without values."""
    if not values:
        return dict.fromkeys(('p50', 'p95', 'p99', 'max'))
    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    return {'p50': float(p50), 'p95': float(p95), 'p99': float(p99), 'max': max(values)}


def _ingest(evaluation: Evaluation, stats: EngineStats) -> Report:
    dropped = stats.dropped
    return {
        'frames_in': stats.frames_in,
        'frames_used': stats.frames_used,
        'frames_dropped': dropped.total,
        'dropped_by': {f.name: getattr(dropped, f.name) for f in fields(dropped)},
        'fps': stats.frames_used / evaluation.ingest_s if evaluation.ingest_s else None,
    }


def _miscounts(evaluation: Evaluation, stats: EngineStats) -> list[str]:
    """Say it when frames were lost on the way into the engine."""
    if evaluation.frames == stats.frames_in:
        return []
    return [f'{evaluation.frames} frames were read, but the engine counted {stats.frames_in}']


def _memory(evaluation: Evaluation) -> Report:
    """Return the largest sizes met."""
    sizes = [sample.sizes for sample in evaluation.memory]
    largest: Report = {
        key: max((getattr(size, key) for size in sizes), default=0) for key in MEMORY_KEYS
    }
    largest['context_truncated'] = any(size.context_truncated for size in sizes)
    return largest


def _settings(config: EngineConfig) -> Report:
    return {
        'dtype': config.model.dtype,
        'device': config.model.device,
        'threads': config.torch_threads,
        'target_fps': config.target_fps,
        'seed': config.seed,
        **{f'memory.{f.name}': getattr(config.memory, f.name) for f in fields(config.memory)},
    }


def _answer(outcome: Outcome) -> Report:
    entry, answer = outcome.entry, outcome.answer
    return {
        'recording': outcome.recording,
        'id': entry.id,
        'type': entry.type,
        'at': entry.at,
        'question': entry.question,
        'expected': list(entry.answer),
        'given': answer.text,
        'status': Status(answer.status).name,
        'message': answer.message,
        'correct': outcome.correct,
        'age': outcome.age,
        'evidence': list(outcome.evidence_s),
        'evidence_hit': outcome.evidence_hit,
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def age_bucket(outcome: Outcome) -> str:
    """Return the key of `by_age` that an outcome belongs to, '' without an age."""
    if outcome.age is None:
        return ''
    return next((f'<={limit}' for limit in AGES if outcome.age <= limit), f'>{AGES[-1]}')


def _groups(
    outcomes: Iterable[Outcome], key: Callable[[Outcome], str]
) -> dict[str, list[Outcome]]:
    groups: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[key(outcome)].append(outcome)
    return groups
