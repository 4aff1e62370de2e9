# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from livevlm_ros import __version__

COMMANDS = (
    'demo',
    'chat',
    'ask',
    'watch',
    'world',
    'bag',
    'evaluate',
    'merge',
    'sweep',
    'replay',
    'calibrate',
    'train',
    'card',
    'plan',
    'doctor',
    'memory',
)
MEMORY = ('status', 'timeline', 'recall', 'frame', 'clear', 'pause', 'resume', 'save', 'load')
WORDS = {
    'ask': ('auto, now, short-term, long-term or all',),
    'chat': ('Exits with 1 when one of --ask or of a pipe has no answer',),
}
HEAVY = ('torch', 'transformers', 'rclpy', 'matplotlib', 'cv2', 'rosbags', 'numpy')


def test_help_names_every_command(livevlm) -> None:
    code, out, _ = livevlm('--help')
    assert code == 0 and all(command in out for command in COMMANDS)


@pytest.mark.parametrize('command', COMMANDS)
def test_every_command_explains_itself_and_each_option(livevlm, command: str) -> None:
    code, out, _ = livevlm(command, '--help')
    assert code == 0 and 'Usage' in out
    assert livevlm(command, '-h') == (code, out, '')


def test_help_imports_nothing_heavy() -> None:
    script = (
        'import sys\n'
        'from livevlm_ros.cli import app\n'
        'try:\n    app(["--help"])\n'
        'except SystemExit:\n    pass\n'
        f'sys.exit(str([name for name in {HEAVY} if name in sys.modules]))'
    )
    result = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)
    assert result.stderr.strip() == '[]'


@pytest.mark.parametrize(
    ('command', 'says'),
    [
        ('evalute x', "Did you mean 'evaluate'?"),
        ('evaluate x --presett full', '--preset, --presets'),
    ],
)
def test_a_misspelt_word_is_told_with_the_one_it_resembles(
    livevlm, monkeypatch: pytest.MonkeyPatch, command: str, says: str
) -> None:
    monkeypatch.setenv('COLUMNS', '120')
    code, _, error = livevlm(*command.split())
    assert code == 2 and says in error


@pytest.mark.parametrize('command', [*COMMANDS, *(f'memory {name}' for name in MEMORY)])
def test_nothing_is_cut_off_in_a_usual_terminal(
    livevlm, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv('COLUMNS', '80')
    out = livevlm(*command.split(), '--help')[1]
    assert 'Usage' in out and '…' not in out
    assert all(len(line) <= 80 for line in out.splitlines())
    text = ' '.join(out.replace('│', ' ').split())
    assert all(word in text for word in WORDS.get(command, ()))


REFUSALS = """
import sys
from livevlm_ros.cli import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    print(end.code, sorted({'torch', 'transformers', 'rclpy'} & sys.modules.keys()))
"""


@pytest.mark.parametrize(
    ('command', 'says'),
    [
        ('evaluate no.mp4', 'no.mp4: no such file'),
        ('evaluate film --preset elephant', "got 'elephant'"),
        ('evaluate film --row "x=full a=1"', 'row x: setting a=1'),
        ('evaluate film --set a=1', "no setting 'a'"),
        ('evaluate film/stream-0000 --questions q.yaml', 'q.yaml: cannot be read'),
        ('evaluate film --topic /up', 'no images on topic /up'),
        ('evaluate film --json no/r.json', 'no/r.json: cannot be written'),
        ('evaluate film --model no/model/here', 'no model folder no/model/here'),
        ('evaluate {text}', 'text.md: not a bag and not a video'),
        ('evaluate {empty}', 'empty: no recording in this folder; expected bags'),
        ('evaluate film/stream-0000 --questions {text}', 'text.md: expected a list of questions'),
        ('sweep no.mp4', 'no.mp4: no such file'),
        ('chat film/stream-0000 --set a=1', "no setting 'a'"),
        ('chat film/stream-0000 --model no/model/here', 'no model folder no/model/here'),
        ('calibrate --out no/m.yaml', 'no/m.yaml: cannot be written'),
        ('card --out no/card.md', 'no/card.md: cannot be written'),
    ],
)
def test_a_typo_is_told_in_one_line_before_anything_heavy_is_imported(
    film: Path, tmp_path: Path, command: str, says: str
) -> None:
    (tmp_path / 'text.md').write_text('no recording')
    (tmp_path / 'empty').mkdir()
    command = command.format(text=tmp_path / 'text.md', empty=tmp_path / 'empty')
    result = subprocess.run(
        [sys.executable, '-c', REFUSALS, *shlex.split(command)],
        cwd=film.parent,
        capture_output=True,
        text=True,
    )
    assert (result.stdout, result.stderr.count('\n')) == ('2 []\n', 1), result.stderr
    assert says in result.stderr


def test_help_takes_less_than_a_second() -> None:
    # Time of the processor, not of the wall: other work on the machine is no fault of ours.
    script = (
        'import sys, time\n'
        'from livevlm_ros.cli import app\n'
        'try:\n    app(["--help"])\n'
        'except SystemExit:\n    print(time.process_time(), file=sys.stderr)'
    )
    result = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)
    assert 0.0 < float(result.stderr) < 1.0


def test_version(livevlm) -> None:
    assert livevlm('--version') == (0, f'livevlm {__version__}\n', '')


def test_an_unknown_command_is_refused_without_a_traceback(livevlm) -> None:
    code, _, error = livevlm('fly')
    assert code == 2 and "No such command 'fly'" in error


@pytest.mark.parametrize('command', ['demo', 'evaluate', 'card'])
def test_a_report_that_cannot_be_written_is_refused_before_the_work(
    refused, command: str, film: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: dict[str, tuple[object, ...]] = {
        'demo': ('--json',),
        'evaluate': (film, '--json'),
        'card': ('--out',),
    }
    missing = tmp_path / 'missing' / 'x.json'
    assert f'{missing}: cannot be written' in refused(command, *given[command], missing)
    monkeypatch.setattr(os, 'access', lambda path, mode: mode != os.W_OK)
    locked = tmp_path / 'x.json'
    assert f'{locked}: cannot be written; permission denied' in refused(
        command, *given[command], locked
    )
