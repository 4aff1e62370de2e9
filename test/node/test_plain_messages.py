# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticStatus

from livevlm_interfaces import msg
from livevlm_interfaces.srv import Ask
from livevlm_ros.engine.events import EventKind
from livevlm_ros.engine.held import HeldFrame
from livevlm_ros.engine.watch import Watch, WatchState
from livevlm_ros.node import plain_messages
from livevlm_ros.pose import Pose

NAN = float('nan')
MESSAGES = {
    plain_messages.state: msg.MemoryState(
        correction_rate=NAN, cameras=[msg.CameraState(name='front', frame_age=NAN)]
    ),
    plain_messages.answered: msg.AnswerRecord(evidence=[msg.Evidence(camera='front')]),
    plain_messages.answer: Ask.Response(),
    plain_messages.frame: HeldFrame('front', 0, '', '', 0.0),
    plain_messages.watch: WatchState(Watch('open ?')),
    plain_messages.watch_event: msg.WatchEvent(),
}


@pytest.mark.parametrize('kind', EventKind)
def test_every_event_has_words(kind: EventKind) -> None:
    message = msg.MemoryEvent(type=int(kind), camera='front', detail='d', value=2.5)
    told = plain_messages.event(message)
    assert told['kind'] == kind.name.lower() and len(told['words'].split()) > 1


@pytest.mark.parametrize('plain', MESSAGES, ids=lambda plain: plain.__name__)
def test_every_message_is_json_whatever_is_missing(plain: Any) -> None:
    assert json.loads(json.dumps(plain(MESSAGES[plain]), allow_nan=False))


def test_a_frame_says_where_it_is_held_and_where_the_camera_was() -> None:
    pose = Pose(1.23456, 0.0, 0.0)
    held = HeldFrame('', 0, '', 'k', 0.0, thumbnail_jpeg=b'jpeg', pose=pose, long_term_tokens=3)
    told = plain_messages.frame(held)
    assert told['tiers'] == ['long_term']
    assert told['pose'] == [1.235, 0.0, 0.0]
    assert told['picture'] == 'data:image/jpeg;base64,anBlZw=='


def test_diagnostics_are_told_by_task_and_level() -> None:
    status = DiagnosticStatus(
        level=DiagnosticStatus.WARN, name='robot1/livevlm: camera/a: b', message='silent'
    )
    told = plain_messages.health(status)
    assert told == {'task': 'camera/a: b', 'level': 'warning', 'message': 'silent'}
