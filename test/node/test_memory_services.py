# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from std_srvs.srv import SetBool

from livevlm_interfaces.srv import ClearMemory, GetFrame, GetInfo, QueryTimeline
from livevlm_ros.engine.held import HeldFrame
from livevlm_ros.engine.messages import NotDone
from livevlm_ros.node.memory_client import MemoryClient

SECOND = 10**9
JPEG = b'\xff\xd8 jpeg \xff\xd9'
FRAME = HeldFrame(
    'front',
    12 * SECOND + 1,
    'front_optical',
    'front/12',
    0.0,
    thumbnail_jpeg=JPEG,
    short_term_tokens=9,
    archive_tokens=4,
)


@dataclass
class Freed:
    frames: int = 3
    tokens: int = 27
    disk_bytes: int = 2**33


class ScriptedMemory:
    """Notes what it is asked for, and gives what it is told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.error: Exception | None = None

    def _note(self, *call: Any) -> None:
        self.calls.append(call)
        if self.error is not None:
            raise self.error

    def forget(self, cameras: Any, **chosen: int) -> Freed:
        self._note('forget', list(cameras), chosen)
        return Freed()

    def pause(self, paused: bool) -> None:
        self._note('pause', paused)

    def frame(self, key: str) -> HeldFrame:
        self._note('frame', key)
        return FRAME

    def timeline(self, cameras: Any, **chosen: Any) -> tuple[tuple[HeldFrame, ...], int]:
        self._note('timeline', list(cameras), chosen)
        return (FRAME,), 7


@pytest.fixture
def memory(fake_engine: Any) -> ScriptedMemory:
    """Give the fake engine's memory."""
    fake_engine.memory = ScriptedMemory()
    return fake_engine.memory


@pytest.fixture
def asker() -> Iterator[MemoryClient]:
    """Give a client of the memory of the node in the root namespace."""
    with MemoryClient() as client:
        yield client


SERVICES: dict[str, Any] = {
    'clear_memory': ClearMemory,
    'set_paused': SetBool,
    'get_frame': GetFrame,
    'query_timeline': QueryTimeline,
}


def test_a_client_keeps_one_client_of_a_service(
    live_node: Callable[..., Any], memory: ScriptedMemory, asker: MemoryClient
) -> None:
    live_node()
    before = len(list(asker._node.clients))
    for _ in range(3):
        asker.call(GetInfo, 'get_info', GetInfo.Request())
    assert len(list(asker._node.clients)) == before + 1


def test_each_answers_in_every_state_and_says_why_not(
    live_node: Callable[..., Any], memory: ScriptedMemory, asker: MemoryClient
) -> None:
    node = live_node()

    def replies() -> list[tuple[bool, str]]:
        called = [asker.call(kind, name, kind.Request()) for name, kind in SERVICES.items()]
        return [(reply.success, reply.message) for reply in called]

    assert replies() == [(False, 'the node is unconfigured')] * 4
    node.trigger_configure()
    assert all(success for success, _ in replies())  # there is a memory, be it that nothing runs
    node.trigger_activate()
    assert all(success for success, _ in replies())
    memory.error = NotDone('the engine is busy')
    assert replies() == [(False, 'the engine is busy')] * 4
    memory.error = RuntimeError('the device is gone')
    assert replies() == [(False, 'RuntimeError: the device is gone')] * 4
    memory.error = None
    node.trigger_deactivate()
    assert all(success for success, _ in replies())
    node.trigger_cleanup()
    assert replies() == [(False, 'the node is unconfigured')] * 4


def test_requests_and_responses_say_it_all(
    live_node: Callable[..., Any], memory: ScriptedMemory, asker: MemoryClient
) -> None:
    live_node().trigger_configure()
    request = ClearMemory.Request(cameras=['front'])
    request.time_start.sec, request.time_end.nanosec = 5, 7
    cleared = asker.call(ClearMemory, 'clear_memory', request)
    chosen = {'time_start_ns': 5 * SECOND, 'time_end_ns': 7}
    assert memory.calls[-1] == ('forget', ['front'], chosen)
    assert (cleared.freed_frames, cleared.freed_tokens) == (3, 27)
    assert cleared.freed_disk_bytes == 2**33

    paused = asker.call(SetBool, 'set_paused', SetBool.Request(data=True))
    assert memory.calls[-1] == ('pause', True) and paused.message == 'no frame is taken in'

    listed = asker.call(
        QueryTimeline, 'query_timeline', QueryTimeline.Request(max_frames=5, attach_images=True)
    )
    assert memory.calls[-1][2]['max_frames'] == 5 and memory.calls[-1][2]['attach_images']
    assert listed.frames_in_range == 7
    asker.call(QueryTimeline, 'query_timeline', QueryTimeline.Request())
    assert memory.calls[-1][2]['max_frames'] == 1000

    got = asker.call(GetFrame, 'get_frame', GetFrame.Request(frame_key='front/12')).frame
    assert got == listed.frames[0]
    assert (got.header.stamp.sec, got.header.stamp.nanosec) == (12, 1)
    assert (got.header.frame_id, got.camera, got.frame_key) == (
        'front_optical',
        'front',
        'front/12',
    )
    assert (got.short_term_tokens, got.long_term_tokens, got.archive_tokens) == (9, 0, 4)
    assert bytes(got.thumbnail.data) == JPEG and got.thumbnail.format == 'jpeg'
    assert not got.has_pose


def test_the_node_says_what_it_is(
    live_node: Callable[..., Any], memory: ScriptedMemory, asker: MemoryClient
) -> None:
    node = live_node()
    info = asker.call(GetInfo, 'get_info', GetInfo.Request())
    assert (info.interface_version, info.node_version) == ('0.1.0', '0.1.0')
    assert (info.preset, info.cameras, info.model_id) == ('balanced', ['camera'], '')
    assert {'recall', 'timeline', 'clear'} <= set(info.capabilities)
    assert not {'snapshots', 'poses'} & set(info.capabilities)
    node.trigger_configure()
    assert asker.call(GetInfo, 'get_info', GetInfo.Request()).memory_id == ''


def test_a_node_that_keeps_poses_says_so(
    live_node: Callable[..., Any], asker: MemoryClient
) -> None:
    live_node({'pose.source': 'odom'})
    assert 'poses' in asker.call(GetInfo, 'get_info', GetInfo.Request()).capabilities
