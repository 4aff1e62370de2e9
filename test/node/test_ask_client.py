# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from livevlm_ros.engine.messages import (
    Answer,
    Evidence,
    Finish,
    Latency,
    Priority,
    Question,
    Scope,
    Status,
)
from livevlm_ros.node.ask_client import INTERRUPTED_CODE, Hearing, Wish, ask
from livevlm_ros.node.stream import Stream
from livevlm_ros.pose import Pose

JPEG = b'\xff\xd8\xff jpeg \xff\xd9'
HERE = Pose(1.0, 2.5, 0.0)


@pytest.fixture
def asked_node(live_node: Any, fake_engine: Any) -> Any:
    """Give an active node that says red and shows a frame for it."""

    def answer(question: Question) -> Answer:
        shown = JPEG if question.attach_images else b''
        frame = Evidence(
            'front', 12 * 10**9, 'f', 'front/12', 0.75, thumbnail_jpeg=shown, pose=HERE
        )
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
    assert ask(Wish('what color was the car ?', timeout_s=60)) == 0
    out = capsys.readouterr().out
    assert 'red [/x]\n[stop] it [/x]\n' in out
    assert 'tiny [/b]' in out
    assert 'front' in out
    assert '75%' in out


def test_the_table_of_a_pipe_is_as_wide_as_its_file_names(
    asked_node: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / ('a long name [/x] ' * 10).strip()
    assert ask(Wish('what color was the car ?', evidence=folder, timeout_s=60)) == 0
    out = capsys.readouterr().out
    assert str(folder / 'evidence_1_front.jpg') in out
    header = next(line for line in out.splitlines() if 'camera' in line)
    assert [word.strip() for word in header[1:-1].split('┃')] == [
        'camera', 'age', 'stamp', 'share', 'place', 'file',
    ]  # fmt: skip


def test_json_holds_the_same_and_evidence_becomes_files(
    asked_node: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code = ask(
        Wish(
            'what color was the car ?',
            fields={'latency_budget': 1.5},
            evidence=tmp_path / 'frames',
            as_json=True,
            timeout_s=60,
        )
    )
    answer = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (answer['status'], answer['budget_ms']) == ('OK', 1500.0)
    assert answer['answer'] == 'red [/x]'
    (found,) = answer['evidence']
    assert (found['camera'], found['stamp'], found['score']) == ('front', 12.0, 0.75)
    assert tuple(found['pose']) == HERE
    assert Path(found['file']).read_bytes() == JPEG


@pytest.mark.parametrize('stream', [False, True])
def test_a_question_that_is_not_answered_fails_with_the_reason_in_a_line(
    live_node: Any, capsys: pytest.CaptureFixture[str], stream: bool
) -> None:
    live_node()
    assert ask(Wish('what color was the car ?', stream=stream, timeout_s=60)) == 1
    printed = capsys.readouterr()
    assert printed.err == 'livevlm ask: NOT_ACTIVE: the node is unconfigured\n'
    assert not printed.out


def test_no_node_is_said_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(Wish('anyone ?', namespace='nowhere', timeout_s=0.2)) == 1
    error = capsys.readouterr().err
    assert '/nowhere/ask' in error
    assert 'camera.launch.py' in error


def test_every_field_of_a_request_reaches_the_node(asked_node: Any, fake_engine: Any) -> None:
    fields = {
        'latency_budget': 1.25,
        'max_tokens': 7,
        'temperature': 0.5,
        'memory_scope': 4,
        'cameras': ['front'],
        'time_start': 5 * 10**9 + 1,
        'time_end': 9 * 10**9,
        'lookback': 90.5,
        'as_of': 8 * 10**9,
        'allow_partial': False,
        'priority': 1,
        'max_evidence': 2,
        'choices': ['red', 'blue'],
        'request_id': 'r7',
    }
    assert ask(Wish('what color was the car ?', fields=fields, timeout_s=60)) == 0
    assert fake_engine.questions == [
        Question(
            'what color was the car ?',
            request_id='r7',
            budget_s=1.25,
            max_tokens=7,
            temperature=0.5,
            allow_partial=False,
            scope=Scope.ALL,
            cameras=('front',),
            time_start_ns=5 * 10**9 + 1,
            time_end_ns=9 * 10**9,
            lookback_s=90.5,
            as_of_ns=8 * 10**9,
            priority=Priority.HIGH,
            max_evidence=2,
            min_confidence=0.3,
            max_doubt=1.0,
            choices=('red', 'blue'),
        )
    ]


def test_what_another_server_sends_commands_no_terminal_and_leaves_no_folder(
    asked_node: Any, fake_engine: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    frame = Evidence('../x[/red]', 10**9, 'f', 'k', 0.5, thumbnail_jpeg=JPEG)
    fake_engine.answer = lambda question: Answer(
        Status.OK, text='red\x1b[31m', message='\x07', evidence=(frame,), model_id='\x9b2J'
    )
    folder = tmp_path / 'frames'
    assert ask(Wish('what color was the car ?', evidence=folder, timeout_s=60)) == 0
    out = capsys.readouterr().out
    assert not {'\x1b', '\x07', '\x9b'} & set(out)
    assert '../x[/red]' in out
    assert [file.parent for file in tmp_path.rglob('*.jpg')] == [folder]


@pytest.fixture
def growing(
    asked_node: Any, fake_engine: Any, eventually: Callable[..., Any]
) -> Iterator[Callable[[int], None]]:
    """Let the answer grow by four words, and end after the last; it may be held before that."""
    fake_engine.held, fake_engine.answer = True, None
    threads: list[threading.Thread] = []

    def grow(words: int = 4) -> None:
        def speak() -> None:
            eventually(lambda: fake_engine.inquiries)
            for word in ('über', ' den', ' Fluß', ' 🚚')[:words]:
                fake_engine.inquiries[0].say(word)
                time.sleep(0.05)
            if words == 4:
                fake_engine.inquiries[0].end()

        threads.append(threading.Thread(target=speak))
        threads[0].start()

    yield grow
    for thread in threads:
        thread.join()


def test_a_stream_prints_the_answer_once_as_it_grows(
    growing: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    growing()
    assert ask(Wish('what drove by ?', stream=True, timeout_s=60)) == 0
    out = capsys.readouterr().out
    assert out.startswith('über den Fluß 🚚\n')
    assert out.count('Fluß') == 1


def test_a_stream_in_json_is_an_object_a_line(
    growing: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    growing()
    assert ask(Wish('what drove by ?', stream=True, as_json=True, timeout_s=60)) == 0
    *told, reply = map(json.loads, capsys.readouterr().out.splitlines())
    assert told[-1]['phase'] == 'DECODING'
    assert ''.join(each['delta'] for each in told) == reply['answer'] == 'über den Fluß 🚚'


def test_ctrl_c_cancels_the_goal_and_prints_what_was_said(
    growing: Any,
    fake_engine: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    eventually: Callable[..., Any],
) -> None:
    wait, heard = Stream.wait, []
    on_feedback = Hearing.on_feedback

    def hear(hearing: Hearing, feedback: Any) -> None:
        on_feedback(hearing, feedback)
        heard.append(feedback.delta)

    def interrupted(stream: Stream, timeout_s: float) -> Any:
        if not fake_engine.inquiries or not fake_engine.inquiries[0].canceled:
            monkeypatch.setattr(Stream, 'wait', wait)
            eventually(lambda: ''.join(heard) == 'über den')
            raise KeyboardInterrupt
        return wait(stream, timeout_s)

    monkeypatch.setattr(Hearing, 'on_feedback', hear)
    monkeypatch.setattr(Stream, 'wait', interrupted)
    growing(2)
    assert ask(Wish('what drove by ?', stream=True, timeout_s=60)) == INTERRUPTED_CODE
    assert fake_engine.inquiries[0].canceled
    assert capsys.readouterr().out.startswith('über den\n')
