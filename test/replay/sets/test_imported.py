# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.sets.imported import Imported


@pytest.fixture
def into(tmp_path: Path) -> Imported:
    return Imported('OVO-Bench', tmp_path, lambda what, share: None)


@pytest.mark.parametrize(
    'question, choices, reason',
    [
        (' ', (), 'no question'),
        ('q' * 2001, (), 'a question above 2000 characters'),
        ('q', ('a',), 'a single option'),
        ('q', ('a', ''), 'an empty option'),
        ('q', ('Left', 'left'), 'two options that are the same'),
        ('q', ('a', 'b' * 501), 'an option above 500 characters'),
        ('q', tuple(map(str, range(65))), 'more than 64 options'),
    ],
)
def test_what_the_engine_would_refuse_is_counted_and_nothing_of_its_row_is_added(
    into: Imported, tmp_path: Path, question: str, choices: tuple[str, ...], reason: str
) -> None:
    fine = QuestionEntry(at=1.0, question='what ?')
    with into.row():
        into.add(tmp_path / 'bag', fine, QuestionEntry(at=1.0, question=question, choices=choices))
    assert (into.left_out, dict(into.questions)) == ({reason: 1}, {})


def test_questions_beyond_the_end_of_a_video_are_asked_at_its_end(
    into: Imported, video: Path
) -> None:
    into.add(video, *(QuestionEntry(at=at, question='q') for at in (22.0, 23.0, 30.0)))
    assert [entry.at for entry in into.questions[video]] == [22.0, 23.0, 23.0]
    assert into.at_the_end == 1 and {e.set for e in into.questions[video]} == {'OVO-Bench'}


def test_what_is_looked_back_at_begins_where_it_did_in_a_shorter_video(
    into: Imported, video: Path
) -> None:
    for at, lookback in ((22.0, 9.0), (30.0, 12.0), (30.0, 7.0)):
        with into.row():
            into.add(video, QuestionEntry(at=at, question='q', lookback=lookback))
    assert [(e.at, e.lookback) for e in into.questions[video]] == [(22.0, 9.0), (23.0, 5.0)]
    assert into.at_the_end == 1
    assert into.left_out == {'its part begins after the end of its video': 1}


def test_how_far_it_is_is_told(tmp_path: Path) -> None:
    told = []
    into = Imported('NaVQA', tmp_path, lambda what, share: told.append((what, share)))
    assert list(into.each('ab')) == ['a', 'b']
    assert told == [('reading NaVQA', 0.0), ('reading NaVQA', 0.5)]
