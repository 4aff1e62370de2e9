# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from livevlm_ros import __version__
from livevlm_ros.cli import app
from livevlm_ros.replay.card import COURSES

COMMANDS = (
    'demo',
    'ask',
    'world',
    'evaluate',
    'replay',
    'calibrate',
    'train',
    'card',
    'doctor',
)
HEAVY = ('torch', 'transformers', 'rclpy', 'matplotlib', 'cv2', 'rosbags', 'numpy')
WORLD = ('world', '--seed', '4', '--frames', '5..8', '--size', '128x96')


def livevlm(*arguments: object) -> tuple[int, str, str]:
    """Run the command in this process; returns exit code, stdout and stderr."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def refused(*arguments: object) -> str:
    """Run a command that must refuse; returns its one line."""
    code, _, error = livevlm(*arguments)
    assert code == 2
    assert 'Traceback' not in error and error.count('\n') == 1
    return error


@pytest.fixture(scope='module')
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('cli') / 'film'
    code, out, _ = livevlm(*WORLD, '--out', folder, '--streams', 2, '--questions-per-stream', 6)
    assert code == 0 and '2 streams' in out
    return folder


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from livevlm_ros.training.checkpoint import build_model, save_checkpoint

    folder = tmp_path_factory.mktemp('random') / 'checkpoint'
    save_checkpoint(build_model(0), folder)
    return folder


def test_help_names_every_command() -> None:
    code, out, _ = livevlm('--help')
    assert code == 0 and all(command in out for command in COMMANDS)


@pytest.mark.parametrize('command', COMMANDS)
def test_every_command_explains_itself_and_each_option(command: str) -> None:
    code, out, _ = livevlm(command, '--help')
    assert code == 0 and 'Usage' in out


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


def test_version() -> None:
    assert livevlm('--version') == (0, f'livevlm {__version__}\n', '')


def test_evaluate_writes_its_reports_and_prints_a_table(
    film: Path, checkpoint: Path, tmp_path: Path
) -> None:
    code, out, error = livevlm(
        'evaluate',
        film,
        '--preset',
        'full',
        '--model',
        checkpoint,
        '--set',
        'ask.default_max_tokens=1',
        '--set',
        'model.threads=1',
        '--json',
        tmp_path / 'r.json',
        '--html',
        tmp_path / 'r.html',
        '--picture',
        tmp_path / 'p.png',
    )
    assert code == 0, error
    report = json.loads((tmp_path / 'r.json').read_text())
    assert report['preset'] == 'full' and report['accuracy']['overall']['n'] == 12
    assert report['source']['path'] == str(film) and report['source']['recordings'] == 2
    assert report['settings']['dtype'] == 'float32'
    assert 'exists' in out and 'frames' in out
    assert '…' not in out and max(map(len, out.splitlines())) > 80
    assert (tmp_path / 'r.html').read_text().startswith('<!doctype html>')
    assert (tmp_path / 'p.png').read_bytes().startswith(b'\x89PNG')


def test_evaluate_compares_presets_in_one_run(
    film: Path, checkpoint: Path, tmp_path: Path
) -> None:
    code, out, error = livevlm(
        'evaluate',
        film,
        '--presets',
        'recent,full',
        '--model',
        checkpoint,
        '--set',
        'ask.default_max_tokens=1',
        '--json',
        tmp_path / 'r.json',
        '--html',
        tmp_path / 'r.html',
    )
    assert code == 0, error
    compared = json.loads((tmp_path / 'r.json').read_text())
    assert list(compared['presets']) == ['recent', 'full']
    (row,) = compared['paired']
    assert (row['candidate'], row['baseline'], row['n'], row['streams']) == (
        'full',
        'recent',
        12,
        2,
    )
    assert 'full − recent' in out and 'recent pays' in out
    page = (tmp_path / 'r.html').read_text()
    assert 'aria-label="memory of recent"' in page and 'aria-label="memory of full"' in page


@pytest.mark.parametrize(
    'arguments, says',
    [
        (('nowhere',), 'nowhere: no such file'),
        (('{film}', '--preset', 'elephant'), 'preset must be one of recent, full'),
        (('{film}', '--presets', 'full,elephant'), "got 'elephant'"),
        (('{film}', '--presets', 'full,full'), 'a name is given twice'),
        (('{film}', '--presets', 'recent,full', '--picture', 'p.png'), 'a single preset'),
        (('{film}', '--set', 'memory.colour=1'), "no setting 'memory.colour'"),
        (('{film}', '--fps', '-1'), 'target_fps must be'),
        (('{film}', '--model', '/no/such/checkpoint'), '/no/such/checkpoint'),
        (
            ('{film}', '--json', '/no/such/folder/r.json'),
            '/no/such/folder/r.json: cannot be written',
        ),
        (('{film}', '--model', '{checkpoint}', '--questions', 'q.yaml'), 'one questions file'),
        (('{film}', '--model', '{checkpoint}', '--topic', '/up'), 'no images on topic /up'),
    ],
)
def test_evaluate_refuses_what_it_cannot_use_in_one_line(
    film: Path, checkpoint: Path, arguments: tuple[str, ...], says: str
) -> None:
    given = [argument.format(film=film, checkpoint=checkpoint) for argument in arguments]
    assert says in refused('evaluate', *given)


def test_bad_yaml_in_a_questions_file_is_one_line(
    film: Path, checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / 'q.yaml').write_text('- {at: 1, question: [unclosed')
    bag = film / 'stream-0000'
    error = refused('evaluate', bag, '--model', checkpoint, '--questions', tmp_path / 'q.yaml')
    assert f'{tmp_path}/q.yaml: not YAML' in error and 'line 1' in error


@pytest.mark.parametrize(
    'arguments, says',
    [
        (('--size', 'big'), '--size big: expected width x height'),
        (('--size', '64x48'), 'size must be 96 to 1280'),
        (('--frames', '4-8'), '--frames 4-8: expected a number or a range'),
        (('--frames', '8..4'), 'frames must be 1 or more and in order'),
        (('--streams', '0'), 'streams must be 1 to'),
        (('--fps', '0'), 'fps must be between'),
        (('--storage', 'rosbag1'), 'storage must be one of mcap, sqlite3'),
    ],
)
def test_world_refuses_what_it_cannot_film_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    assert says in refused('world', '--seed', '1', '--out', tmp_path / 'w', *arguments)
    assert not (tmp_path / 'w').exists()


def test_world_never_writes_into_a_folder_that_holds_something(film: Path) -> None:
    assert 'is not an empty folder' in refused(*WORLD, '--out', film)


def test_an_unknown_command_is_refused_without_a_traceback() -> None:
    code, _, error = livevlm('fly')
    assert code == 2 and "No such command 'fly'" in error


def test_train_passes_on_its_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from livevlm_ros.training import train

    given: list[train.TrainingConfig] = []
    monkeypatch.setattr(train, 'train', given.append)
    code, _, _ = livevlm(
        'train',
        '--out',
        tmp_path,
        '--minutes',
        2,
        '--tower-minutes',
        1,
        '--seed',
        3,
        '--threads',
        2,
        '--no-evidence-loss',
    )
    assert code == 0
    assert given == [
        train.TrainingConfig(
            out=tmp_path,
            minutes=2.0,
            tower_minutes=1.0,
            seed=3,
            threads=2,
            evidence_loss=False,
        )
    ]


def test_train_refuses_to_resume_from_nothing(tmp_path: Path) -> None:
    error = refused('train', '--out', tmp_path / 'out', '--resume', tmp_path)
    assert f'{tmp_path}: no model.safetensors' in error


@pytest.mark.parametrize(
    'record, says',
    [
        (None, 'training.json is missing'),
        ('{"runs"', 'training.json: not valid JSON'),
        ('{}', 'training.json: no runs'),
    ],
)
def test_a_checkpoint_without_a_record_of_its_training_is_refused_in_one_line(
    checkpoint: Path, tmp_path: Path, record: str | None, says: str
) -> None:
    for file in checkpoint.iterdir():
        (tmp_path / file.name).symlink_to(file)
    if record is not None:
        (tmp_path / 'training.json').write_text(record)
    error = refused('card', '--out', tmp_path / 'card.md', '--model', tmp_path)
    assert str(tmp_path) in error and says in error
    assert says in refused('train', '--out', tmp_path / 'out', '--resume', tmp_path)


def test_card_refuses_a_model_that_is_none_in_one_line(tmp_path: Path) -> None:
    error = refused('card', '--out', tmp_path / 'card.md', '--model', tmp_path / 'nope')
    assert f'no model folder {tmp_path}/nope' in error


def test_card_refuses_a_checkpoint_that_cannot_be_loaded_in_one_line(
    checkpoint: Path, tmp_path: Path
) -> None:
    for file in checkpoint.iterdir():
        if file.name != 'config.json':
            (tmp_path / file.name).symlink_to(file)
    (tmp_path / 'training.json').write_text('{"runs": []}')
    streams = tmp_path / 'streams'
    course = COURSES[0]
    (streams / course.name).mkdir(parents=True)
    course.filming.sign(streams / course.name)
    error = refused(
        'card', '--out', tmp_path / 'card.md', '--model', tmp_path, '--streams', streams
    )
    assert 'config.json is missing' in error


@pytest.mark.parametrize('command', ['demo', 'evaluate', 'card'])
def test_a_report_that_cannot_be_written_is_refused_before_the_work(
    command: str, film: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
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


def test_demo_and_ask_pass_on_their_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import ModuleType

    demo, client = ModuleType('demo'), ModuleType('ask_client')
    given: dict[str, object] = {}

    def run_demo(**options: object) -> int:
        given.update(options)
        return 1

    def ask(question: str, **options: object) -> int:
        given.update(options, question=question)
        return 3

    demo.run_demo, client.ask = run_demo, ask  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, 'livevlm_ros.node.demo', demo)
    monkeypatch.setitem(sys.modules, 'livevlm_ros.node.ask_client', client)
    assert livevlm('demo', '--seed', 5, '--questions', 50, '--json', 'd.json')[0] == 1
    expected = {'seed': 5, 'questions': 50, 'json_path': Path('d.json'), 'model': 'embedded'}
    assert given == expected
    given.clear()
    assert livevlm('ask', 'where ?', '--namespace', 'r1', '--budget', 0.5, '--json')[0] == 3
    assert given == {
        'question': 'where ?',
        'namespace': 'r1',
        'budget_s': 0.5,
        'thumbnails': None,
        'as_json': True,
    }
