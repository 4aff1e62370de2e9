# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from types import SimpleNamespace

import pytest

from livevlm_ros.engine import EngineConfig
from livevlm_ros.engine.messages import Answer, Latency, Status
from livevlm_ros.engine.slot import CameraStats, Dropped
from livevlm_ros.engine.stats import TokenCounts
from livevlm_ros.memory import MemorySizes, RecallCounts
from livevlm_ros.replay.accuracy import Report
from livevlm_ros.replay.outcome import Evaluation, MemorySample, Outcome
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.report import build_report, percentiles

STABLE = {
    'source': {'path', 'frames', 'seconds', 'left_out'},
    'model': None,
    'name': None,
    'preset': None,
    'accuracy': {'overall', 'without_count', 'now', 'past', 'by_type', 'by_age'},
    'evidence': {'n', 'hit', 'rate'},
    'false_memory': {'n', 'wrong', 'rate'},
    'confidence': {'n', 'ece', 'se', 'bins'},
    'not_seen': {'n', 'right', 'right_guesses'},
    'latency_ms': {'first_token', 'total'},
    'deadline': {'met', 'missed'},
    'ingest': {'frames_in', 'frames_used', 'frames_dropped', 'dropped_by', 'fps', 'tokens_read'},
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
    'recall': {'questions', 'questions_corrected', 'speculated', 'corrected', 'correction_rate'},
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
    status: Status = Status.OK,
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
        status=status,
        text=given,
        completion_tokens=1,
        latency=Latency(first_token_ms=total_ms / 2, total_ms=total_ms),
    )
    return Outcome('bag', entry, reply, (2.5,) if hit else (8.0,), age, chance)


def report(
    *outcomes: Outcome,
    memory: tuple[MemorySample, ...] = (),
    frames: int = 10,
    held: SimpleNamespace | None = None,
    strangers: int = 0,
) -> Report:
    evaluation = Evaluation(
        frames=frames,
        seconds=9.0,
        recordings=['bag'],
        outcomes=list(outcomes),
        memory=list(memory),
        ingest_s=2.0,
    )
    stats = SimpleNamespace(
        memory=held,
        model=SimpleNamespace(model_id='tiny'),
        frames_in=10,
        frames_used=6,
        tokens=TokenCounts(shown=8, read=4),
        dropped=Dropped(rate=3, bad=1),
        strangers=strangers,
        cameras={},
        unknown_cameras=CameraStats(),
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
    assert made['ingest']['dropped_by'].keys() == {'rate', 'newer', 'gate', 'bad', 'paused'}


def test_a_report_without_questions_is_plain_json() -> None:
    made = json.loads(json.dumps(report(), allow_nan=False))
    assert made['accuracy']['overall'] == {'n': 0, 'correct': 0, 'rate': None, 'se': None}


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


def test_not_seen_is_right_where_nothing_was_to_be_seen() -> None:
    unsure = {'status': Status.NOT_SEEN}
    made = report(
        outcome('red', 'never', **unsure),
        outcome('yes', 'no', type='exists', **unsure),
        outcome('red', 'red', **unsure),
        outcome('blue', 'red', **unsure),
    )
    assert made['false_memory']['wrong'] == 0
    assert made['accuracy']['overall']['correct'] == 2
    assert made['not_seen'] == {'n': 4, 'right': 2, 'right_guesses': 1}


def test_pictures_outside_what_the_model_knows_are_told_of() -> None:
    assert report(outcome(), strangers=0)['warnings'] == []
    (warning,) = report(outcome(), strangers=5)['warnings']
    assert warning.startswith('5 of 6 pictures are outside what tiny knows')


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
    assert ingest['dropped_by'] == {'rate': 3, 'newer': 0, 'gate': 0, 'bad': 1, 'paused': 0}
    assert ingest['fps'] == 3.0
    assert ingest['tokens_read'] == 0.5


def test_frames_that_the_engine_did_not_count_are_told() -> None:
    assert report(outcome())['warnings'] == []
    (warning,) = report(outcome(), frames=12)['warnings']
    assert warning == '12 frames were read, but the engine counted 10'


def test_frames_that_the_archive_does_not_have_are_told() -> None:
    held = SimpleNamespace(recall=RecallCounts(), archive_lost=3, disk_lost=True)
    lost, full = report(outcome(), held=held)['warnings']
    assert lost.startswith('3 frames could not be archived') and 'file could not grow' in full


def test_what_choosing_ahead_did_is_told() -> None:
    counts = RecallCounts(
        speculated=8,
        corrected=2,
        questions=4,
        questions_corrected=1,
        exposed_s=0.25,
        hidden_s=0.5,
    )
    held = SimpleNamespace(recall=counts, archive_lost=0, disk_lost=False)
    assert report(held=held)['recall'] == {
        'questions': 4,
        'questions_corrected': 1,
        'speculated': 8,
        'corrected': 2,
        'correction_rate': 0.25,
        'exposed_ms': 250.0,
        'hidden_ms': 500.0,
    }


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


def test_settings_name_the_frame_gate_and_what_the_preset_gives_up() -> None:
    made = report()
    settings, default = made['settings'], EngineConfig()
    gate = [settings[name] for name in ('gate', 'gate_similarity', 'gate_heartbeat_s')]
    assert gate == [default.gate, default.gate_similarity, default.gate_heartbeat_s]
    assert made['gives_up'] == default.memory.gives_up and settings['oracle'] is False


def test_a_run_is_called_as_its_preset_where_it_has_no_name() -> None:
    assert report()['name'] == report()['preset'] == EngineConfig().memory.preset
