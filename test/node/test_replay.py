# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip('torch')

from livevlm_ros.cli import app
from livevlm_ros.node.bag_player import stretch_of
from livevlm_ros.node.replay import Replay, _start, node_parameters, publish
from livevlm_ros.replay import BadInput
from livevlm_ros.replay.clip import WHOLE, Stretch
from livevlm_ros.replay.compare import Run
from livevlm_ros.replay.outcome import Evaluation
from livevlm_ros.replay.write_world import Filming, write_world

PRESET = 'full'


def livevlm(*arguments: object) -> list[str]:
    code = 'import sys; from livevlm_ros.cli import main; sys.exit(main())'
    return [sys.executable, '-c', code, *map(str, arguments)]


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Film a short stream with questions in its last quarter."""
    folder = tmp_path_factory.mktemp('replay') / 'film'
    write_world(folder, Filming(seed=8, frames=(16, 16), size=(160, 120), questions=12))
    return folder / 'stream-0000'


@pytest.fixture(scope='module')
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp('video') / 'walk.avi'
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*'MJPG'), 10.0, (64, 48))
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    return file


def parameters(*given: str) -> dict[str, Any]:
    return node_parameters(model='embedded', preset=PRESET, fps=1.0, given=given)


def test_settings_are_parameters_of_the_node_with_their_types() -> None:
    found = parameters('seed=3', 'ingest.gate=true', 'ask.default_budget=1', 'model.dtype=auto')
    assert found['memory.preset'] == PRESET
    assert (found['seed'], found['ingest.gate'], found['model.dtype']) == (3, True, 'auto')
    assert found['ask.default_budget'] == 1.0
    assert isinstance(found['ask.default_budget'], float)


def test_a_replay_computes_in_float32_as_offline() -> None:
    assert parameters()['model.dtype'] == 'float32'


@pytest.mark.parametrize(
    ('setting', 'says'),
    [
        ('seed', 'expected name=value'),
        ('memory.colour=1', "no setting 'memory.colour'"),
        ('seed=many', "got 'many'"),
        ('ingest.gate=1', "got '1'"),
        ('camera_names=a', "no setting 'camera_names'"),
        ('ingest.target_fps=0', 'expected 0.01 to 120'),
        ('model.dtype=int3', "'int3', expected one of"),
        ('ask.default_budget=99', 'at most ask.max_budget'),
    ],
)
def test_a_setting_that_the_node_would_not_take_is_refused(setting: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        parameters(setting)


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        (('nowhere',), 'nowhere: no such file'),
        (('{film}.mp4',), 'mp4'),
        (('{video}',), 'walk.avi: a video has no ROS messages; livevlm bag '),
        (('{film}', '--topic', '/rear'), 'no images on topic /rear'),
        (('{film}', '--questions', 'nowhere.yaml'), 'nowhere.yaml: cannot be read'),
        (('{film}', '--preset', 'elephant'), 'elephant'),
        (('{film}', '--fps', '0.001'), 'ingest.target_fps=0.001: expected 0.01 to 120'),
        (('{film}', '--set', 'memory.colour=1'), 'memory.colour'),
        (('{film}', '--json', '/nowhere/r.json'), '/nowhere/r.json: cannot be written'),
    ],
)
def test_bad_input_is_one_line_and_starts_nothing(
    bag: Path,
    video: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.setattr('livevlm_ros.node.replay.Children.start', pytest.fail)
    given = [argument.format(film=bag, video=video) for argument in arguments]
    result = CliRunner().invoke(app, ['replay', *given])
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stderr.count('\n') == 1


def test_the_player_is_told_the_stretch_that_is_asked_about(bag: Path) -> None:
    children, started = SimpleNamespace(start=lambda name, given: started.append(given)), []
    for stretch in (Stretch(3.0, 5.0), WHOLE):
        _start(children, Replay(bag, stretch=stretch), {})
    assert [(given['start'], given['duration']) for given in started[1::2]] == [
        (3.0, 5.0),
        (0.0, 0.0),
    ]
    assert [stretch_of(given) for given in started[1::2]] == [Stretch(3.0, 5.0), WHOLE]


@pytest.mark.slow
def test_a_replay_answers_as_evaluate_does_and_counts_the_same_frames(
    bag: Path, checkpoint: Path, tmp_path: Path
) -> None:
    reports = {}
    options = ('--preset', PRESET, '--model', checkpoint, '--set', 'ask.default_max_tokens=4')
    for command in ('evaluate', 'replay'):
        file = tmp_path / f'{command}.json'
        arguments = livevlm(command, bag, *options, '--json', file)
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, done.stderr
        reports[command] = json.loads(file.read_text(encoding='utf-8'))
    online, offline = reports['replay'], reports['evaluate']
    assert online['online'] == {'rate': 1.0, 'lost': 0, 'late': 0, 'shifted': 0}
    assert online.keys() - {'online'} == offline.keys()
    pairs = list(zip(online['answers'], offline['answers'], strict=True))
    assert len(pairs) == 12
    same = [ours['given'] == theirs['given'] for ours, theirs in pairs]
    assert sum(same) >= 0.95 * len(pairs)
    assert [ours['age'] for ours, _ in pairs] == [theirs['age'] for _, theirs in pairs]
    for key in ('frames_in', 'frames_used', 'dropped_by'):
        assert online['ingest'][key] == offline['ingest'][key]
    assert online['memory'] == offline['memory']
    assert online['model'] == offline['model']


@pytest.mark.parametrize(
    ('online', 'nothing', 'code'),
    [
        ({'lost': 0, 'late': 0, 'shifted': 3}, '', 0),
        ({'lost': 1, 'late': 0, 'shifted': 0}, '', 1),
        ({'lost': 0, 'late': 1, 'shifted': 0}, '', 1),
        ({'lost': 0, 'late': 0, 'shifted': 0}, 'no frame was used', 3),
    ],
    ids=['shifted', 'lost', 'late', 'nothing'],
)
def test_a_replay_that_went_wrong_fails_after_its_report_is_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    online: dict[str, int],
    nothing: str,
    code: int,
) -> None:
    monkeypatch.setattr('livevlm_ros.node.replay.print_report', lambda report, console: None)
    file = tmp_path / 'r.json'
    report = {'online': online, 'nothing_measured': nothing}
    assert publish(Run(report, Evaluation()), Replay(tmp_path, json_file=file)) == code
    assert json.loads(file.read_text(encoding='utf-8')) == report
    assert nothing in capsys.readouterr().err


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded_is_bad_input(bag: Path) -> None:
    arguments = livevlm('replay', bag, '--model', '/no/such/model')
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert '/no/such/model' in done.stderr
    assert 'Traceback' not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize('kind', [signal.SIGINT, signal.SIGTERM], ids=['SIGINT', 'SIGTERM'])
def test_an_interrupted_replay_leaves_no_process(
    kind: int,
    bag: Path,
    checkpoint: Path,
    eventually: Callable[..., Any],
    children_of: Callable[[int], list[int]],
    is_gone: Callable[[int], bool],
) -> None:
    replay = subprocess.Popen(livevlm('replay', bag, '--model', checkpoint))
    started = eventually(lambda: (found := children_of(replay.pid))[1:] and found)
    replay.send_signal(kind)
    assert replay.wait(60) == 1
    for child in started:
        eventually(lambda child=child: is_gone(child), 10)
