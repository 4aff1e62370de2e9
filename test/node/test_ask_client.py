# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import json
from pathlib import Path
from typing import Any

import pytest

from livevlm_ros.engine.messages import Answer, Evidence, Finish, Latency, Question, Status
from livevlm_ros.node.ask_client import ask

JPEG = b'\xff\xd8\xff jpeg \xff\xd9'


@pytest.fixture
def asked_node(live_node: Any, fake_engine: Any) -> Any:
    """Give an active node that says red and shows a frame for it."""

    def answer(question: Question) -> Answer:
        shown = JPEG if question.attach_images else b''
        frame = Evidence('front', 12_000_000_000, 'f', 'front/12', 0.75, thumbnail_jpeg=shown)
        return Answer(
            Status.OK,
            message='[stop] it [/x]',
            text='red [/x]',
            evidence=(frame,),
            finish=Finish.STOP,
            newest_stamp_ns=13_000_000_000,
            latency=Latency(budget_ms=1e3 * (question.budget_s or 0)),
            model_id='tiny [/b]',
        )

    fake_engine.answer = answer
    node = live_node()
    node.trigger_configure()
    node.trigger_activate()
    return node


def test_the_answer_and_its_evidence_are_printed(
    asked_node: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask('what color was the car ?', timeout_s=60) == 0
    out = capsys.readouterr().out
    assert 'red [/x]\n[stop] it [/x]\n' in out
    assert 'tiny [/b]' in out
    assert 'front' in out
    assert '75%' in out


def test_the_table_of_a_pipe_is_as_wide_as_its_file_names(
    asked_node: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / ('a long name [/x] ' * 10).strip()
    assert ask('what color was the car ?', thumbnails=folder, timeout_s=60) == 0
    out = capsys.readouterr().out
    assert str(folder / 'evidence_1_front.jpg') in out
    header = next(line for line in out.splitlines() if 'camera' in line)
    assert [word.strip() for word in header[1:-1].split('┃')] == [
        'camera', 'age', 'stamp', 'share', 'file',
    ]  # fmt: skip


def test_json_holds_the_same_and_thumbnails_become_files(
    asked_node: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code = ask(
        'what color was the car ?',
        budget_s=1.5,
        thumbnails=tmp_path / 'frames',
        as_json=True,
        timeout_s=60,
    )
    answer = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (answer['status'], answer['budget_ms']) == ('OK', 1500.0)
    assert answer['answer'] == 'red [/x]'
    (found,) = answer['evidence']
    assert (found['camera'], found['stamp'], found['score']) == ('front', 12.0, 0.75)
    assert Path(found['file']).read_bytes() == JPEG


def test_a_question_that_is_not_answered_fails_with_the_reason(
    live_node: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    live_node()
    assert ask('what color was the car ?', timeout_s=60) == 1
    assert 'unconfigured' in capsys.readouterr().out


def test_no_node_is_said_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask('anyone ?', namespace='nowhere', timeout_s=0.2) == 1
    error = capsys.readouterr().err
    assert '/nowhere/ask' in error
    assert 'camera.launch.py' in error
