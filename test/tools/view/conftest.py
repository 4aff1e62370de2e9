# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node that follows a script, and the page of it served over real HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

pytest.importorskip('rclpy')

import cv2
import numpy as np
import rclpy
import uvicorn
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.action import ActionServer, CancelResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from websockets.asyncio.client import ClientConnection, connect

from livevlm_interfaces import msg, srv
from livevlm_interfaces.action import AskStream
from livevlm_ros.node.executor import NodeExecutor
from livevlm_ros.node.page_client import PageClient
from livevlm_ros.node.spinning import Spinner
from livevlm_ros.tools.listening import listen
from livevlm_ros.tools.view import server
from livevlm_ros.tools.view.page_guard import PageGuard

PATIENCE_S = 60.0
CAMERAS = {'front': '/front/image', 'left': '/left/image/compressed'}
FRAMES = 6
JPEG = cv2.imencode('.jpg', np.full((24, 32, 3), 90, np.uint8))[1].tobytes()


@pytest.fixture(scope='module', autouse=True)
def own_domain(ros_domains: Iterator[int]) -> Iterator[None]:
    """Keep the tests of a file apart from all other ROS nodes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('ROS_DOMAIN_ID', str(next(ros_domains)))
        patch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
        yield


@pytest.fixture(scope='session')
def eventually() -> Callable[..., Any]:
    """Give a function that looks until a condition holds, and returns what it gave."""

    def look(condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        while not (found := condition()):
            assert time.monotonic() < deadline, f'not within {PATIENCE_S:g} s: {condition}'
            time.sleep(0.02)
        return found

    return look


@dataclass
class Script:
    """What a node says, and what it was asked."""

    cameras: dict[str, str] = field(default_factory=lambda: dict(CAMERAS))
    said: str = ''  # of the answer so far
    ended: threading.Event = field(default_factory=threading.Event)
    goals: list[Any] = field(default_factory=list)
    closed_because: str = ''  # of the memory
    watches: list[msg.Watch] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    canceled: int = 0


class ScriptedNode(Node):
    """A node in the shape of livevlm, without an engine."""

    def __init__(self, script: Script, context: Context) -> None:
        super().__init__('livevlm', context=context)
        self.script, group = script, ReentrantCallbackGroup()
        self.images = [
            self.create_publisher(
                CompressedImage if topic.endswith('compressed') else Image, topic, 1
            )
            for topic in script.cameras.values()
        ]
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 1)
        self._state = self.create_publisher(msg.MemoryState, '~/memory_state', 1)
        self.answers = self.create_publisher(msg.AnswerRecord, '~/answers', 10)
        self.events = self.create_publisher(msg.MemoryEvent, '~/events', 100)
        for kind, name, serve in (
            (srv.GetInfo, 'get_info', self._info),
            (srv.QueryTimeline, 'query_timeline', self._timeline),
            (srv.GetFrame, 'get_frame', self._frame),
            (srv.ListWatches, 'list_watches', self._watches),
            (srv.AddWatch, 'add_watch', self._add),
            (srv.RemoveWatch, 'remove_watch', self._remove),
        ):
            self.create_service(kind, f'~/{name}', self._counted(name, serve))
        self.action = ActionServer(
            self,
            AskStream,
            'ask_stream',
            self._ask,
            callback_group=group,
            cancel_callback=lambda goal: CancelResponse.ACCEPT,
        )
        self.create_timer(0.1, self._tell)

    def _counted(self, name: str, serve: Callable[[Any, Any], None]) -> Callable[..., Any]:
        def on_request(request: Any, response: Any) -> Any:
            self.script.calls[name] += 1
            serve(request, response)
            return response

        return on_request

    def _tell(self) -> None:
        healths = [
            DiagnosticStatus(level=DiagnosticStatus.OK, name='livevlm: model', message='m'),
            DiagnosticStatus(level=DiagnosticStatus.WARN, name='livevlm: camera/left'),
            DiagnosticStatus(level=DiagnosticStatus.ERROR, name='another: model'),
        ]
        self._diagnostics.publish(DiagnosticArray(status=healths))
        cameras = [
            msg.CameraState(name=name, topic=topic, frame_age=float('nan'), alive=True)
            for name, topic in self.script.cameras.items()
        ]
        self._state.publish(msg.MemoryState(preset='balanced', cameras=cameras))
        for publisher in self.images:
            publisher.publish(_image(publisher.msg_type))

    def _info(self, request: Any, response: Any) -> None:
        response.model_id, response.preset = 'scripted', 'balanced'
        response.cameras = list(self.script.cameras)

    def _timeline(self, request: Any, response: Any) -> None:
        response.success, response.message = (
            not self.script.closed_because,
            self.script.closed_because,
        )
        response.frames_in_range = FRAMES
        response.frames = [
            _frame(n, camera) for n in range(FRAMES) for camera in self.script.cameras
        ]

    def _frame(self, request: Any, response: Any) -> None:
        number, _, camera = request.frame_key.partition('@')
        response.success = camera in self.script.cameras
        if not response.success:
            response.message = f'frame_key: got {request.frame_key!r}, which is not kept'
            return
        response.frame = _frame(int(number), camera)
        response.frame.thumbnail.data.frombytes(JPEG)

    def _watches(self, request: Any, response: Any) -> None:
        response.watches = self.script.watches

    def _add(self, request: Any, response: Any) -> None:
        request.watch.watch_id = f'w{len(self.script.watches)}'
        self.script.watches.append(request.watch)
        response.success = True

    def _remove(self, request: Any, response: Any) -> None:
        before = len(self.script.watches)
        self.script.watches = [w for w in self.script.watches if w.watch_id != request.watch_id]
        response.success = len(self.script.watches) < before

    def _ask(self, goal: Any) -> Any:
        script, told = self.script, ''
        script.goals.append(goal.request)
        while not script.ended.wait(0.02) and not goal.is_cancel_requested:
            if script.said != told:
                delta, told = script.said.removeprefix(told), script.said
                goal.publish_feedback(AskStream.Feedback(phase=3, delta=delta))
        result = AskStream.Result(answer=script.said, confidence=0.75)
        if goal.is_cancel_requested:
            script.canceled += 1
            result.status = AskStream.Result.STATUS_CANCELED
            goal.canceled()
            return result
        evidence = msg.Evidence(camera='front', frame_key='2@front', score=0.5, has_pose=True)
        evidence.header.stamp.sec, evidence.pose.position.x = 2, 1.5
        evidence.thumbnail.data.frombytes(JPEG)
        result.evidence = [evidence]
        goal.succeed()
        return result


def _frame(number: int, camera: str) -> msg.MemoryFrame:
    frame = msg.MemoryFrame(camera=camera, frame_key=f'{number}@{camera}')
    frame.header.stamp.sec = number
    frame.short_term_tokens, frame.archive_tokens = 9 * (number > 3), 9
    return frame


def _image(kind: type) -> Any:
    if kind is CompressedImage:
        image = CompressedImage(format='jpeg')
        image.data.frombytes(JPEG)
    else:
        image = Image(height=24, width=32, encoding='rgb8', step=96)
        image.data.frombytes(bytes(24 * 96))
    image.header.stamp.sec = 1
    return image


@contextmanager
def scripted(script: Script) -> Iterator[ScriptedNode]:
    """Let a scripted node live as long as a block."""
    context = Context()
    rclpy.init(context=context)
    node = ScriptedNode(script, context)
    executor = NodeExecutor(8, context=context)
    executor.add_node(node)
    spinner = Spinner(executor)
    try:
        yield node
    finally:
        script.ended.set()
        spinner.stop()
        executor.shutdown(timeout_sec=2.0, wait_for_threads=False)
        node.action.destroy()
        node.destroy_node()
        rclpy.try_shutdown(context=context)


@pytest.fixture(name='scripted')
def scripted_fixture() -> Callable[..., Any]:
    """Give `scripted`."""
    return scripted


@pytest.fixture
def script() -> Script:
    """Give a script of two cameras."""
    return Script()


@pytest.fixture
def node(script: Script) -> Iterator[ScriptedNode]:
    """Give a scripted node that lives."""
    with scripted(script) as node:
        yield node


@pytest.fixture
def served(own_domain: None) -> Iterator[Callable[..., str]]:
    """Give a function that serves the page in this process and returns its address."""
    ended: list[Callable[[], None]] = []

    def serve(*, token: str = '') -> str:
        listener = listen('localhost', 0)
        port = listener.getsockname()[1]
        client = PageClient()
        app = PageGuard(server.page(client), host='localhost', port=port, token=token)
        running = uvicorn.Server(
            uvicorn.Config(app, log_level='warning', timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=running.run, kwargs={'sockets': [listener]})
        thread.start()

        def end() -> None:
            running.should_exit = True
            thread.join(PATIENCE_S)
            client.close()

        ended.append(end)
        return f'http://localhost:{port}'

    yield serve
    for end in ended:
        end()


class Page:
    """A page without a browser: what it was told last of each subject."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.told: dict[str, Any] = {}
        self.count: Counter[str] = Counter()

    async def ask(self, **request: Any) -> None:
        """Send what a page sends."""
        await self._socket.send(json.dumps(request))

    async def until(self, condition: Callable[[dict[str, Any]], Any]) -> Any:
        """Listen until what was told fulfils a condition; return what that gave."""
        async with asyncio.timeout(PATIENCE_S):
            while not (found := condition(self.told)):
                message = json.loads(await self._socket.recv())
                self.told[message['about']] = message['content']
                self.count[message['about']] += 1
        return found


@pytest.fixture
def opened() -> Callable[..., Any]:
    """Give a context that opens the WebSocket of a page."""

    @asynccontextmanager
    async def open_page(address: str, **options: Any) -> Any:
        uri = f'{address.replace("http", "ws")}/live'
        async with connect(uri, open_timeout=PATIENCE_S, **options) as socket:
            yield Page(socket)

    return open_page
