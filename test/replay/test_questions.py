# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.metric import Metric
from livevlm_ros.replay.questions import (
    QuestionEntry,
    questions_beside,
    read_questions,
    write_questions,
)

GOOD = '- {at: 3, question: what color was the car, answer: red}\n'


def read(tmp_path: Path, text: str, name: str = 'q.yaml') -> tuple[list[QuestionEntry], list[str]]:
    file = tmp_path / name
    file.write_text(text)
    return read_questions(file)


def test_every_key_is_read(tmp_path: Path) -> None:
    entries, refused = read(
        tmp_path,
        """
- id: a1
  at: 12.5
  question: where was the red car ?
  answer: [left, 'on the left']
  type: where_two
  evidence: [2, 5.5]
  choices: [left, middle, right]
  budget: 0.3
""",
    )
    assert refused == []
    assert entries == [
        QuestionEntry(
            id='a1',
            at=12.5,
            question='where was the red car ?',
            answer=('left', 'on the left'),
            type='where_two',
            evidence=(2.0, 5.5),
            choices=('left', 'middle', 'right'),
            budget=0.3,
        )
    ]


def test_what_public_sets_need_is_read_and_written_back(tmp_path: Path) -> None:
    entries, refused = read(
        tmp_path,
        """
- at: [3, 9.5]
  question: where is the exit ?
  id: e
  type: way out
  choices: [left, right, Unable to answer]
  answer_index: 2
  evidence: [[7, 8], [1, 2.5]]
  lookback: 4
  set: OVO-Bench
- at: 20
  question: when did it rain ?
  metric: {ago: 2, unit: minutes, tolerance: 0.5}
""",
    )
    assert refused == []
    first, second, last = entries
    assert [(e.id, e.at) for e in (first, second)] == [('e@1', 3.0), ('e@2', 9.5)]
    assert (first.answer, first.type) == (('Unable to answer',), 'way out')
    assert (first.evidence, first.intervals) == ((1.0, 8.0), ((1.0, 2.5), (7.0, 8.0)))
    assert (first.lookback, first.set, last.set) == (4.0, 'OVO-Bench', '')
    assert last.metric == Metric('ago', (2.0,), 'minutes', 0.5)
    write_questions(tmp_path / 'again.yaml', entries)
    assert read_questions(tmp_path / 'again.yaml') == (entries, [])


def test_an_id_of_several_times_is_not_taken_twice(tmp_path: Path) -> None:
    twice = '- {id: a, at: [1, 2], question: x}\n- {id: a@2, at: 3, question: y}'
    entries, (refused,) = read(tmp_path, twice)
    assert len(entries) == 2 and "question 'a@2': id is used" in refused


def test_only_at_and_question_are_needed_and_entries_are_sorted_by_time(tmp_path: Path) -> None:
    entries, _ = read(tmp_path, '- {at: 9, question: b}\n- {at: 1, question: a}')
    assert [(e.id, e.at, e.answer) for e in entries] == [('2', 1.0, ()), ('1', 9.0, ())]


def test_seconds_in_quotes_are_seconds(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, "- {at: '12.5', question: a, evidence: ['1', 2]}")[0]
    assert (entry.at, entry.evidence) == (12.5, (1.0, 2.0))


def test_json_is_read_too(tmp_path: Path) -> None:
    entries, _ = read(tmp_path, json.dumps([{'at': 1, 'question': 'a ?'}]), 'q.json')
    assert entries[0].question == 'a ?'


def test_unquoted_yes_and_no_stay_words(tmp_path: Path) -> None:
    entries, _ = read(tmp_path, '- {at: 1, question: a, answer: yes, choices: [yes, no]}')
    assert entries[0].answer == ('yes',) and entries[0].choices == ('yes', 'no')


@pytest.mark.parametrize('word', ['on', 'off', 'yes', 'No', 'true', '3.0', '5'])
def test_a_word_is_the_word_that_is_written(tmp_path: Path, word: str) -> None:
    (entry,), _ = read(tmp_path, f'- {{at: 1, question: {word}, answer: [{word}, x]}}\r\n')
    assert (entry.question, entry.answer) == (word, (word, 'x'))


def test_minutes_and_seconds_are_seconds(tmp_path: Path) -> None:
    assert read(tmp_path, '- {at: 1:30, question: a}')[0][0].at == 90.0


@pytest.mark.parametrize(
    'entry, says',
    [
        ('{at: 1, question: a, color: red}', 'unknown key color; expected at, question, id'),
        ('{at: 1, question: a, set: mine}', "unknown set 'mine'; expected one of OVO-S-Bench"),
        ('{at: [], question: a}', 'at is an empty list'),
        ('{at: [1, soon], question: a}', "at must be seconds.*got 'soon'"),
        ('{at: 1, question: a, choices: [b, c], answer_index: 2}', 'one of 2 choices.*got 2'),
        ('{at: 1, question: a, choices: [b, c], answer_index: true}', "got 'true'"),
        ('{at: 1, question: a, answer: b, choices: [b, c], answer_index: 0}', 'both given'),
        ('{at: 1, question: a, evidence: [[1, 2], [4, 3]]}', 'evidence must end after'),
        ('{at: 1, question: a, lookback: 0}', 'lookback must be more than 0'),
        ('{at: 1, question: a, metric: 3}', 'metric must be such as'),
        ('{question: a}', 'at missing'),
        ('{at: 1}', 'question missing'),
        ('{}', 'at and question missing'),
        ('{at: -1, question: a}', 'at must be seconds.*got -1'),
        ('{at: soon, question: a}', "at must be seconds.*got 'soon'"),
        ('{at: .nan, question: a}', 'at must be seconds.*got nan'),
        ('{at: 1, question: ""}', 'question is empty'),
        ('{at: 1, question: [a]}', 'question must be text'),
        ('{at: 1, question: a, answer: {a: b}}', 'answer must be text'),
        ('{at: 1, question: a, choices: null}', 'choices must be text, got nothing'),
        ('{at: 1, question: a, evidence: 3}', r'evidence must be \[from, to\]'),
        ('{at: 1, question: a, evidence: [4, 3]}', 'evidence must end after it begins'),
        ('{at: 1, question: a, budget: 0}', 'budget must be more than 0'),
        ('{at: 1, question: a, budget: -2}', 'budget must be seconds'),
        ('just words', "expected keys at, question.*str 'just words'"),
    ],
)
def test_an_entry_that_cannot_be_used_is_refused_by_name_and_the_rest_is_used(
    tmp_path: Path, entry: str, says: str
) -> None:
    entries, refused = read(tmp_path, GOOD + f'- {entry}\n' + GOOD.replace('3', '4'))
    assert [e.at for e in entries] == [3.0, 4.0]
    assert len(refused) == 1
    assert refused[0].startswith(f'{tmp_path}/q.yaml: question 2: ')
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(refused[0])


def test_a_refused_entry_is_named_by_its_id(tmp_path: Path) -> None:
    _, refused = read(tmp_path, '- {id: k7, at: 1}')
    assert "question 'k7': question missing" in refused[0]


def test_an_id_used_twice_is_refused(tmp_path: Path) -> None:
    twice = '- {id: a, at: 1, question: x}\n- {id: a, at: 2, question: y}'
    entries, refused = read(tmp_path, twice)
    assert len(entries) == 1 and "question 'a': id is used" in refused[0]


@pytest.mark.parametrize(
    'name, text, says',
    [
        ('q.yaml', '- {at: 1, question: [unclosed', r'q\.yaml: not YAML: .*line 1'),
        ('q.yaml', '- !!python/object/apply:os.system [ls]', 'not YAML'),
        ('q.json', '[{"at": 1,}]', r'q\.json: not JSON: .*line 1'),
        ('q.yaml', 'at: 1\nquestion: a ?', 'expected a list of questions.*got dict'),
        ('q.yaml', '', 'expected a list of questions.*got nothing'),
        ('q.yaml', '-\tat: 1', r'q\.yaml: not YAML: .*line 1'),
        ('q.yaml', '- {at: 1, question: a}\n---\n[]', 'not YAML: expected a single document'),
        ('q.jsonl', '{"at": 1, "question": "a"}\n' * 2, r'q\.jsonl: not YAML: .*line 2'),
        ('q.csv', 'at,question\n1,a\n', "expected a list of questions.*got str 'at,question"),
    ],
)
def test_a_file_that_is_no_list_of_questions_is_refused(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        read(tmp_path, text, name)


@pytest.mark.parametrize('text', [b'- {at: 1, question: \xff\xfe}', '- {at: 1}'.encode('utf-16')])
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / 'q.yaml').write_bytes(text)
    with pytest.raises(BadInput, match='not UTF-8'):
        read_questions(tmp_path / 'q.yaml')


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r'q\.yaml: cannot be read: No such file'):
        read_questions(tmp_path / 'q.yaml')


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    entries = [
        QuestionEntry(
            at=1.25,
            question='was there a car ?',
            id='exists-hard_no-0001',
            answer=('no',),
            type='exists',
            choices=('yes', 'no'),
        ),
        QuestionEntry(at=7.0, question='where ?', id='2', evidence=(0.0, 3.5), budget=0.5),
    ]
    write_questions(tmp_path / 'q.yaml', entries)
    assert read_questions(tmp_path / 'q.yaml') == (entries, [])


@pytest.mark.parametrize('suffix', ['.questions.yaml', '.questions.yml', '.questions.json'])
@pytest.mark.parametrize('recording', ['run', 'run.mcap', 'run.avi'])
def test_the_questions_beside_a_recording_are_found(
    tmp_path: Path, recording: str, suffix: str
) -> None:
    path = tmp_path / recording
    path.touch() if path.suffix else path.mkdir()
    assert questions_beside(path) is None
    (tmp_path / f'run{suffix}').touch()
    assert questions_beside(path) == tmp_path / f'run{suffix}'


def test_an_answer_that_is_empty_is_refused_and_one_left_out_is_not_scored(tmp_path: Path) -> None:
    text = "- {at: 1, question: a, answer: ''}\n- {at: 1, question: b}"
    entries, (refused,) = read(tmp_path, text)
    assert 'answer is empty' in refused and entries[0].answer == ()


def test_an_id_that_is_nothing_is_the_position(tmp_path: Path) -> None:
    entries, refused = read(tmp_path, '- &a {at: 1, question: a, id: null}\n- *a')
    assert ([entry.id for entry in entries], refused) == (['1', '2'], [])


def test_a_mark_of_the_byte_order_is_no_part_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / 'q.json'
    file.write_text('[{"at": 1, "question": "a"}]', encoding='utf-8-sig')
    assert len(read_questions(file)[0]) == 1


@pytest.mark.parametrize('key', ['at', 'question', 'evidence', 'choices'])
def test_a_few_anchors_that_stand_for_gigabytes_are_refused_at_once(
    tmp_path: Path, key: str
) -> None:
    anchors = ['- &a0 [x, x, x, x, x, x, x, x, x]']
    anchors += [f'- &a{n} [{", ".join([f"*a{n - 1}"] * 9)}]' for n in range(1, 12)]
    entry = f'- {{at: 1, question: q, {key}: *a11}}'
    (tmp_path / 'q.yaml').write_text('\n'.join([*anchors, entry]))
    entries, refused = read_questions(tmp_path / 'q.yaml')
    assert entries == [] and len(refused) == len(anchors) + 1
    assert max(map(len, refused)) < 300
