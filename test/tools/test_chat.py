# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from pathlib import Path

import pytest

from livevlm_ros.engine.messages import Answer, Evidence, Question, Status
from livevlm_ros.pose import Pose
from livevlm_ros.tools.chat import Chat

ZERO_NS = 1_000_000_000


class ScriptedPartner:
    """Says 'dark red' in two pieces, unless it is told to answer otherwise."""

    zero_ns = ZERO_NS

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self.answer = Answer(
            Status.OK,
            text='dark red',
            confidence=0.5,
            evidence=(
                Evidence('a/b', ZERO_NS + 2_500_000_000, '', 'k', 0.4, thumbnail_jpeg=b'jpeg'),
                Evidence('a/b', ZERO_NS, '', 'k', 0.1, pose=Pose(1.0, 2.5, 0.0)),
            ),
        )

    def ask(self, question: Question, hear: Callable[[str], None]) -> Answer:
        self.questions.append(question)
        if self.answer.status is Status.OK:
            hear('dark')
        return self.answer


@pytest.fixture
def partner() -> ScriptedPartner:
    return ScriptedPartner()


@pytest.fixture
def chat(partner: ScriptedPartner, tmp_path: Path) -> Chat:
    return Chat(partner, tmp_path)


def test_an_answer_is_printed_once_with_its_evidence(chat, tmp_path, capsys) -> None:
    assert chat.listen(['what color ?\n', '\n']) == 0
    file = tmp_path / '1_1_a_b.jpg'
    assert capsys.readouterr().out.splitlines() == [
        'dark red',
        '  confidence 0.50, 0 ms',
        f'  at 2.5 s  a/b  40%  {file}',
        '  at 0.0 s  a/b  10%  (1.00, 2.50, 0.00)',
    ]
    assert file.read_bytes() == b'jpeg'


def test_a_terminal_that_shows_pictures_shows_them(chat, monkeypatch, capsys) -> None:
    monkeypatch.setattr('livevlm_ros.tools.chat.inline_picture', lambda jpeg: jpeg.decode())
    chat.listen(['what color ?'])
    assert capsys.readouterr().out.splitlines()[3] == 'jpeg'


def test_evidence_that_cannot_be_written_costs_no_answer(chat, tmp_path, capsys) -> None:
    (tmp_path / '1_1_a_b.jpg').mkdir()
    assert chat.listen(['what color ?']) == 0
    assert 'not written: Is a directory' in capsys.readouterr().out


def test_questions_without_an_answer_are_counted(chat, partner, capsys) -> None:
    partner.answer = Answer(Status.INVALID, 'unknown\x1b words')
    assert chat.listen(['what ?', 'why ?']) == 2
    assert capsys.readouterr().out == 'unknown\ufffd words\n' * 2


def test_commands_hold_for_the_questions_after_them(chat, partner, capsys) -> None:
    chat.listen(['/lookback 5m', 'what ?', '/all', 'what ?', '/quit', 'what ?'])
    assert [question.lookback_s for question in partner.questions] == [300.0, 0.0]
    assert 'questions read the last 300 s\n' in capsys.readouterr().out


def test_unknown_commands_ask_nothing_and_help_lists_those_there_are(
    chat, partner, capsys
) -> None:
    chat.listen(['/nwo', '/help'])
    out = capsys.readouterr().out
    assert '/nwo: no such command; expected /now' in out and '/quit          end' in out
    assert not partner.questions


def test_ctrl_c_at_the_prompt_says_how_to_end_and_ctrl_d_ends(chat, monkeypatch, capsys) -> None:
    typed = iter([KeyboardInterrupt, EOFError])

    def read(prompt: str) -> str:
        raise next(typed)

    monkeypatch.setattr('builtins.input', read)
    chat.talk()
    assert capsys.readouterr().out == '\n/quit or Ctrl-D ends it\n\n'
