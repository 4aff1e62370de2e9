# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
import yaml

from livevlm_ros.replay.card import COURSES


def test_train_passes_on_its_options(
    livevlm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
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


def test_train_lets_half_the_cores_compose_for_a_gpu(
    livevlm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from livevlm_ros.training import train

    given: list[train.TrainingConfig] = []
    monkeypatch.setattr(train, 'train', given.append)
    monkeypatch.setattr('torch.cuda.is_available', lambda: True)
    monkeypatch.setattr('os.sched_getaffinity', lambda pid: set(range(16)))
    code, _, _ = livevlm('train', '--out', tmp_path, '--device', 'cuda')
    assert code == 0
    assert given == [train.TrainingConfig(out=tmp_path, device='cuda', workers=8)]


def test_train_refuses_a_gpu_that_is_not_there(
    refused, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    assert 'no GPU' in refused('train', '--out', tmp_path, '--device', 'cuda')


def test_train_refuses_to_resume_from_nothing(refused, tmp_path: Path) -> None:
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
    refused, checkpoint: Path, tmp_path: Path, record: str | None, says: str
) -> None:
    for file in checkpoint.iterdir():
        (tmp_path / file.name).symlink_to(file)
    if record is not None:
        (tmp_path / 'training.json').write_text(record)
    error = refused('card', '--out', tmp_path / 'card.md', '--model', tmp_path)
    assert str(tmp_path) in error and says in error
    assert says in refused('train', '--out', tmp_path / 'out', '--resume', tmp_path)


def test_card_refuses_a_model_that_is_none_in_one_line(refused, tmp_path: Path) -> None:
    error = refused('card', '--out', tmp_path / 'card.md', '--model', tmp_path / 'nope')
    assert f'no model folder {tmp_path}/nope' in error


def test_card_refuses_a_checkpoint_that_cannot_be_loaded_in_one_line(
    refused, checkpoint: Path, tmp_path: Path
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


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch):
    """Let calibration find two heads, whatever it is given; returns what it was given."""
    from livevlm_ros.engine import HeadChoice
    from livevlm_ros.replay import calibrate, doubting
    from livevlm_ros.replay.absence import Absences, Withheld
    from livevlm_ros.replay.accuracy import rate
    from livevlm_ros.replay.fitting import Sureness

    given: list = []

    def calibration(config, **options):
        given.append((config, options))
        retrieval = {'page_tokens': 9, 'heads': {2: [0, 1]}}
        sureness = Sureness({'confidence': {'temperature': 1.5}}, 30, 0, 0.04, 0.01)
        choice = HeadChoice({}, [], [], {})
        return calibrate.Calibration(retrieval, choice, {}, [], (9, 9), sureness, [])

    def limits(config, settings, **options):
        given.append((settings, options))
        withheld = Withheld(rate(8, 100), rate(1, 100), rate(2, 200))
        return Absences({'never': 0.02}, withheld)

    monkeypatch.setattr(calibrate, 'calibrate', calibration)
    monkeypatch.setattr(doubting, 'find_limits', limits)
    return given


def test_calibrate_changes_only_what_it_fits(livevlm, found, tmp_path: Path) -> None:
    out = tmp_path / 'memory.yaml'
    out.write_text('evidence: {layers: [3]}\nmore: 1\nretrieval: {page_tokens: 3}\n')
    code, said, error = livevlm('calibrate', '--out', out, '--source', tmp_path)
    assert code == 0, error
    assert yaml.safe_load(out.read_text()) == {
        'evidence': {'layers': [3]},
        'more': 1,
        'retrieval': {'page_tokens': 9, 'heads': {2: [0, 1]}},
        'confidence': {'temperature': 1.5},
        'absence': {'never': 0.02},
    }
    assert 'temperature 1.5: confidence is 1.0 % off in 30 answers, 4.0 % without it' in said
    assert 'pages are chosen by 2 heads, layer 2: 0 1' in said
    assert "limits 'never' 0.02: 1.0 % of 100 absent things are claimed, 8.0 % without" in said
    (config, options), (settings, more) = found
    assert config.memory.preset == 'balanced' and options['source'] == tmp_path
    assert settings['confidence'] == {'temperature': 1.5} and more['source'] == tmp_path
    assert [file.name for file in tmp_path.iterdir()] == ['memory.yaml']


def test_limits_of_doubt_are_found_alone(livevlm, found, tmp_path: Path) -> None:
    out = tmp_path / 'memory.yaml'
    out.write_text('confidence: {temperature: 3}\n')
    code, said, error = livevlm('calibrate', '--out', out, '--absence')
    assert code == 0, error
    written = yaml.safe_load(out.read_text())
    assert written == {'confidence': {'temperature': 3}, 'absence': {'never': 0.02}}
    assert len(found) == 1 and said.count('memory.yaml:') == 1


def test_a_new_memory_yaml_begins_with_what_the_checkpoint_has(
    livevlm, found, checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'memory.yaml'
    code, _, error = livevlm('calibrate', '--out', out, '--model', checkpoint)
    assert code == 0, error
    own = yaml.safe_load((checkpoint / 'memory.yaml').read_text())
    assert yaml.safe_load(out.read_text())['evidence'] == own['evidence']


@pytest.mark.parametrize(
    'arguments, says',
    [
        (('--out', '{tmp}/no/memory.yaml'), 'cannot be written'),
        (('--out', '{tmp}/bad.yaml'), 'bad.yaml: expected a mapping, got list'),
        (('--out', '{tmp}/m.yaml', '--model', '{tmp}/none'), 'no model folder'),
        (('--out', '{tmp}/m.yaml', '--source', '{tmp}/none'), 'none: no such file'),
    ],
)
def test_what_calibrate_cannot_use_is_one_line(refused, tmp_path: Path, arguments, says) -> None:
    (tmp_path / 'bad.yaml').write_text('- 1\n')
    assert says in refused('calibrate', *(text.format(tmp=tmp_path) for text in arguments))
    assert not (tmp_path / 'm.yaml').exists()


def test_calibrate_says_how_many_questions_it_needs(refused, film: Path, tmp_path: Path) -> None:
    error = refused('calibrate', '--out', tmp_path / 'm.yaml', '--source', film)
    assert '0 questions have evidence' in error and 'expected 20 or more' in error
