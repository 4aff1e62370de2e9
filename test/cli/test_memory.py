# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from livevlm_interfaces.action import LoadMemory, SaveMemory
from livevlm_interfaces.msg import MemoryFrame, MemoryState
from livevlm_interfaces.srv import ClearMemory, GetFrame, GetInfo, QueryTimeline, Recall
from livevlm_ros.node import memory_commands
from livevlm_ros.node.memory_client import CommandFailed


class Node:
    """A node as the commands' client sees it: notes what it is asked for, and replies as told."""

    def __init__(self) -> None:
        self.namespace = ''
        self.requests: list[Any] = []
        self.replies: dict[str, Any] = {}

    def __call__(self, *, namespace: str) -> 'Node':
        self.namespace = namespace
        return self

    def __enter__(self) -> 'Node':
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def call(self, kind: Any, name: str, request: Any, timeout_s: float = 0.0) -> Any:
        self.requests.append(request)
        if name not in self.replies:
            raise CommandFailed(f'no node serves /livevlm/{name}')
        return self.replies[name]

    def send_goal(self, kind: Any, name: str, goal: Any, told: Callable[..., None]) -> Any:
        told('writing', 0.5)
        return self.call(kind, name, goal)

    def state(self) -> MemoryState:
        return MemoryState(paused=True, short_term_frames=16)


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    """Put a node in the place of the client."""
    node = Node()
    monkeypatch.setattr(memory_commands, 'MemoryClient', node)
    return node


def _frame(key: str, score: float = 0.0) -> MemoryFrame:
    frame = MemoryFrame(camera='front', frame_key=key, score=score, archive_tokens=9)
    frame.header.stamp.sec = 12
    frame.thumbnail.data = b'jpeg'
    frame.has_pose, frame.pose.position.x = True, 1.5
    return frame


def test_everything_is_forgotten_only_when_that_is_confirmed(livevlm, node: Node) -> None:
    node.replies['clear_memory'] = ClearMemory.Response(success=True, freed_frames=7)
    assert livevlm('memory', 'clear')[0] == 1  # nobody says yes
    assert node.requests == []
    code, out, _ = livevlm('memory', 'clear', '--yes', '--namespace', 'r1')
    assert code == 0 and '7 frames forgotten' in out and node.namespace == 'r1'
    assert node.requests == [ClearMemory.Request()]


def test_a_part_is_forgotten_unasked(livevlm, node: Node) -> None:
    node.replies['clear_memory'] = ClearMemory.Response(success=True)
    given = ('--camera', 'front', '--camera', 'rear', '--from', '5.5', '--to', '9')
    assert livevlm('memory', 'clear', *given)[0] == 0
    (request,) = node.requests
    assert request.cameras == ['front', 'rear']
    assert (request.time_start.sec, request.time_start.nanosec) == (5, 500_000_000)
    assert (request.time_end.sec, request.time_end.nanosec) == (9, 0)


def test_frames_are_listed(livevlm, node: Node) -> None:
    node.replies['query_timeline'] = QueryTimeline.Response(
        success=True, frames=[_frame('front/12')], frames_in_range=40
    )
    node.replies['recall'] = Recall.Response(frames=[_frame('front/13', 1.0)])
    _, out, _ = livevlm('memory', 'timeline', '--max', 1)
    assert 'front/12' in out and '1.50, 0.00, 0.00' in out and '1 of 40 frames' in out
    assert node.requests[0].max_frames == 1
    _, out, _ = livevlm('memory', 'recall', 'the truck ?', '--json')
    (found,) = json.loads(out)
    assert (found['key'], found['score'], found['stamp']) == ('front/13', 1.0, '12.000000000')
    assert found['pose'] == [1.5, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    assert node.requests[1].question == 'the truck ?'


def test_a_frame_is_written_to_a_file(livevlm, node: Node, tmp_path: Path) -> None:
    node.replies['get_frame'] = GetFrame.Response(success=True, frame=_frame('front/12'))
    assert livevlm('memory', 'frame', 'front/12', '--out', tmp_path / 'f.jpg')[0] == 0
    assert (tmp_path / 'f.jpg').read_bytes() == b'jpeg'
    assert node.requests[0].frame_key == 'front/12'


def test_status_pause_and_resume(livevlm, node: Node) -> None:
    from std_srvs.srv import SetBool

    node.replies['get_info'] = GetInfo.Response(model_id='tiny', preset='balanced')
    node.replies['set_paused'] = SetBool.Response(success=True, message='no frame is taken in')
    told = json.loads(livevlm('memory', 'status', '--json')[1])
    assert told['paused'] and told['model'] == 'tiny' and told['short_term_frames'] == 16
    assert 'balanced' in livevlm('memory', 'status')[1]
    assert livevlm('memory', 'pause')[1] == 'no frame is taken in\n'
    assert livevlm('memory', 'resume')[0] == 0
    assert [request.data for request in node.requests[-2:]] == [True, False]


def test_saving_and_loading(livevlm, node: Node) -> None:
    node.replies['save_memory'] = SaveMemory.Result(success=True, path='/m/a', frames=5, bytes=9)
    node.replies['load_memory'] = LoadMemory.Result(success=True, path='/m/a', memory_id='x-0')
    assert livevlm('memory', 'save', 'a', '--overwrite')[1] == '/m/a: 5 frames, 9 bytes\n'
    assert node.requests[-1] == SaveMemory.Goal(name='a', overwrite=True)
    assert 'memory x-0' in livevlm('memory', 'load', 'a')[1]


def test_what_goes_wrong_is_one_line(livevlm, node: Node) -> None:
    node.replies['save_memory'] = SaveMemory.Result(message='name: got .., expected letters')
    node.replies['recall'] = Recall.Response(status=4, status_message='the engine is busy')
    for command, why in (
        (('save', '..'), 'name: got .., expected letters'),
        (('recall', 'the truck ?'), 'the engine is busy'),
        (('load', 'a'), 'no node serves /livevlm/load_memory'),
    ):
        code, _, error = livevlm('memory', *command)
        assert (code, error) == (1, f'livevlm memory: {why}\n')
