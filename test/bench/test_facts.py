# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from itertools import chain
from pathlib import Path

import pytest

from livevlm_bench.facts import HALVES, Kind, built_in_facts, read_facts
from livevlm_ros.replay.errors import BadInput

GATE = {
    'say': 'The code of the {who} is {value}.',
    'ask': 'What is the code of the {who}?',
    'who': ['gate', 'safe'],
    'values': [12, 34],
}
ROOM = {
    'say': ['The key of the {who} is in the {via}.', 'The {via} stands in room {value}.'],
    'ask': 'In which room is the key of the {who}?',
    'answer': 'The key of the {who} is in room {value}.',
    'who': ['gate'],
    'via': ['box'],
    'values': ['1', '2'],
}


def _words(kinds: list[Kind]) -> set[str]:
    return {word.lower() for kind in kinds for word in (*kind.who, *kind.values, *kind.via)}


def test_there_are_thirty_kinds_and_two_halves_that_share_no_sentence_and_no_word() -> None:
    table, calibration = map(built_in_facts, HALVES)
    assert len([kind for kind in (*table, *calibration) if not kind.via]) >= 30
    assert not {kind.say for kind in table} & {kind.say for kind in calibration}
    assert not _words(table) & _words(calibration)


@pytest.mark.parametrize('half', HALVES)
def test_no_word_is_part_of_another_kind_of_word(half: str) -> None:
    for kind in built_in_facts(half):
        assert not set(kind.who) & set(kind.values)
        assert len(set(kind.values)) == len(kind.values) >= 4
    said = list(chain.from_iterable(kind.say for kind in built_in_facts(half)))
    assert len(set(said)) == len(said)


@pytest.mark.parametrize('name', ['facts.json', 'facts.yaml'])
def test_a_file_has_the_form_of_those_built_in(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(json.dumps([GATE, ROOM]))  # YAML too
    gate, room = read_facts(tmp_path / name)
    assert gate.say == (GATE['say'],) and gate.answer == GATE['say']
    assert gate.values == ('12', '34') and gate.via == ()
    assert room.say == tuple(ROOM['say']) and room.answer == ROOM['answer']


@pytest.mark.parametrize(
    ('entries', 'told'),
    [
        ({}, 'expected a list of facts'),
        ([], 'expected a list of facts'),
        (['word'], 'fact 1: expected'),
        ([GATE, {**GATE, 'note': 'x'}], 'fact 2: expected'),
        ([{**GATE, 'say': 'The code is {value}.'}], 'say must have {who} once'),
        ([{**GATE, 'ask': 'What?'}], 'ask must have {who} once'),
        ([{**ROOM, 'answer': 'Yes.'}], 'answer must have {who} once'),
        ([{**ROOM, 'via': []}], 'two with via'),
        ([{**GATE, 'values': [1]}], 'two values'),
    ],
)
def test_what_is_no_fact_is_refused_by_its_number(
    tmp_path: Path, entries: object, told: str
) -> None:
    file = tmp_path / 'facts.json'
    file.write_text(json.dumps(entries))
    with pytest.raises(BadInput) as error:
        read_facts(file)
    assert told in str(error.value) and '\n' not in str(error.value)


def test_what_is_no_file_or_no_yaml_is_one_line(tmp_path: Path) -> None:
    (tmp_path / 'broken.yaml').write_text('- say: [')
    for file in ('broken.yaml', 'missing.yaml'):
        with pytest.raises(BadInput, match='cannot be read') as error:
            read_facts(tmp_path / file)
        assert '\n' not in str(error.value)
