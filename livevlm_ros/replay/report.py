# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The report of an evaluation: rates with their sample sizes, and what they cost.

Two runs of the same evaluation give the same report but for the keys in `TIMED`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from livevlm_ros.engine.messages import Status
from livevlm_ros.engine.percentiles import Percentiles
from livevlm_ros.replay.absence import absence_curve
from livevlm_ros.replay.accuracy import Report, accuracy_of, groups, mean, rate
from livevlm_ros.replay.counts import Counts
from livevlm_ros.replay.outcome import Evaluation, Outcome, accepted
from livevlm_ros.replay.reliability import reliability
from livevlm_ros.replay.set_rules import measured, set_scores

if TYPE_CHECKING:  # it brings torch
    from livevlm_ros.engine import EngineConfig, EngineStats

TIMED = (
    'latency_ms',
    'deadline',
    'ingest.fps',
    'cap.first_token_p95_ms',
    'recall.exposed_ms',
    'recall.hidden_ms',
    'seconds_taken',
)
"""Keys that differ between two runs."""

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
NOTHING_MEASURED = 3
"""Exit code of a command whose report has no number that means anything."""

LEFT_OUT = 4
"""Exit code of a command whose report is of fewer recordings than there are."""

RECALL_KEYS = (
    'questions',
    'questions_corrected',
    'speculated',
    'corrected',
    'correction_rate',
    'exposed_ms',
    'hidden_ms',
)
STRANGE_SHARE = 0.1
"""Share of frames unlike what the checkpoint knows that a report warns of."""


def build_report(
    evaluation: Evaluation,
    stats: EngineStats,
    config: EngineConfig,
    *,
    path: str,
    seconds: float,
    name: str = '',
    oracle: bool = False,
    alone: bool = False,
) -> Report:
    """
    Compute the report of an evaluation by one engine.

    :param evaluation: what was replayed and answered
    :param stats: the engine's statistics at the end
    :param config: the engine's configuration
    :param path: what was evaluated, as the user gave it
    :param seconds: seconds the whole replay took
    :param name: as `report_head`
    :param oracle: as `report_head`
    :param alone: as `report_head`
    :returns: as `report_of`
    """
    head = report_head(config, name=name, oracle=oracle, alone=alone)
    return report_of(evaluation, Counts.of(stats), head, path=path, seconds=seconds)


def report_head(
    config: EngineConfig, *, name: str = '', oracle: bool = False, alone: bool = False
) -> Report:
    """
    Say which model and settings a report is of.

    :param name: what the run is called beside others; by default its preset
    :param oracle: an oracle chose what was read
    :param alone: no frame was read
    """
    return {
        'model': config.model.path,
        'name': name or config.memory.preset,
        'preset': config.memory.preset,
        'gives_up': config.memory.gives_up,
        'settings': {**_settings(config), 'oracle': oracle, 'alone': alone},
    }


def report_of(
    evaluation: Evaluation, counts: Counts, head: Report, *, path: str, seconds: float
) -> Report:
    """
    Compute the report.

    :param evaluation: what was replayed and answered
    :param counts: what engines counted meanwhile
    :param head: as `report_head` makes it
    :param path: what was evaluated, as the user gave it
    :param seconds: seconds the whole replay took
    :returns: the stable keys of the report format, and keys that explain them
    """
    outcomes = evaluation.outcomes
    scored = [outcome for outcome in outcomes if outcome.correct is not None]
    latency = _latency(outcomes)
    accuracy = accuracy_of(scored)
    nothing = _nothing_measured(evaluation, counts)
    return {
        'source': {
            'path': path,
            'recordings': len(evaluation.recordings),
            'left_out': evaluation.left_out,
            'frames': evaluation.frames,
            'seconds': round(evaluation.seconds, 6),
        },
        **head,
        'model': counts.model_id or head['model'],
        'accuracy': accuracy,
        'sets': set_scores(outcomes),
        'measured': measured(outcomes),
        'evidence': _evidence(outcomes),
        'false_memory': _false_memory(scored),
        'confidence': reliability(outcomes),
        'not_seen': _not_seen(outcomes),
        'absence': absence_curve(outcomes),
        'latency_ms': latency,
        'deadline': {
            'met': sum(outcome.in_time is True for outcome in outcomes),
            'missed': sum(outcome.in_time is False for outcome in outcomes),
        },
        'ingest': _ingest(evaluation, counts),
        'memory': _memory(evaluation),
        'recall': _recall(counts),
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
        'warnings': [
            *evaluation.warnings,
            *_miscounts(evaluation, counts),
            *_losses(counts),
            *_strangers(counts),
            *([nothing] if nothing else []),
        ],
        'nothing_measured': nothing,
        'seconds_taken': round(seconds, 3),
        'answers': [_answer(outcome) for outcome in outcomes],
    }


def _evidence(outcomes: Sequence[Outcome]) -> Report:
    checked = [outcome for outcome in outcomes if outcome.evidence_hit is not None]
    past = [outcome for outcome in checked if outcome.age is not None and outcome.age > 1]

    def hits(group: Sequence[Outcome]) -> Report:
        row = rate(sum(outcome.evidence_hit is True for outcome in group), len(group), key='hit')
        return {**row, 'chance': mean([outcome.evidence_chance or 0.0 for outcome in group])}

    by_type = groups(checked, lambda outcome: outcome.entry.type or 'untyped')
    return {
        **hits(checked),
        'past': hits(past),
        'by_type': {kind: hits(group) for kind, group in sorted(by_type.items())},
    }


def _false_memory(scored: Sequence[Outcome]) -> Report:
    """Count claims to have seen what was not there."""
    absent = [outcome for outcome in scored if outcome.absent]
    wrong = sum(outcome.claims_absent and not outcome.correct for outcome in absent)
    return rate(wrong, len(absent), key='wrong')


def _not_seen(outcomes: Sequence[Outcome]) -> Report:
    """Count answers that were not sure enough, and what their best guesses would have been."""
    unsure = [o for o in outcomes if o.answer.status == Status.NOT_SEEN]
    guessed = [o for o in unsure if o.entry.answer and accepted(o.answer, o.entry)]
    return {
        'n': len(unsure),
        'right': sum(outcome.correct is True for outcome in unsure),
        'right_guesses': len(guessed),
    }


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
    return asdict(Percentiles.of(values))


def _ingest(evaluation: Evaluation, counts: Counts) -> Report:
    return {
        'frames_in': counts.frames_in,
        'frames_used': counts.frames_used,
        'frames_dropped': counts.dropped.total,
        'dropped_by': asdict(counts.dropped),
        'fps': counts.frames_used / evaluation.ingest_s if evaluation.ingest_s else None,
        'tokens_read': counts.tokens.share_read,
    }


def _miscounts(evaluation: Evaluation, counts: Counts) -> list[str]:
    """Say it when frames were lost on the way into the engine."""
    if evaluation.frames == counts.frames_in:
        return []
    return [f'{evaluation.frames} frames were read, but the engine counted {counts.frames_in}']


def _losses(counts: Counts) -> list[str]:
    """Say it when the archive does not have all it should."""
    lost = counts.archive_lost
    return [
        *([f'{lost} frames could not be archived: see the log'] if lost else ()),
        *(
            ["the archive's file could not grow: older frames were thinned"]
            if counts.disk_lost
            else ()
        ),
    ]


def _strangers(counts: Counts) -> list[str]:
    """Say it when pictures are outside what the checkpoint knows."""
    if counts.strangers <= STRANGE_SHARE * counts.frames_used:
        return []
    name = counts.model_id or 'the checkpoint'
    return [
        f'{counts.strangers} of {counts.frames_used} pictures are outside what {name} knows: what '
        'it says of them has no confidence; --model loads other weights'
    ]


def _nothing_measured(evaluation: Evaluation, counts: Counts) -> str:
    """Say why no number of the report means anything; empty if frames and questions were used."""
    asked = evaluation.outcomes
    if not counts.frames_used:
        dropped = asdict(counts.dropped)
        reasons = ', '.join(f'{name} {count}' for name, count in dropped.items() if count)
        return (
            f'no frame was used of {counts.frames_in}, dropped: {reasons or "none"}'
            f'{f"; such as {counts.last_error}" if counts.last_error else ""}'
        )
    if not asked and evaluation.outside:
        bad = counts.dropped.bad
        cause = f'; {bad} bad frames, such as {counts.last_error}' if bad else ''
        return f'no question was asked: {evaluation.outside} outside the recording{cause}'
    if not asked:
        return 'no question was asked: expected --ask or a questions file with some'
    if asked and all(outcome.answer.status == Status.INVALID for outcome in asked):
        return f'no question was answered of {len(asked)}; such as {asked[0].answer.message}'
    return ''


def _memory(evaluation: Evaluation) -> Report:
    """Return the largest sizes met."""
    sizes = [sample.sizes for sample in evaluation.memory]
    largest: Report = {
        key: max((getattr(size, key) for size in sizes), default=0) for key in MEMORY_KEYS
    }
    largest['context_truncated'] = any(size.context_truncated for size in sizes)
    return largest


def _recall(counts: Counts) -> Report:
    """Say what choosing ahead did in the whole run, and what of it questions waited for."""
    recall = counts.recall
    if recall is None:
        return dict.fromkeys(RECALL_KEYS)
    return {
        'questions': recall.questions,
        'questions_corrected': recall.questions_corrected,
        'speculated': recall.speculated,
        'corrected': recall.corrected,
        'correction_rate': recall.correction_rate if recall.speculated else None,
        'exposed_ms': recall.exposed_s * 1e3,
        'hidden_ms': recall.hidden_s * 1e3,
    }


def _settings(config: EngineConfig) -> Report:
    return {
        'dtype': config.model.dtype,
        'weights': config.model.weights,
        'image_tokens': config.model.image_tokens,
        'device': config.model.device,
        'threads': config.torch_threads,
        'target_fps': config.target_fps,
        'gate': config.gate,
        'gate_similarity': config.gate_similarity,
        'gate_heartbeat_s': config.gate_heartbeat_s,
        'skip_static': config.skip_static,
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
        'metric': entry.metric and entry.metric.given(),
        'given': answer.text,
        'status': Status(answer.status).name,
        'message': answer.message,
        'confidence': answer.confidence,
        'doubt': answer.doubt,
        'correct': outcome.correct,
        'error': outcome.error,
        'age': outcome.age,
        'evidence': list(outcome.evidence_s),
        'evidence_hit': outcome.evidence_hit,
    }
