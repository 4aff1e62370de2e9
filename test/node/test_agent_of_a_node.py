# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An agent's tools over a running node: it looks for something, and learns where to go."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip('torch')
pytest.importorskip('mcp')

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from livevlm_ros.engine.held import HeldFrame
from livevlm_ros.engine.messages import Answer, Latency, NotDone, Question, Status
from livevlm_ros.engine.slot import CameraStats
from livevlm_ros.engine.watch import Watch, WatchState
from livevlm_ros.memory import MemorySizes
from livevlm_ros.pose import Pose
from livevlm_ros.tools.agent_server import agent_server
from livevlm_ros.tools.http_server import http_app
from livevlm_ros.tools.running import Running

SECOND = 10**9
MAIN = 'from livevlm_ros.cli import main; main()'
JPEG = b'\xff\xd8jpeg'
NEWEST_S = 60


def _frame(second: int) -> HeldFrame:
    pose = Pose(second / 10, 2.0, 0.0, 0.0, 0.0, 0.6, 0.8)
    return HeldFrame(
        'camera', second * SECOND, 'lens', f'camera/{second}', 0.9, thumbnail_jpeg=JPEG, pose=pose
    )


class ScriptedMemory:
    """A red box stood there from second 20 to 30; it knows of nothing else."""

    def __init__(self) -> None:
        self.watches: list[Watch] = []

    def answer(self, question: Question) -> Answer:
        until_s = (question.as_of_ns or NEWEST_S * SECOND) // SECOND
        seen = [second for second in range(20, 31) if second <= until_s]
        latency = Latency(total_ms=20.0)
        if 'box' not in question.text or not seen:
            text = '' if question.recalls else 'nothing'
            return Answer(Status.NOT_SEEN, 'a guess', text=text, latency=latency)
        frames = tuple(_frame(second) for second in reversed(seen))
        return Answer(
            Status.OK,
            text='' if question.recalls else (*question.choices, 'by the door')[0],
            confidence=0.9,
            newest_stamp_ns=until_s * SECOND,
            evidence=frames[: question.max_evidence or 3],
            latency=latency,
        )

    def timeline(self, cameras: Any, *, max_frames: int, **chosen: Any) -> Any:
        frames = [_frame(second) for second in range(1, NEWEST_S + 1)]
        return tuple(frames[:max_frames]), NEWEST_S

    def frame(self, key: str) -> HeldFrame:
        camera, _, second = key.partition('/')
        if camera != 'camera':
            raise NotDone(f'frame_key: got {key!r}, which is no frame of the memory')
        return _frame(int(second))

    def add(self, watch: Watch) -> str:
        self.watches.append(watch)
        return watch.watch_id

    def list(self) -> tuple[WatchState, ...]:
        return tuple(WatchState(watch, 'no', 0.5, NEWEST_S * SECOND) for watch in self.watches)

    def remove(self, watch_id: str) -> int:
        self.watches.clear()
        return 1


@pytest.fixture
def node(live_node: Callable[..., Any], fake_engine: Any) -> Iterator[Running]:
    """Give a running node over the scripted memory."""
    memory = ScriptedMemory()
    fake_engine.answer, fake_engine.memory = memory.answer, memory
    fake_engine.watches = SimpleNamespace(
        take_events=lambda: ((), 0), add=memory.add, list=memory.list, remove=memory.remove
    )
    sizes = MemorySizes(*([0] * 12), oldest_stamp_ns=SECOND)
    seen = CameraStats(newest_stamp_ns=NEWEST_S * SECOND)
    stats = replace(fake_engine.stats(), memory=sizes, cameras={'camera': seen}, memory_id='m1')
    fake_engine.stats = lambda: stats
    made = live_node()
    made.trigger_configure()
    made.trigger_activate()
    with Running() as running:
        yield running


async def _find_the_box(client: Client) -> dict[str, Any]:
    """Look for the box as an agent does, in ten calls; return where the camera saw it."""

    async def call(tool: str, **given: Any) -> Any:
        result = await client.call_tool(tool, given)
        assert not result.is_error, result.content
        return result.structured_content

    state = await call('status')
    (camera,) = state['cameras']
    held = await call('timeline', max_frames=5)
    assert (held['frames_in_range'], held['frames'][0]['stamp_s']) == (60, state['oldest_s'])
    assert not (await call('where', thing='the cup'))['sure']
    assert not (await call('where', thing='the red box', as_of_s=10.0))['sure']
    found = await call('where', thing='the red box', as_of_s=camera['newest_s'], budget_s=5)
    assert found['sure'] and found['age_s'] == 30.0
    recalled = await call('recall', question='the red box', cameras=['camera'], max_frames=2)
    assert found['frame']['frame_key'] == recalled['frames'][0]['frame_key']
    sure = await call('ask', question='what stood by the box ?', choices=['a door', 'a bed'])
    assert sure['answer'] == 'a door'
    await call('watch', action='add', question='is the box back ?', watch_id='box', every_s=2)
    (watch,) = (await call('watch'))['watches']
    assert (watch['answer'], watch['answered_s']) == ('no', 60.0)
    assert (await call('watch', action='remove', watch_id='box'))['removed'] == 1
    picture = await client.read_resource(found['frame']['uri'])
    assert picture.contents[0].mime_type == 'image/jpeg'
    return found['frame']


@pytest.mark.parametrize('transport', ['stdio', 'http'])
def test_ten_calls_find_a_thing_and_the_place_to_drive_to(
    node: Running, serve_http: Callable[[Any], str], transport: str
) -> None:
    server: Any = StdioServerParameters(
        command=sys.executable, args=['-c', MAIN, 'mcp'], env=dict(os.environ)
    )
    if transport == 'http':
        server = serve_http(http_app(node)) + '/mcp'

    async def main() -> dict[str, Any]:
        async with Client(server) as client:
            return await _find_the_box(client)

    frame = anyio.run(main)
    assert (frame['camera'], frame['stamp_s']) == ('camera', 30.0)
    assert (frame['pose']['x'], frame['pose']['y'], frame['pose']['qw']) == (3.0, 2.0, 0.8)


def test_what_the_node_refuses_reaches_the_agent(node: Running, fake_engine: Any) -> None:
    async def main() -> list[str]:
        async with Client(agent_server(node)) as client:
            asked = await client.call_tool('ask', {'question': 'what ?', 'cameras': ['side']})
            looked = await client.call_tool('timeline', {'cameras': ['side']})
            assert asked.is_error and looked.is_error
            return [asked.content[0].text, looked.content[0].text]

    def no_camera(*given: Any, **chosen: Any) -> Any:
        raise ValueError("cameras: got 'side', expected some of camera")

    fake_engine.answer = lambda question: Answer(Status.INVALID, "cameras: got 'side'")
    fake_engine.memory = SimpleNamespace(timeline=no_camera)
    asked, looked = anyio.run(main)
    assert "INVALID: cameras: got 'side'" in asked and 'expected some of camera' in looked


def test_programs_ask_the_node_as_a_model(
    node: Running, fake_engine: Any, serve_http: Callable[[Any], str]
) -> None:
    openai = pytest.importorskip('openai')
    asked = {'model': '', 'messages': [{'role': 'user', 'content': 'where is the box ?'}]}
    url = f'{serve_http(http_app(node))}/v1'
    with openai.OpenAI(base_url=url, api_key='-', max_retries=0) as client:
        whole = client.chat.completions.create(**asked, extra_body={'budget_s': 5})
        assert whole.choices[0].message.content == 'by the door'
        assert whole.livevlm['evidence'][0]['pose']['x'] == 3.0
        assert fake_engine.questions[-1].budget_s == 5.0
        stream = client.chat.completions.create(**asked, stream=True)
        heard = [chunk.choices[0].delta.content or '' for chunk in stream]
        assert ''.join(heard) == 'by the door'
        busy = Answer(Status.OVERLOADED, 'the engine is busy', retry_after_s=0.25)
        fake_engine.answer = lambda question: busy
        with pytest.raises(openai.RateLimitError, match='the engine is busy'):
            client.chat.completions.create(**asked)
