# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ROS for the node's tests: a domain of their own, peers, processes and a fake engine."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import rclpy
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.action import client as action_client
from rclpy.context import Context
from rclpy.node import Node
from rclpy.task import Future

from livevlm_ros.node.client import Client
from livevlm_ros.node.executor import NodeExecutor
from livevlm_ros.node.spinning import Spinner
from livevlm_ros.share import PROFILE_VARIABLE, share_file

FAREWELL_S = 10.0  # for a node to end after SIGINT
PATIENCE_S = 60.0  # for what takes well under a second on an idle machine


@pytest.fixture(scope='module', autouse=True)
def own_domain(ros_domains: Iterator[int]) -> Iterator[None]:
    """
    Keep the tests of a file, and their children, apart from all other ROS nodes.

    Those of the file before among them: what is left of a node stays in discovery for a while, and
    takes requests that are then lost.
    """
    before = {name: os.environ.get(name) for name in ('ROS_DOMAIN_ID', PROFILE_VARIABLE)}
    os.environ['ROS_DOMAIN_ID'] = str(next(ros_domains))
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ[PROFILE_VARIABLE] = str(share_file('config/fastdds.xml'))
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    yield
    gc.unfreeze()  # what `heap.spare_collections` set aside: the nodes of this file, and their DDS
    gc.collect()
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


def eventually(condition: Callable[[], Any], timeout_s: float = PATIENCE_S) -> Any:
    """Look until a condition holds; return what it gave, or fail."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f'not within {timeout_s:g} s: {condition}'
        time.sleep(0.02)
    return found


@pytest.fixture(name='eventually', scope='session')
def eventually_fixture() -> Callable[..., Any]:
    """Give `eventually`."""
    return eventually


class Ros:
    """A context whose nodes spin in the background."""

    def __init__(self) -> None:
        self.context = Context()
        rclpy.init(context=self.context)
        self.executor = NodeExecutor(16, context=self.context)
        self.nodes: list[Node] = []
        self._spinner = Spinner(self.executor)

    def add(self, node: Node) -> Any:
        """Spin a node too."""
        self.nodes.append(node)
        self.executor.add_node(node)
        return node

    def node(self, name: str = 'peer') -> Node:
        """Make a plain node that spins."""
        return self.add(rclpy.create_node(name, context=self.context))

    def close(self) -> None:
        """Destroy the nodes."""
        self._spinner.stop()
        self.executor.shutdown(timeout_sec=2.0, wait_for_threads=False)
        for node in self.nodes:
            node.destroy_node()
        rclpy.try_shutdown(context=self.context)


@pytest.fixture
def ros() -> Iterator[Ros]:
    """Give a ROS context of the test's own."""
    ros = Ros()
    yield ros
    ros.close()


@pytest.fixture(scope='module')
def shared_ros() -> Iterator[Ros]:
    """Give a ROS context for the tests of a file."""
    ros = Ros()
    yield ros
    ros.close()


class Process:
    """A node in a process of its own, its output in a file."""

    def __init__(self, module: str, log: Path, arguments: list[str], env: dict[str, str]) -> None:
        self.log = log
        self._file = log.open('wb')
        self.popen = subprocess.Popen(
            [sys.executable, '-m', module, '--ros-args', *arguments],
            stdout=self._file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env},
        )

    def said(self) -> str:
        """Return all output so far."""
        return self.log.read_text(encoding='utf-8', errors='replace')

    def interrupt(self) -> tuple[int, float]:
        """Send SIGINT; return the exit code and the seconds it took."""
        began = time.monotonic()
        self.popen.send_signal(signal.SIGINT)
        code = self.popen.wait(PATIENCE_S)
        return code, time.monotonic() - began

    def close(self) -> None:
        """
        End it if it still runs, as a user would.

        A node that is killed stays in discovery for 20 s: a client of the next test would find its
        services, and send what nobody takes.
        """
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGINT)
            try:
                self.popen.wait(FAREWELL_S)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        self._file.close()


class Processes:
    """Starts node processes and ends them with the test."""

    def __init__(self, folder: Path, checkpoint: Callable[[], Path]) -> None:
        self._folder = folder
        self._checkpoint = checkpoint
        self._all: list[Process] = []

    def start(
        self,
        module: str,
        parameters: dict[str, Any] | None = None,
        *,
        arguments: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
    ) -> Process:
        """Start `python -m livevlm_ros.node.<module>` with ROS parameters."""
        words = list(arguments)
        for name, value in (parameters or {}).items():
            words += ['-p', f'{name}:={str(value).lower() if isinstance(value, bool) else value}']
        log = self._folder / f'{module}{len(self._all)}.log'
        process = Process(f'livevlm_ros.node.{module}', log, words, env or {})
        self._all.append(process)
        return process

    def node(self, parameters: dict[str, Any] | None = None, **options: Any) -> Process:
        """Start the node with the small random model."""
        given = {'model.path': self._checkpoint(), **(parameters or {})}
        return self.start('main', given, **options)

    def close(self) -> None:
        """End all."""
        for process in self._all:
            process.close()


@pytest.fixture(scope='session')
def needs_torch() -> None:
    """Skip a test where there is none."""
    pytest.importorskip('torch')


@pytest.fixture(scope='session')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a checkpoint of the embedded model's shape with random weights."""
    pytest.importorskip('torch')
    from livevlm_ros.training.checkpoint import build_model, save_checkpoint

    folder = tmp_path_factory.mktemp('checkpoint')
    save_checkpoint(build_model(0), folder)
    return folder


@pytest.fixture
def processes(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Processes]:
    """Give a starter of node processes."""
    processes = Processes(tmp_path, lambda: request.getfixturevalue('checkpoint'))
    yield processes
    processes.close()


@pytest.fixture(scope='module')
def shared_processes(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Processes]:
    """Give a starter of node processes that last for the tests of a file."""
    folder = tmp_path_factory.mktemp('processes')
    processes = Processes(folder, lambda: request.getfixturevalue('checkpoint'))
    yield processes
    processes.close()


@pytest.fixture
def client() -> Iterator[Client]:
    """Give a client of the node in the root namespace."""
    with Client(follows_clock=True) as client:
        yield client


@pytest.fixture
def slow_to_note(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an rclpy action client be slow to note whose reply it waits for, after it has sent."""

    def future() -> Any:
        time.sleep(0.5)  # in which the reply comes
        return Future()

    monkeypatch.setattr(action_client, 'Future', future)


class FakeEngine:
    """An engine without a model: keeps what it was given and answers what it was told to."""

    def __init__(self, inquiry: type) -> None:
        self._inquiry = inquiry
        self.frames: list[Any] = []
        self.turned_away: list[tuple[str, str]] = []
        self.questions: list[Any] = []
        self.calls: list[str] = []
        self.events: list[Any] = []
        self.watches: Any = SimpleNamespace(take_events=lambda: ((), 0))
        self.newest_pictures: Callable[[], dict[str, Any]] = dict
        self.answer: Callable[[Any], Any] | None = None
        self.held = False  # whether questions wait for what the test lets them say
        self.inquiries: list[Any] = []
        self.seen = threading.Event()

    def see(self, frame: Any) -> None:
        """Keep a frame."""
        self.frames.append(frame)
        self.seen.set()

    def turn_away(self, camera: str, why: str) -> None:
        """Keep why an image made no frame."""
        self.turned_away.append((camera, why))

    def begin(self, question: Any, *, received_s: float | None = None) -> Any:
        """Keep a question and answer it, when it is no longer held."""
        self.questions.append(question)
        self.inquiries.append(self._inquiry(question, self.answer, held=self.held))
        return self.inquiries[-1]

    def take_events(self) -> tuple[list[Any], int]:
        """Hand out events, of which none is lost."""
        taken, self.events = self.events, []
        return taken, 0

    def start(self) -> None:
        """Note it."""
        self.calls.append('start')

    def stop(self, timeout_s: float = 3.0) -> bool:
        """Note it."""
        self.calls.append('stop')
        return True

    def cleanup(self) -> None:
        """Note it."""
        self.calls.append('cleanup')

    def stats(self) -> Any:
        """Return the numbers of an engine that has done nothing."""
        import math

        from livevlm_ros.engine.slot import CameraStats
        from livevlm_ros.engine.stats import AskStats, EngineStats, Percentiles

        none = Percentiles()
        return EngineStats(
            state='running',
            busy_with='idle',
            heartbeat_age_s=math.nan,
            cameras={'camera': CameraStats()},
            unknown_cameras=CameraStats(),
            time_jumps=0,
            ask=AskStats({}, 0, 0, 0, none, none),
            memory=None,
            model=None,
        )


@pytest.fixture
def fake_engine(fake_inquiry: type) -> FakeEngine:
    """Give an engine that does nothing."""
    return FakeEngine(fake_inquiry)


@pytest.fixture
def live_node(ros: Ros, fake_engine: FakeEngine) -> Callable[..., Any]:
    """Give a maker of nodes with the fake engine; they spin and do not start by themselves."""
    from rclpy.parameter import Parameter

    from livevlm_ros.node.node import LiveVlmNode

    def make(parameters: dict[str, Any] | None = None, *, make_engine: Any = None) -> Any:
        given = {'autostart': False, **(parameters or {})}
        return ros.add(
            LiveVlmNode(
                make_engine=make_engine or (lambda values, stage: fake_engine),
                context=ros.context,
                parameter_overrides=[Parameter(name, value=v) for name, v in given.items()],
            )
        )

    return make


class Lifecycle:
    """Drives a node's lifecycle from outside."""

    def __init__(self, node: Node, name: str = '/livevlm') -> None:
        self._change = node.create_client(ChangeState, f'{name}/change_state')
        self._state = node.create_client(GetState, f'{name}/get_state')
        self._answers = False

    def change(self, transition: int) -> bool:
        """Make a transition and return whether it was made."""
        self._find()
        request = ChangeState.Request()
        request.transition.id = transition
        return bool(self._call(self._change, request).success)

    def state(self) -> str:
        """Return the label of the state."""
        return str(self._call(self._state, GetState.Request()).current_state.label)

    def _find(self) -> None:
        """
        Wait until the node answers, by a question that may be asked twice.

        The services of an earlier test's node are in discovery for some seconds after its end; a
        transition sent to those alone would be made by nobody.
        """
        while not self._answers:
            assert self._state.wait_for_service(PATIENCE_S)
            self._answers = self._send(self._state, GetState.Request(), patience_s=1.0)[0]

    def _call(self, client: Any, request: Any) -> Any:
        assert client.wait_for_service(PATIENCE_S)
        answered, result = self._send(client, request, patience_s=PATIENCE_S)
        assert answered
        return result

    def _send(self, client: Any, request: Any, *, patience_s: float) -> tuple[bool, Any]:
        """Send a request; return whether an answer came in time, and the answer."""
        done = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        return (True, future.result()) if done.wait(patience_s) else (False, None)


@pytest.fixture
def lifecycle(ros: Ros) -> Lifecycle:
    """Give the remote control of the node in the root namespace."""
    return Lifecycle(ros.node('remote'))
