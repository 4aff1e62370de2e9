# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
import math
from types import SimpleNamespace

import pytest

from livevlm_ros.engine import EngineConfig
from livevlm_ros.engine.messages import Answer, Latency, Status
from livevlm_ros.engine.slot import Dropped
from livevlm_ros.memory import MemorySizes
from livevlm_ros.replay.outcome import Evaluation, MemorySample, Outcome
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.report import Report, build_report, percentiles, rate

STABLE = {
    'source': {'path', 'frames', 'seconds'},
    'model': None,
    'preset': None,
    'accuracy': {'overall', 'by_type', 'by_age'},
    'evidence': {'n', 'hit', 'rate'},
    'false_memory': {'n', 'wrong', 'rate'},
    'latency_ms': {'first_token', 'total'},
    'deadline': {'met', 'missed'},
    'ingest': {'frames_in', 'frames_used', 'frames_dropped', 'dropped_by', 'fps'},
    'memory': {
        'short_term_tokens',
        'long_term_tokens',
        'archive_tokens',
        'device_bytes',
        'read_bytes',
        'host_bytes',
        'disk_bytes',
        'full_cache_bytes',
    },
    'cap': {'context_seconds', 'accuracy', 'first_token_p95_ms'},
}


def outcome(
    given: str = 'red',
    *answer: str,
    id: str = '1',
    type: str = 'color_of',
    age: int | None = None,
    choices: tuple[str, ...] = (),
    hit: bool | None = None,
    chance: float = 0.25,
    budget: float | None = None,
    total_ms: float = 10.0,
) -> Outcome:
    entry = QuestionEntry(
        at=9.0,
        question='q',
        id=id,
        answer=answer,
        type=type,
        choices=choices,
        budget=budget,
        evidence=None if hit is None else (2.0, 3.0),
    )
    reply = Answer(
        status=Status.OK,
        text=given,
        completion_tokens=1,
        latency=Latency(first_token_ms=total_ms / 2, total_ms=total_ms),
    )
    return Outcome('bag', entry, reply, (2.5,) if hit else (8.0,), age, chance)


def report(*outcomes: Outcome, memory: tuple[MemorySample, ...] = (), frames: int = 10) -> Report:
    evaluation = Evaluation(
        frames=frames,
        seconds=9.0,
        recordings=['bag'],
        outcomes=list(outcomes),
        memory=list(memory),
        ingest_s=2.0,
    )
    stats = SimpleNamespace(
        model=SimpleNamespace(model_id='tiny'),
        frames_in=10,
        frames_used=6,
        dropped=Dropped(rate=3, bad=1),
    )
    return build_report(evaluation, stats, EngineConfig(), path='x.mcap', seconds=4.0)


def test_the_stable_keys_are_there() -> None:
    made = report(outcome('red', 'red'))
    for key, inner in STABLE.items():
        assert key in made
        assert inner is None or inner <= made[key].keys(), key
    for row in (made['accuracy']['overall'], *made['accuracy']['by_age'].values()):
        assert {'n', 'correct', 'rate'} <= row.keys()
    assert list(made['accuracy']['by_age']) == ['<=16', '<=64', '<=256', '<=1024', '>1024']
    for latency in made['latency_ms'].values():
        assert latency.keys() == {'p50', 'p95', 'p99', 'max'}
    assert made['ingest']['dropped_by'].keys() == {'rate', 'newer', 'gate', 'bad'}


def test_a_report_without_questions_is_plain_json() -> None:
    made = json.loads(json.dumps(report(), allow_nan=False))
    assert made['accuracy']['overall'] == {'n': 0, 'correct': 0, 'rate': None, 'se': None}


def test_a_rate_has_its_binomial_standard_error() -> None:
    assert rate(90, 100) == {'n': 100, 'correct': 90, 'rate': 0.9, 'se': pytest.approx(0.03)}


def test_answers_are_right_when_words_match_without_case_and_articles() -> None:
    made = report(
        outcome('The Left', 'left'),
        outcome('on the left', 'left', 'on left'),
        outcome('leftish', 'left'),
        outcome('', 'left'),
        outcome('left'),
    )
    assert made['accuracy']['overall']['n'] == 4, 'without an accepted answer nothing is scored'
    assert made['accuracy']['overall']['correct'] == 2


def test_chance_is_the_accepted_share_of_the_choices() -> None:
    made = report(
        outcome('x', 'a', 'b', choices=('a', 'b', 'c', 'd')),
        outcome('x', 'a', choices=('a', 'b', 'c', 'd')),
    )
    assert made['accuracy']['by_type']['color_of']['chance'] == pytest.approx(0.375)


def test_without_all_choices_chance_is_unknown() -> None:
    made = report(outcome('x', 'a', choices=('a', 'b')), outcome('x', 'a'))
    assert made['accuracy']['by_type']['color_of']['chance'] is None


def test_majority_is_the_rate_of_the_commonest_accepted_answer() -> None:
    made = report(outcome('x', 'a'), outcome('x', 'b'), outcome('x', 'b', 'c'))
    assert made['accuracy']['by_type']['color_of']['majority'] == pytest.approx(2 / 3)


def test_ages_fall_into_their_buckets() -> None:
    made = report(*(outcome('a', 'a', age=age) for age in (1, 16, 17, 64, 65, 256, 1024, 1025)))
    counts = {name: row['n'] for name, row in made['accuracy']['by_age'].items()}
    assert counts == {'<=16': 2, '<=64': 2, '<=256': 2, '<=1024': 1, '>1024': 1}


def test_exists_is_balanced_between_yes_and_no() -> None:
    made = report(
        *(outcome('yes', 'yes', id=f'exists-yes-{n}', type='exists') for n in range(3)),
        outcome('no', 'no', id='exists-easy_no-9', type='exists'),
        outcome('yes', 'no', id='exists-hard_no-8', type='exists'),
    )
    accuracy = made['accuracy']
    assert accuracy['exists_balanced']['rate'] == pytest.approx(0.75)
    assert accuracy['exists_balanced']['se'] == pytest.approx(math.sqrt(0.5 * 0.5 / 2) / 2)
    rates = {name: row['rate'] for name, row in accuracy['by_variant'].items()}
    assert rates == {'exists/yes': 1.0, 'exists/easy_no': 1.0, 'exists/hard_no': 0.0}


def test_always_saying_no_is_worth_half() -> None:
    made = report(
        outcome('no', 'yes', type='exists'), *(outcome('no', 'no', type='exists') for _ in 'abc')
    )
    assert made['accuracy']['exists_balanced']['rate'] == 0.5


def test_false_memory_is_a_claim_to_have_seen_what_was_not_there() -> None:
    made = report(
        outcome('red', 'never'),
        outcome('never', 'never'),
        outcome('', 'never'),
        outcome('yes', 'no', type='exists'),
        outcome('no', 'no', type='exists'),
        outcome('red', 'no', type='exists'),
        outcome('blue', 'red'),
    )
    false_memory = made['false_memory']
    assert (false_memory['n'], false_memory['wrong']) == (6, 2)
    assert false_memory['rate'] == pytest.approx(1 / 3)


def test_evidence_of_the_past_leaves_out_what_is_in_view() -> None:
    made = report(
        outcome('a', 'a', hit=True, age=1),
        outcome('a', 'a', hit=False, age=9),
        outcome('a', 'a', hit=True, age=9),
        outcome('a', 'a'),
    )
    evidence = made['evidence']
    assert (evidence['n'], evidence['hit']) == (3, 2)
    assert (evidence['past']['n'], evidence['past']['hit']) == (2, 1)
    assert evidence['past']['chance'] == 0.25


def test_deadlines_count_only_questions_with_a_budget() -> None:
    made = report(
        outcome(budget=0.02, total_ms=19.0), outcome(budget=0.02, total_ms=21.0), outcome()
    )
    assert made['deadline'] == {'met': 1, 'missed': 1}


def test_latency_percentiles() -> None:
    made = report(*(outcome(total_ms=float(n)) for n in range(1, 102)))
    assert made['latency_ms']['total'] == {'p50': 51.0, 'p95': 96.0, 'p99': 100.0, 'max': 101.0}
    assert made['cap']['first_token_p95_ms'] == 48.0
    assert percentiles([]) == {'p50': None, 'p95': None, 'p99': None, 'max': None}


def test_frames_in_are_used_or_dropped() -> None:
    ingest = report()['ingest']
    assert ingest['frames_in'] == ingest['frames_used'] + ingest['frames_dropped'] == 10
    assert ingest['dropped_by'] == {'rate': 3, 'newer': 0, 'gate': 0, 'bad': 1}
    assert ingest['fps'] == 3.0


def test_frames_that_the_engine_did_not_count_are_told() -> None:
    assert report()['warnings'] == []
    (warning,) = report(frames=12)['warnings']
    assert warning == '12 frames were read, but the engine counted 10'


def test_memory_reports_the_largest_sizes_met() -> None:
    def sample(tokens: int, read: int, context_s: float) -> MemorySample:
        sizes = MemorySizes(
            short_term_tokens=tokens,
            long_term_tokens=0,
            archive_tokens=0,
            device_bytes=70,
            read_bytes=read,
            host_bytes=0,
            disk_bytes=0,
            full_cache_bytes=99,
            short_term_frames=1,
            frames=1,
            evictions=0,
            context_truncated=read == 20,
        )
        return MemorySample('bag', 1.0, context_s, sizes)

    made = report(memory=(sample(9, 20, 15.0), sample(18, 10, 7.0)))
    assert made['memory']['short_term_tokens'] == 18 and made['memory']['read_bytes'] == 20
    assert made['memory']['context_truncated'] is True
    assert made['cap']['context_seconds'] == 15.0
