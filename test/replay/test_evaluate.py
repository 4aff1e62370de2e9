# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.evaluate import evaluate
from livevlm_ros.replay.procedure import Procedure
from livevlm_ros.replay.questions import AT_THE_END, QuestionEntry

THREE = """
- {id: late, at: 5.5, question: late, answer: red, evidence: [4, 5]}
- {id: first, at: 0, question: first}
- {id: budgeted, at: 3, question: budgeted, answer: red, budget: 0.02}
"""


def test_each_question_sees_the_frames_up_to_its_time_and_none_after(engine, make_bag) -> None:
    evaluate(make_bag(questions=THREE), engine)
    assert engine.seen_at['first'] == [0.0]
    assert engine.seen_at['budgeted'] == [0.0, 1.0, 2.0, 3.0]
    assert engine.seen_at['late'] == [2.0, 3.0, 4.0, 5.0]


def test_questions_without_a_file_are_asked_at_their_time_or_at_the_end(engine, make_bag) -> None:
    asked = [QuestionEntry(2.0, 'early'), QuestionEntry(AT_THE_END, 'end')]
    found = evaluate(make_bag(questions=THREE), engine, Procedure(asked))
    assert [(o.entry.question, o.entry.at) for o in found.outcomes] == [
        ('early', 2.0),
        ('end', 7.0),
    ]
    assert engine.seen_at['early'] == [0.0, 1.0, 2.0] and engine.seen_at['end'][-1] == 7.0
    assert not found.outside


def test_only_a_question_with_a_budget_has_a_deadline(engine, make_bag) -> None:
    evaluate(make_bag(questions=THREE), engine)
    asked = {question.request_id: question for question in engine.questions}
    assert asked['first'].unlimited and asked['late'].unlimited
    assert not asked['budgeted'].unlimited and asked['budgeted'].budget_s == 0.02


def test_a_reply_after_its_budget_is_a_miss(engine, make_bag) -> None:
    engine.total_ms = 21.0
    by_id = {o.entry.id: o for o in evaluate(make_bag(questions=THREE), engine).outcomes}
    assert by_id['budgeted'].in_time is False
    assert by_id['late'].in_time is None


def test_evidence_counts_when_one_of_the_first_three_frames_shows_it(engine, make_bag) -> None:
    bag = make_bag(questions='- {at: 7, question: q, answer: red, evidence: [2, 3]}')
    for seconds, hit in (([7, 5, 3], True), ([7, 6, 5, 2], False), ([2], True), ([], False)):
        engine.evidence_s['q'] = seconds
        assert evaluate(bag, engine).outcomes[0].evidence_hit is hit


def test_age_counts_frames_since_the_answer_was_last_to_be_seen(engine, make_bag) -> None:
    bag = make_bag(
        questions=(
            '- {id: past, at: 7, question: q, evidence: [1, 3]}\n'
            '- {id: now, at: 7, question: q, evidence: [7, 7]}\n'
            '- {id: never, at: 7, question: q}'
        )
    )
    ages = {o.entry.id: o.age for o in evaluate(bag, engine).outcomes}
    assert ages == {'past': 5, 'now': 1, 'never': None}


def test_chance_of_evidence_is_that_of_frames_drawn_blindly(engine, make_bag) -> None:
    bag = make_bag(
        questions=(
            '- {id: in, at: 7, question: q, evidence: [5, 5]}\n'
            '- {id: forgotten, at: 7, question: q, evidence: [0, 3]}'
        )
    )
    engine.evidence_s['q'] = [7.0, 6.0]
    chances = {o.entry.id: o.evidence_chance for o in evaluate(bag, engine).outcomes}
    assert chances == {'in': pytest.approx(2 / 4), 'forgotten': 0.0}


def test_a_question_after_the_end_is_refused_by_name_and_the_others_are_asked(
    engine, make_bag
) -> None:
    bag = make_bag(
        questions=(
            '- {id: in, at: 7, question: in}\n'
            '- {id: just, at: 7.9, question: just}\n'
            '- {id: out, at: 60, question: out}'
        )
    )
    evaluation = evaluate(bag, engine)
    assert [question.request_id for question in engine.questions] == ['in', 'just']
    assert evaluation.outside == 1
    assert len(evaluation.warnings) == 1
    assert (
        f"{bag}: question 'out' is at 60 s, outside the recording of 7.000 s"
        in (evaluation.warnings[0])
    )


def test_entries_that_cannot_be_used_are_told_and_the_others_are_asked(engine, make_bag) -> None:
    bag = make_bag(questions='- {at: 1, question: a}\n- {at: 1, question: b, smell: sweet}')
    evaluation = evaluate(bag, engine)
    assert len(evaluation.outcomes) == 1 and evaluation.refused == 1
    assert 'question 2: unknown key smell' in evaluation.warnings[0]


def test_a_file_of_which_no_entry_can_be_used_is_an_error(engine, make_bag) -> None:
    bag = make_bag(questions='- {at: 1, question: b, smell: sweet}')
    with pytest.raises(BadInput, match='no question can be used.*\n.*unknown key smell'):
        evaluate(bag, engine)


def test_a_recording_without_questions_is_replayed_and_says_so(engine, make_bag) -> None:
    evaluation = evaluate(make_bag(), engine)
    assert evaluation.frames == engine.used == 8 and evaluation.outcomes == []
    assert 'no questions file' in evaluation.warnings[0]
    assert 'expected bag.questions.yaml beside it' in evaluation.warnings[0]


@pytest.mark.parametrize('name', ['a b.c', 'é 日', '\'a\' "b"', '$a; &b <i>', '%d', 'two\nlines'])
def test_a_name_of_any_letters_is_a_name(engine, make_bag, name: str) -> None:
    evaluation = evaluate(make_bag(name, questions='- {at: 1, question: a}'), engine)
    assert evaluation.recordings == [name] and list(engine.seen_at) == ['a']


def test_the_memory_is_cleared_between_recordings(engine, make_bag, tmp_path: Path) -> None:
    for name in ('a', 'b'):
        make_bag(name, frames=2, questions=f'- {{at: 0, question: {name}}}')
    evaluation = evaluate(tmp_path, engine)
    assert engine.cleared == 2
    assert engine.seen_at == {'a': [0.0], 'b': [0.0]}
    assert evaluation.recordings == ['a', 'b'] and evaluation.frames == 4
    assert evaluation.seconds == 2.0


def test_a_folder_goes_on_after_a_recording_that_cannot_be_used(
    engine, make_bag, tmp_path: Path
) -> None:
    make_bag('a', frames=0)
    make_bag('b', frames=3)
    evaluation = evaluate(tmp_path, engine)
    assert evaluation.recordings == ['b'] and evaluation.left_out == ['a']
    assert 'a: no images in this bag' in evaluation.warnings[0]


def test_a_folder_goes_on_after_a_questions_file_that_cannot_be_used(
    engine, make_bag, tmp_path: Path
) -> None:
    make_bag('a', frames=3, questions='- {at: 1, question: [unclosed')
    make_bag('b', frames=3, questions='- {at: 1, question: b}')
    evaluation = evaluate(tmp_path, engine)
    assert evaluation.recordings == ['b'] and list(engine.seen_at) == ['b']
    assert 'a.questions.yaml: not YAML' in evaluation.warnings[0]


def test_a_folder_without_any_usable_recording_is_an_error(engine, make_bag, tmp_path) -> None:
    make_bag('a', frames=0)
    make_bag('b', frames=0)
    with pytest.raises(BadInput, match='no recording can be used: .*/a.*/b'):
        evaluate(tmp_path, engine)


def test_one_questions_file_for_many_recordings_is_refused(engine, make_bag, tmp_path) -> None:
    make_bag('a')
    make_bag('b')
    with pytest.raises(BadInput, match='2 recordings, but one questions file'):
        evaluate(tmp_path, engine, Procedure(tmp_path / 'q.yaml'))


def test_choices_are_asked_for_where_they_are_wanted(engine, make_bag, monkeypatch) -> None:
    bag = make_bag(questions='- {at: 2, question: new, answer: red, choices: [red, blue]}')
    asked, ask_now = [], engine.ask_now
    monkeypatch.setattr(
        engine, 'ask_now', lambda question: asked.append(question.choices) or ask_now(question)
    )
    evaluate(bag, engine)
    evaluate(bag, engine, Procedure(choose=True))
    assert asked == [(), ('red', 'blue')]


def test_progress_never_runs_back_and_ends_at_one(engine, make_bag, tmp_path: Path) -> None:
    make_bag('a', questions=THREE)
    make_bag('b', questions=THREE)
    shares: list[float] = []
    evaluate(tmp_path, engine, progress=lambda name, share: shares.append(share))
    assert shares == sorted(shares) and shares[-1] == 1.0 and len(shares) > 20
