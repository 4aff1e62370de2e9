# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Launch files start what exists, with known parameters, and use every argument they declare."""

import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ament_index_python import packages

from livevlm_ros.node.parameters import table

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(ROOT.glob('launch/*.launch.py'), key=lambda path: path.name)
CAMERA = ROOT / 'launch/camera.launch.py'
DEMO = ROOT / 'launch/demo.launch.py'
REPLAY = ROOT / 'launch/replay.launch.py'
REQUIRED = {REPLAY: {'bag': '/bag'}}
NODE = 'livevlm_node'
ENDED = SimpleNamespace(returncode=0, process_name='program-1')
FAILED = SimpleNamespace(returncode=2, process_name='program-1')
RUNNING, ENDING = SimpleNamespace(is_shutdown=False), SimpleNamespace(is_shutdown=True)

Launched = Callable[..., Any]
each_file = pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)


@pytest.fixture(autouse=True)
def camera_drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every driver be installed."""
    monkeypatch.setattr('ament_index_python.packages.get_package_prefix', lambda package: '/opt')


def variants(argument: Any) -> list[str]:
    """Return values other than the default."""
    if argument.choices:
        return [choice for choice in argument.choices if choice != default(argument)]
    return [__file__ if argument.name == 'params_file' else '12']


def default(argument: Any) -> str:
    """Return the default of an argument as text, of launch or of its stand-in."""
    value = argument.default_value
    return value if isinstance(value, str) else ''.join(part.perform(None) for part in value)


@each_file
def test_every_argument_is_described_and_has_an_effect(launched: Launched, path: Path) -> None:
    required = REQUIRED.get(path, {})
    usual = launched(path, required)
    for name, argument in usual.arguments.items():
        assert len(argument.description.split()) > 2, f'{name} is not described'
        for value in variants(argument):
            changed = launched(path, {**required, name: value})
            assert changed.nodes != usual.nodes, f'{name} has no effect'


def test_a_value_that_is_no_choice_is_refused(launched: Launched) -> None:
    with pytest.raises(RuntimeError, match='camera_driver'):
        launched(CAMERA, {'camera_driver': 'kinect'})


@each_file
def test_every_executable_is_installed(
    launched: Launched, path: Path, setup_arguments: dict[str, Any]
) -> None:
    scripts = setup_arguments['entry_points']['console_scripts']
    ours = {script.split(' = ')[0] for script in scripts}
    required = REQUIRED.get(path, {})
    for driver in launched(path, required).arguments['camera_driver'].choices:
        for node in launched(path, {**required, 'camera_driver': driver}).nodes:
            if node['package'] == 'livevlm_ros':
                assert node['executable'] in ours
            else:
                assert (node['package'], node['executable']) == ('v4l2_camera', 'v4l2_camera_node')


@each_file
def test_every_parameter_is_known_to_the_node(launched: Launched, path: Path) -> None:
    given = {'image_topic': '/front', 'model': '/m', 'device': 'cuda', 'preset': 'full'}
    file, *overrides = launched(path, REQUIRED.get(path, {}) | given).node(NODE)['parameters']
    (section,) = yaml.safe_load(Path(file).read_text(encoding='utf-8')).values()
    names = [name for name, _ in flat(section['ros__parameters'])]
    names += [name for override in overrides for name in override]
    assert names
    assert set(names) <= {*table(), 'use_sim_time'}


@pytest.mark.parametrize(
    ('path', 'arguments'),
    [(CAMERA, {'camera_driver': 'world'}), (DEMO, {})],
    ids=['camera.launch.py', 'demo.launch.py'],
)
def test_every_parameter_is_known_to_the_world_camera(
    launched: Launched, path: Path, arguments: dict[str, str]
) -> None:
    module = pytest.importorskip('livevlm_ros.node.world_camera')
    known = {'use_sim_time', *(parameter.name for parameter in module.PARAMETERS)}
    given = launched(path, arguments).node('world_camera')['parameters']
    assert {name for parameters in given for name in parameters} <= known


def test_the_demo_remembers_everything_in_world_time(launched: Launched) -> None:
    started = launched(DEMO, {'seed': '3', 'speed': '5', 'namespace': 'robot1'})
    node, camera = started.node(NODE), started.node('world_camera')
    assert node['parameters'][1:] == [
        {'use_sim_time': True},
        {'cameras.camera.topic': 'camera/image_raw', 'memory.preset': 'balanced'},
    ]
    assert camera['parameters'][0] | {'seed': 3, 'speed': 5.0} == camera['parameters'][0]
    assert node['namespace'] == camera['namespace'] == 'robot1'


@pytest.mark.parametrize('given', [{}, {'image_topic': 'front/image'}, {'preset': 'recent'}])
def test_the_demo_films_where_its_node_listens_and_lets_the_user_choose(
    launched: Launched, given: dict[str, str]
) -> None:
    started = launched(DEMO, given)
    node = started.node(NODE)['parameters'][-1]
    (camera,) = started.node('world_camera')['parameters']
    assert node['cameras.camera.topic'] == camera['topic']
    assert camera['topic'] == given.get('image_topic', 'camera/image_raw')
    assert node['memory.preset'] == given.get('preset', 'balanced')


@pytest.mark.parametrize(('name', 'value'), [('use_sim_time', 'false'), ('camera_driver', 'v4l2')])
def test_what_the_demo_fixes_is_refused(launched: Launched, name: str, value: str) -> None:
    with pytest.raises(RuntimeError, match=name):
        launched(DEMO, {name: value})


@pytest.mark.parametrize('executable', ['bag_player', 'replay_evaluator'])
def test_every_parameter_is_known_to_player_and_evaluator(
    launched: Launched, executable: str
) -> None:
    module = pytest.importorskip(f'livevlm_ros.node.{executable}')
    (given,) = launched(REPLAY, {'bag': '/b'}).node(executable)['parameters']
    assert given.keys() <= {parameter.name for parameter in module.PARAMETERS}


def test_a_replay_is_played_to_the_node_that_is_asked_about_it(launched: Launched) -> None:
    arguments = {'bag': '/b', 'questions': '/q.yaml', 'out': 'r.json', 'rate': '2'}
    stretch = {'start': '3', 'duration': '5'}
    started = launched(
        REPLAY, {**arguments, **stretch, 'image_topic': 'front', 'namespace': 'robot1'}
    )
    node = started.node(NODE)
    (player,) = started.node('bag_player')['parameters']
    (evaluator,) = started.node('replay_evaluator')['parameters']
    assert node['parameters'][1:] == [{'use_sim_time': True}, {'cameras.camera.topic': 'front'}]
    assert player['bag'] == evaluator['bag'] == '/b'
    assert player['rate'] == evaluator['rate'] == 2.0
    assert player['start'] == evaluator['start'] == 3.0
    assert player['duration'] == evaluator['duration'] == 5.0
    assert player['image_topic'] == 'front'
    assert player['wait_for_subscriber'] and player['clock_listeners'] == 2
    assert (evaluator['questions'], evaluator['out']) == ('/q.yaml', 'r.json')
    assert {made['namespace'] for made in started.nodes} == {'robot1'}


def test_a_replay_without_a_bag_is_refused(launched: Launched) -> None:
    with pytest.raises(RuntimeError, match='bag'):
        launched(REPLAY, {})


def test_the_end_of_the_evaluator_ends_the_replay_and_its_failure_fails_it(
    launched: Launched, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = launched(REPLAY, {'bag': '/b'})
    assert started.node('replay_evaluator')['on_exit'] == 'end'
    assert started.node('bag_player')['on_exit'] == 'check'
    check, end = (functions(REPLAY, monkeypatch)[name] for name in ('check', 'end'))
    assert not check(ENDED, RUNNING)
    (last,) = end(ENDED, RUNNING)
    assert type(last).__name__ == 'Shutdown'
    assert end(ENDED, ENDING) == []
    for on_exit in (check, end):
        with pytest.raises(RuntimeError, match='program-1 exited with 2'):
            on_exit(FAILED, RUNNING)


@pytest.mark.parametrize(
    ('path', 'executable'),
    [(CAMERA, NODE), (CAMERA, 'world_camera'), (DEMO, NODE), (DEMO, 'world_camera')],
)
def test_launch_ends_with_the_node_or_its_camera_and_fails_with_it(
    launched: Launched, monkeypatch: pytest.MonkeyPatch, path: Path, executable: str
) -> None:
    arguments = {'camera_driver': 'world'} if path == CAMERA else {}
    assert launched(path, arguments).node(executable)['on_exit'] == 'end'
    end = functions(path, monkeypatch)['end']
    (last,) = end(ENDED, RUNNING)
    assert type(last).__name__ == 'Shutdown'
    assert end(ENDED, ENDING) == []
    with pytest.raises(RuntimeError, match='exited with 2'):
        end(FAILED, RUNNING)


def functions(path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what a launch file defines."""
    for action in ('Node', 'LifecycleNode'):
        monkeypatch.setattr(f'launch_ros.actions.{action}', object, raising=False)
    return runpy.run_path(str(path))


@each_file
def test_without_its_parameter_file_nothing_is_started(launched: Launched, path: Path) -> None:
    arguments = {**REQUIRED.get(path, {}), 'params_file': '/nowhere.yaml'}
    with pytest.raises(RuntimeError, match=r"params_file is '/nowhere\.yaml', expected a file"):
        launched(path, arguments)


def test_without_its_driver_nothing_is_started(
    launched: Launched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(package: str) -> str:
        raise packages.PackageNotFoundError(package)

    monkeypatch.setattr('ament_index_python.packages.get_package_prefix', missing)
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    with pytest.raises(RuntimeError, match='sudo apt install ros-jazzy-v4l2-camera'):
        launched(CAMERA, {'camera_driver': 'v4l2'})


def flat(tree: dict[str, Any], prefix: str = '') -> list[tuple[str, Any]]:
    """Return the dotted names and values of a parameter file's tree."""
    rows: list[tuple[str, Any]] = []
    for name, value in tree.items():
        inner = flat(value, f'{prefix}{name}.') if isinstance(value, dict) else None
        rows += inner if inner is not None else [(prefix + name, value)]
    return rows


def test_without_arguments_the_parameter_file_decides(launched: Launched) -> None:
    _, *overrides = launched(CAMERA, {}).node(NODE)['parameters']
    assert overrides == [{'use_sim_time': False}, {}]


def test_arguments_win_over_the_parameter_file(launched: Launched) -> None:
    given = {'image_topic': '/front', 'model': '/m', 'device': 'cuda', 'preset': 'full'}
    assert launched(CAMERA, given).node(NODE)['parameters'][-1] == {
        'cameras.camera.topic': '/front',
        'model.path': '/m',
        'model.device': 'cuda',
        'memory.preset': 'full',
    }


@pytest.mark.parametrize(
    ('image', 'info'),
    [('/front', '/camera_info'), ('front', 'camera_info'), ('/a/b', '/a/camera_info')],
)
def test_a_driver_tells_its_calibration_beside_its_images(
    launched: Launched, image: str, info: str
) -> None:
    given = {'camera_driver': 'v4l2', 'image_topic': image}
    assert dict(launched(CAMERA, given).nodes[1]['remappings'])['camera_info'] == info


@pytest.mark.parametrize('driver', ['none', 'world', 'v4l2'])
def test_the_page_is_served_beside_the_node_and_does_not_end_it(
    launched: Launched, driver: str
) -> None:
    given = {'camera_driver': driver, 'namespace': 'robot1'}
    assert 'livevlm' not in [node['executable'] for node in launched(CAMERA, given).nodes]
    page = launched(CAMERA, {**given, 'web': 'true'}).node('livevlm')
    assert page['arguments'] == ['view', '--namespace', 'robot1']
    assert 'on_exit' not in page


@pytest.mark.parametrize('driver', ['world', 'v4l2'])
def test_a_driver_publishes_where_the_node_listens(launched: Launched, driver: str) -> None:
    node, camera = launched(
        CAMERA, {'camera_driver': driver, 'image_topic': '/front', 'namespace': 'robot1'}
    ).nodes
    publishes = {
        'world': lambda: camera['parameters'][-1]['topic'],
        'v4l2': lambda: dict(camera['remappings'])['image_raw'],
    }
    assert publishes[driver]() == '/front'
    assert node['parameters'][-1]['cameras.camera.topic'] == '/front'
    assert node['namespace'] == camera['namespace'] == 'robot1'


def test_the_dds_profile_is_set(launched: Launched, root: Path) -> None:
    assert Path(launched(CAMERA, {}).environment) == root / 'config/fastdds.xml'


def test_a_dds_profile_of_the_user_is_kept(
    launched: Launched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('FASTDDS_DEFAULT_PROFILES_FILE', '/mine.xml')
    assert launched(CAMERA, {}).environment == '/mine.xml'
