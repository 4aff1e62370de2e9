# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The services and actions of the memory, over ROS, on the embedded model."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rclpy.lifecycle import TransitionCallbackReturn

from livevlm_interfaces.action import LoadMemory, SaveMemory
from livevlm_interfaces.srv import Ask, ClearMemory, GetFrame, GetInfo, QueryTimeline, Recall
from livevlm_ros.engine.messages import Frame
from livevlm_ros.memory.folder_lock import LOCK, FolderLock
from livevlm_ros.node.memory_client import MemoryClient
from livevlm_ros.node.node import load_engine

SECOND = 10**9
ASKED = 'what color was the truck ?'


@pytest.fixture
def asker() -> Iterator[MemoryClient]:
    """Give a client of the memory of the node in the root namespace."""
    with MemoryClient() as client:
        yield client


def _see(engine: Any, seconds: range, eventually: Callable[..., Any]) -> None:
    for second in seconds:
        used = engine.stats().frames_used
        noise = np.random.default_rng(second).integers(0, 256, (12, 16, 3), dtype=np.uint8)
        pixels = noise.repeat(20, 0).repeat(20, 1)
        engine.see(Frame('camera', second * SECOND, pixels, 'optical'))
        eventually(lambda used=used: engine.stats().frames_used > used)


@pytest.mark.slow
def test_what_is_forgotten_is_gone_for_every_client_and_a_snapshot_brings_it_back(
    live_node: Callable[..., Any],
    asker: MemoryClient,
    eventually: Callable[..., Any],
    tmp_path: Path,
) -> None:
    parameters = {'memory.path': str(tmp_path), 'ask.min_confidence': 0.0}  # it knows no noise
    node = live_node(parameters, make_engine=load_engine)
    node.trigger_configure()
    node.trigger_activate()
    _see(node.engine(), range(1, 31), eventually)

    def listed(**fields: Any) -> list[int]:
        found = asker.call(QueryTimeline, 'query_timeline', QueryTimeline.Request(**fields))
        assert found.success and found.frames_in_range == len(found.frames)
        return [frame.header.stamp.sec for frame in found.frames]

    def asked() -> tuple[str, list[str]]:
        reply = asker.send(ASKED, budget_s=30.0, max_evidence=40).wait(60)
        assert reply is not None
        assert reply.status in (Ask.Response.STATUS_OK, Ask.Response.STATUS_PARTIAL)
        return reply.answer, [found.frame_key for found in reply.evidence]

    def recalled() -> list[str]:
        request = Recall.Request(question=ASKED, max_frames=40)
        request.latency_budget.sec = 30
        found = asker.call(Recall, 'recall', request)
        assert found.status == Ask.Response.STATUS_OK
        assert found.frames[0].score == 1.0
        return [frame.frame_key for frame in found.frames]

    before = asked()
    assert recalled() == before[1]
    goal = SaveMemory.Goal(name='before')
    saved = asker.send_goal(SaveMemory, 'save_memory', goal, lambda *step: None)
    assert saved.success and saved.frames == 30, saved.message

    request = ClearMemory.Request()
    request.time_start.sec, request.time_end.sec = 10, 19
    cleared = asker.call(ClearMemory, 'clear_memory', request)
    assert cleared.success and cleared.freed_frames == 10 and cleared.freed_tokens >= 90
    gone = {f'camera/{second * SECOND}' for second in range(10, 20)}
    assert listed() == [*range(1, 10), *range(20, 31)]
    assert not gone & {*asked()[1], *recalled()}
    got = asker.call(GetFrame, 'get_frame', GetFrame.Request(frame_key=min(gone)))
    assert not got.success and 'no frame of the memory' in got.message

    name = asker.call(GetInfo, 'get_info', GetInfo.Request()).memory_id
    loaded = asker.send_goal(
        LoadMemory, 'load_memory', LoadMemory.Goal(name='before'), lambda *step: None
    )
    assert loaded.success and loaded.frames == 30, loaded.message
    assert loaded.memory_id != name
    assert listed() == list(range(1, 31))
    assert asked() == before
    for hostile in ('../before', '/before', '.before', 'before/'):
        refused = asker.send_goal(
            SaveMemory, 'save_memory', SaveMemory.Goal(name=hostile), lambda *step: None
        )
        assert not refused.success and 'name: got' in refused.message
    assert {file.name for file in tmp_path.iterdir()} == {'before', LOCK}


@pytest.mark.usefixtures('needs_torch')
def test_a_folder_that_another_process_has_fails_configure_by_its_number(
    live_node: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = FolderLock(str(tmp_path))
    node = live_node({'memory.path': str(tmp_path)}, make_engine=load_engine)
    told: list[str] = []
    monkeypatch.setattr(node.get_logger(), 'error', lambda text, **_: told.append(text))
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert f'{tmp_path} is in use by process {os.getpid()}: give each' in told[0]
    held.release()
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
