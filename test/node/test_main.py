# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

from collections.abc import Callable
from typing import Any

import pytest

from livevlm_ros.node.client import Client
from livevlm_ros.node.diagnostics import OK, WARN

EXIT_S = 5.0


def test_ctrl_c_while_the_model_loads_ends_the_node(processes: Any, client: Client) -> None:
    node = processes.node({'diagnostics.period': 0.1})
    assert client.wait_for_status('model', WARN, 60)
    code, took_s = node.interrupt()
    assert code == 0
    assert took_s < EXIT_S
    assert 'Traceback' not in node.said()


@pytest.mark.slow
def test_ctrl_c_while_a_question_is_answered_ends_the_node_after_its_reply(
    processes: Any, client: Client
) -> None:
    node = processes.node({'ask.default_budget': 20.0, 'ask.default_max_tokens': 512})
    processes.start('world_camera', {'width': 160, 'height': 120})
    assert client.wait_for_status('camera/camera', OK, 120)
    reply = client.send('what color was the car ?')
    assert reply.wait(0.05) is None
    code, took_s = node.interrupt()
    assert code == 0
    assert took_s < EXIT_S
    assert 'Traceback' not in node.said()
    assert reply.wait(1.0) is not None


@pytest.mark.parametrize(
    ('parameters', 'says'),
    [
        ({'memory.preset': 'everything'}, 'memory.preset'),
        ({'ingest.target_fps': 0.0}, 'ingest.target_fps'),
        ({'ingest.target_fps': 'fast'}, 'ingest.target_fps'),
        ({'camera_names': "['front camera']"}, 'front camera'),
        ({'cameras': '[front]'}, 'camera_names'),
    ],
    ids=['choice', 'range', 'type', 'camera name', 'name of before'],
)
def test_a_wrong_parameter_ends_the_node_in_one_line(
    processes: Any, parameters: dict[str, Any], says: str
) -> None:
    node = processes.start('main', parameters)
    assert node.popen.wait(60) == 1
    assert says in node.said()
    assert 'Traceback' not in node.said()


@pytest.mark.slow
def test_two_nodes_in_two_namespaces_do_not_meet(
    processes: Any, eventually: Callable[..., Any]
) -> None:
    for name in ('r1', 'r2'):
        processes.node(arguments=('-r', f'__ns:=/{name}'))
    processes.start('world_camera', {'width': 160, 'height': 120}, arguments=('-r', '__ns:=/r1'))
    with Client(namespace='r1') as one, Client(namespace='r2') as two:
        assert one.wait_for_status('camera/camera', OK, 120)
        assert two.wait_for_status('camera/camera', WARN, 120)
        assert 'no publisher on /r2/camera/image_raw' in two.status('camera/camera').message
        assert one.send('what color was the car ?').wait(60).frames_considered > 0
        assert two.send('what color was the car ?').wait(60).frames_considered == 0
