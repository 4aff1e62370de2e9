# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import json
from pathlib import Path
from typing import Any

import pytest

from livevlm_ros.replay.write_world import Filming, write_world

pytestmark = pytest.mark.usefixtures('needs_torch')


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """Film a short stream with questions."""
    film = Filming(seed=9, frames=(8, 8), size=(160, 120), questions=4)
    write_world(tmp_path / 'film', film)
    return tmp_path / 'film' / 'stream-0000'


@pytest.mark.parametrize(
    ('parameters', 'says'),
    [
        ({}, 'bag is empty'),
        ({'bag': '/nowhere'}, '/nowhere: no such file'),
        ({'bag': '{bag}', 'out': '/nowhere/r.json'}, 'out is /nowhere/r.json'),
        ({'bag': '{bag}', 'questions': '/nowhere.yaml'}, '/nowhere.yaml: cannot be read'),
        ({'bag': '{bag}', 'rate': 0.0}, 'rate'),
    ],
    ids=['no bag', 'missing bag', 'out', 'questions', 'range'],
)
def test_what_cannot_be_used_is_one_line_and_exit_code_2(
    processes: Any, bag: Path, parameters: dict[str, Any], says: str
) -> None:
    given = {
        name: value.format(bag=bag) if isinstance(value, str) else value
        for name, value in parameters.items()
    }
    evaluator = processes.start('replay_evaluator', given)
    assert evaluator.popen.wait(60) == 2
    assert says in evaluator.said()
    assert 'Traceback' not in evaluator.said()


@pytest.mark.slow
def test_three_processes_in_a_namespace_replay_a_bag_without_each_others_help(
    processes: Any, bag: Path, tmp_path: Path
) -> None:
    robot = ('-r', '__ns:=/robot1')
    processes.node({'use_sim_time': True, 'memory.preset': 'full'}, arguments=robot)
    waits = {'wait_for_subscriber': True, 'clock_listeners': 2}
    player = {'bag': bag, 'image_topic': 'camera/image_raw', 'rate': 2.0, **waits}
    processes.start('bag_player', player, arguments=robot)
    out, html = tmp_path / 'r.json', tmp_path / 'r.html'
    evaluator = processes.start(
        'replay_evaluator',
        {'bag': bag, 'rate': 2.0, 'out': out, 'html': html},
        arguments=robot,
    )
    assert evaluator.popen.wait(200) == 0, evaluator.said()
    report = json.loads(out.read_text(encoding='utf-8'))
    assert report['preset'] == 'full'
    assert report['questions']['asked'] == 4
    assert report['ingest']['frames_used'] == 8
    assert report['online']['rate'] == 2.0
    assert 'data:image/jpeg;base64' in html.read_text(encoding='utf-8')
