# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`livevlm chat` by its options, from a pipe, and at a real pseudo-terminal."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from livevlm_ros.cli import app
from livevlm_ros.tools.chat import PROMPT

QUESTION = 'name the last thing you saw .'
ANSWER = re.compile(r'\w+\n  confidence \d\.\d\d, \d+ ms\n  at \d+\.\d s  camera  \d+%  ')
MAIN = 'from livevlm_ros.cli import main; main()'
WAIT_S = 100.0


@pytest.fixture(scope='module')
def bag(film: Path) -> Path:
    return sorted(folder for folder in film.iterdir() if folder.is_dir())[0]


def test_questions_of_the_command_line_are_answered_with_evidence(
    livevlm, bag: Path, tmp_path: Path
) -> None:
    given = ('--ask', QUESTION, '--ask', 'how many things do you see now ?')
    code, out, error = livevlm('chat', bag, *given, '--evidence', tmp_path / 'e')
    assert code == 0, error
    assert ANSWER.match(out) and 'knows only its simulated street' in error
    assert {file.name[:3] for file in (tmp_path / 'e').iterdir()} >= {'1_1', '2_1'}


def test_a_stretch_of_a_source_can_be_talked_about(livevlm, bag: Path) -> None:
    stretch = ('--start', '1', '--duration', '2')
    code, _, error = livevlm('chat', bag, '--ask', QUESTION, *stretch)
    assert code == 0 and '2 of 2 frames used, 1.0 s' in error


def test_a_pipe_is_answered_line_by_line(bag: Path) -> None:
    lines = f'/lookback 5m\n{QUESTION}\n/nwo\n'
    result = CliRunner().invoke(app, ['chat', str(bag)], input=lines)
    assert result.exit_code == 0
    first, rest = result.stdout.split('\n', 1)
    assert first == 'questions read the last 300 s' and ANSWER.match(rest)
    assert '/nwo: no such command; expected /now' in rest


def test_a_question_without_an_answer_is_exit_code_1(livevlm, bag: Path) -> None:
    code, out, _ = livevlm('chat', bag, '--ask', 'how many people are walking ?')
    assert code == 1 and "does not know 'people'" in out


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        (('nowhere.mp4',), 'nowhere.mp4: no such file or folder; expected a bag or a video'),
        (('--camera', '77'), '/dev/video77: no such camera; found '),
        (('a.mp4', '--node'), 'SOURCE a.mp4 and --node: expected one of them'),
        (('--camera', '0', '--node'), '--camera 0 and --node: expected one of them'),
        (
            ('--node', '--start', '1', '--duration', '9'),
            '--start 1 --duration 9: expected without',
        ),
        (('--node', '--duration', '0.5'), '--duration 0.5: expected without --node'),
        (('--loop',), '--loop: expected with --realtime, for a recording, at a prompt'),
        (('--realtime', '--loop', '--ask', 'q'), '--loop: expected with --realtime'),
        ((__file__,), 'not a bag and not a video that OpenCV can decode'),
    ],
)
def test_wrong_sources_are_refused(refused, given: tuple[str, ...], expected: str) -> None:
    assert expected in refused('chat', *given)


def test_a_folder_of_recordings_is_refused_naming_one(refused, film: Path, bag: Path) -> None:
    assert f'{film}: 2 recordings; expected one, such as {bag}' in refused('chat', film)


def test_evidence_that_has_no_place_is_refused(refused, bag: Path, tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    assert 'cannot be a folder' in refused('chat', bag, '--evidence', tmp_path / 'file')


def test_a_wrong_source_is_told_before_torch_is_there() -> None:
    script = (
        'import sys\n'
        'from livevlm_ros.cli import app\n'
        'try:\n    app(["chat", "nowhere.mp4"])\n'
        'except SystemExit:\n    print("torch" in sys.modules)'
    )
    result = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)
    assert result.stdout == 'False\n'


class Terminal:
    """`livevlm chat` at a pseudo-terminal: `type` and `see`."""

    def __init__(self, *arguments: object) -> None:
        self._master, slave = pty.openpty()
        command = [sys.executable, '-c', MAIN, 'chat', *map(str, arguments)]
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # Ctrl-C reaches it
            env={**os.environ, 'TERM': 'dumb'},
        )
        os.close(slave)
        self._shown = ''

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def see(self, text: str, *, again: str = '') -> str:
        """
        Wait for a text and return all that was shown up to its end since the last one.

        :param again: typed in every silent second
        """
        ends_s = time.monotonic() + WAIT_S
        while text not in self._shown:
            assert time.monotonic() < ends_s, f'{text!r} did not come: {self._shown!r}'
            if select.select([self._master], [], [], 1.0)[0]:
                self._shown += (
                    os.read(self._master, 65536).decode(errors='replace').replace('\r\n', '\n')
                )
            else:
                self.type(again)
        before, _, self._shown = self._shown.partition(text)
        return before + text

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def terminal(bag: Path, tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(bag, '--evidence', tmp_path)
    yield terminal
    terminal.close()


def test_a_person_asks_looks_back_and_leaves(terminal: Terminal, tmp_path: Path) -> None:
    shown = terminal.see(PROMPT)
    assert 'frames used' in shown and f'evidence frames go to {tmp_path}' in shown
    terminal.type(f'{QUESTION}\n')
    assert ANSWER.search(terminal.see(PROMPT)), 'an answer with its evidence'
    terminal.type('/as-of 1\n')
    assert 'questions read as of 1 s' in terminal.see(PROMPT)
    terminal.type('\x1b[A\x1b[A\n')  # the question again, out of the history
    terminal.see('  confidence ')
    terminal.see(PROMPT)
    terminal.type('\x03')  # lost where input() has not begun to wait
    terminal.see('/quit or Ctrl-D ends it', again='\x03')
    terminal.see(PROMPT)
    terminal.type('\x04')
    assert terminal.process.wait(WAIT_S) == 0
