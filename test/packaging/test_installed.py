# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `colcon build` installs is complete, and the node runs from it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

BIN = Path(sys.executable).parent
START_S = 240.0
STOP_S = 5.0


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a shell in which this Python's ROS is sourced."""
    prefix = os.environ.get('AMENT_PREFIX_PATH', sys.prefix)
    return {
        **os.environ,
        'PATH': f'{BIN}:{os.environ["PATH"]}',
        'AMENT_PREFIX_PATH': prefix,
        'CMAKE_PREFIX_PATH': os.environ.get('CMAKE_PREFIX_PATH', prefix),
        **more,
    }


@pytest.fixture(scope='module')
def install(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build both packages into a temporary folder, without links into the source."""
    colcon = shutil.which('colcon', path=f'{BIN}:{os.environ["PATH"]}')
    if colcon is None:
        pytest.skip('colcon is not installed')
    folder = tmp_path_factory.mktemp('colcon')
    command = [colcon, '--log-base', 'log', 'build', '--build-base', 'build']
    command += ['--install-base', 'install', '--base-paths', str(root)]
    command += [str(root / 'livevlm_interfaces')]
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '2 packages finished' in done.stdout
    return folder / 'install'


def sourced(install: Path, command: str, **more: str) -> list[str]:
    """Return a command line that runs in a shell with the install folder and ROS sourced."""
    wheels = environment(**more)['AMENT_PREFIX_PATH']
    setup = f'. {install}/setup.bash; export AMENT_PREFIX_PATH=$AMENT_PREFIX_PATH:{wheels}'
    return ['bash', '-c', f'{setup}; exec {command}']


def test_both_packages_are_found_from_the_repository(root: Path, install: Path) -> None:
    done = subprocess.run(
        [str(shutil.which('colcon', path=f'{BIN}:{os.environ["PATH"]}')), 'list', '--names-only'],
        cwd=root,
        env=environment(COLCON_LOG_PATH=str(install.parent / 'list')),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ['livevlm_interfaces', 'livevlm_ros']


def test_executables_and_data_files_are_installed(
    install: Path, setup_arguments: dict[str, Any]
) -> None:
    prefix = install / 'livevlm_ros'
    for script in setup_arguments['entry_points']['console_scripts']:
        assert os.access(prefix / 'lib/livevlm_ros' / script.split(' = ')[0], os.X_OK)
    for folder, files in setup_arguments['data_files']:
        for file in files:
            assert (prefix / folder / Path(file).name).is_file()


def test_every_file_of_the_package_is_installed(root: Path, install: Path) -> None:
    (site,) = install.glob('livevlm_ros/lib/python3.*/site-packages')
    folders = {
        'livevlm_ros': 'livevlm_ros',
        'livevlm_kernels': 'kernels',
        'livevlm_bench': 'bench',
    }
    for name, folder in folders.items():
        wanted = {path.relative_to(root / folder) for path in (root / folder).rglob('*')}
        wanted = {path for path in wanted if '__pycache__' not in path.parts}
        assert wanted
        assert {path for path in wanted if not (site / name / path).exists()} == set()


def test_the_installed_code_is_what_runs(install: Path) -> None:
    code = 'import livevlm_ros, livevlm_kernels; print(livevlm_ros.__file__)'
    command = sourced(install, f'{sys.executable} -c "{code}"')
    done = subprocess.run(
        command, env=environment(), cwd='/', capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(str(install))


@pytest.fixture
def domain(ros_domains: Iterator[int]) -> int:
    """Return a ROS domain of the test's own."""
    return next(ros_domains)


@pytest.fixture
def node(install: Path, domain: int) -> Iterator[subprocess.Popen[str]]:
    """Start the installed node with its installed parameter file."""
    share = install / 'livevlm_ros/share/livevlm_ros'
    program = install / 'livevlm_ros/lib/livevlm_ros/livevlm_node'
    process = subprocess.Popen(
        sourced(install, f'{program} --ros-args --params-file {share}/config/livevlm.yaml'),
        env=environment(ROS_DOMAIN_ID=str(domain)),
        cwd='/',
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def test_the_installed_node_becomes_active_and_ends_cleanly(
    node: subprocess.Popen[str], domain: int
) -> None:
    assert wait_until_active(node, domain), ended(node)
    node.send_signal(signal.SIGINT)
    began_s = time.monotonic()
    output = ended(node)
    assert time.monotonic() - began_s < STOP_S, output
    assert node.returncode == 0, output


def ended(node: subprocess.Popen[str]) -> str:
    """Wait for the node's end, for a while, and return what it printed."""
    try:
        return node.communicate(timeout=2 * STOP_S)[0]
    except subprocess.TimeoutExpired:
        node.kill()
        return node.communicate()[0]


def wait_until_active(node: subprocess.Popen[str], domain: int) -> bool:
    """Ask for the lifecycle state until it is active; False if the node ends or takes too long."""
    rclpy = pytest.importorskip('rclpy')
    from lifecycle_msgs.msg import State
    from lifecycle_msgs.srv import GetState

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    try:
        asker = rclpy.create_node('asker', context=context)
        executor = rclpy.executors.SingleThreadedExecutor(context=context)
        executor.add_node(asker)
        client = asker.create_client(GetState, 'livevlm/get_state')
        deadline_s = time.monotonic() + START_S
        while time.monotonic() < deadline_s and node.poll() is None:
            if not client.wait_for_service(timeout_sec=0.5):
                continue
            answer = client.call_async(GetState.Request())
            executor.spin_until_future_complete(answer, timeout_sec=2.0)
            state = answer.result()
            if state and state.current_state.id == State.PRIMARY_STATE_ACTIVE:
                return True
        return False
    finally:
        rclpy.shutdown(context=context)
