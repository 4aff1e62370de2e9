# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_ros.engine.messages import ANSWERED, Question
from livevlm_ros.replay.evaluate import evaluate
from livevlm_ros.replay.oracle import alone_of, oracle_of, truth_filter
from livevlm_ros.replay.procedure import Procedure
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.recording_time import Moments
from livevlm_ros.replay.rows import BASELINES, read_rows

FIRST_NS = 1_764_000_000_123_456_789
MOMENTS = Moments()
MOMENTS.note(FIRST_NS, 0)


def test_the_truth_is_the_frames_of_its_interval_and_no_others() -> None:
    entry = QuestionEntry(at=9.0, question='q', evidence=(2.1, 3.3))
    reading = truth_filter(entry, MOMENTS)
    assert reading.short_term and reading.long_term and reading.first_ns is None
    ((first, last),) = reading.only_ns
    assert first <= FIRST_NS + 2_100_000_000 < first + 1_000_000
    assert last - 1_000_000 < FIRST_NS + 3_300_000_000 <= last


def test_the_truth_of_several_stretches_leaves_out_what_lies_between() -> None:
    entry = QuestionEntry(
        at=9.0, question='q', evidence=(1.0, 8.0), intervals=((1.0, 2.0), (7.0, 8.0))
    )
    seconds = [
        [(ns - FIRST_NS) / 1e9 for ns in each] for each in truth_filter(entry, MOMENTS).only_ns
    ]
    assert seconds == [pytest.approx(each, abs=1e-3) for each in entry.intervals]


def test_without_evidence_only_short_term_is_read() -> None:
    reading = truth_filter(QuestionEntry(at=9.0, question='q'), MOMENTS)
    assert reading.short_term and not reading.long_term and reading.only_ns is None


def test_the_oracle_counts_from_the_first_frame_of_each_recording(engine, make_bag) -> None:
    asked: list[tuple[Question, object]] = []
    plain = engine.ask_now

    def ask_now(question, *, reading):
        asked.append((question, reading))
        return plain(question)

    engine.ask_now = ask_now
    bag = make_bag(questions='- {id: a, at: 7, question: q, evidence: [2, 3]}')
    (outcome,) = evaluate(bag, engine, ask=oracle_of(engine)).outcomes
    ((question, reading),) = asked
    assert question.request_id == outcome.entry.id == 'a'
    (stretch,) = reading.only_ns
    assert stretch == pytest.approx((3_000_000_000, 4_000_000_000), abs=1_000_000)


def test_a_question_that_stands_alone_is_answered_without_a_frame(
    world_folder, checkpoint, tmp_path
) -> None:
    from livevlm_ros.engine import Engine

    given = ['ask.default_max_tokens=1', 'model.threads=1']
    (row,) = read_rows((), [BASELINES[0]], model=str(checkpoint), given=given)
    engine = Engine(row.config)
    engine.load()
    questions = tmp_path / 'q.yaml'
    questions.write_text('- {at: 5, question: what do you see now, choices: [red, blue]}')
    for choose in (False, True):
        replayed = evaluate(
            world_folder / 'stream-0001',
            engine,
            Procedure(questions, choose=choose),
            ask=alone_of(engine),
        )
        (outcome,) = replayed.outcomes
        assert outcome.answer.status in ANSWERED
        assert outcome.answer.evidence == () and not outcome.answer.frames_considered
    engine.cleanup()


def test_an_oracle_over_everything_reads_what_retrieval_must_find(
    world_folder, checkpoint, monkeypatch, tmp_path
) -> None:
    from livevlm_ros.engine import Engine
    from livevlm_ros.memory import Memory

    views = []
    made = Memory.question

    def question(self, **options):
        views.append(made(self, **options))
        return views[-1]

    monkeypatch.setattr(Memory, 'question', question)
    given = ['memory.short_term_frames=2', 'ask.default_max_tokens=1', 'model.threads=1']
    (row,) = read_rows((), ['oracle=rekv oracle=true'], model=str(checkpoint), given=given)
    engine = Engine(row.config)
    engine.load()
    told, read = oracle_of(engine), {}

    def ask(question, entry, moments):
        answer = told(question, entry, moments)
        frames = views[-1].frames()
        read[entry.id] = [moments.elapsed_ns(ref.stamp_ns) / 1e9 for ref in frames]
        return answer

    questions = tmp_path / 'q.yaml'
    questions.write_text(
        '- {id: past, at: 5, question: what do you see now, evidence: [1, 2]}\n'
        '- {id: twice, at: 5, question: what do you see now, evidence: [[0, 0], [2, 3]]}\n'
        '- {id: now, at: 5, question: what do you see now, evidence: [5, 5]}\n'
        '- {id: never, at: 5, question: what do you see now}'
    )
    evaluate(world_folder / 'stream-0001', engine, Procedure(questions), ask=ask)
    engine.cleanup()
    assert read == {
        'past': pytest.approx([1, 2, 4, 5]),
        'twice': pytest.approx([0, 2, 3, 4, 5]),
        'now': pytest.approx([4, 5]),
        'never': pytest.approx([4, 5]),
    }
