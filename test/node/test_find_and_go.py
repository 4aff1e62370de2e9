# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The example, driven against a node and a server that records goals; Nav2's type has no wheel."""

import _thread
import math
import runpy
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from geometry_msgs.msg import PoseStamped
from rclpy.action import ActionServer, CancelResponse
from rclpy.callback_groups import ReentrantCallbackGroup

from livevlm_interfaces.action import SaveMemory
from livevlm_ros.engine.messages import Answer, Evidence, Status
from livevlm_ros.pose import Pose

EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / 'examples/find_and_go.py'))
ASKED = 'where did you last see the red box ?'
HALF = math.sqrt(0.5)
BODY = Pose(2.0, 3.0, 0.3, 0.0, 0.0, HALF, HALF)  # a robot that looks along the map's y
OPTICAL = Pose(5.0, 3.0, 1.2, -HALF, 0.0, 0.0, HALF)  # a camera that looks along the map's y


class Goal(SaveMemory.Goal):
    """A goal that is made as Nav2's are."""

    def __init__(self, *, pose: PoseStamped) -> None:
        place, turned = pose.pose.position, pose.pose.orientation
        heading = 2 * math.atan2(turned.z, turned.w)
        words = f'{place.x:.1f} {place.y:.1f} {place.z:.1f} {heading:.2f}'
        super().__init__(name=f'{pose.header.frame_id} {words}')


class NavigateToPose(SaveMemory):
    """An action that exists here, in place of Nav2's."""

    Goal = Goal


class Navigator:
    """Records goals, and reaches them."""

    def __init__(self, node: Any) -> None:
        self.goals: list[str] = []
        self.reaches = True
        self.drives = lambda: None
        self.canceled = threading.Event()
        ActionServer(
            node,
            SaveMemory,
            'navigate_to_pose',
            self._go,
            cancel_callback=self._cancel,
            callback_group=ReentrantCallbackGroup(),
        )

    def _go(self, handle: Any) -> Any:
        self.goals.append(handle.request.name)
        self.drives()
        if handle.is_cancel_requested:
            handle.canceled()
        elif self.reaches:
            handle.succeed()
        else:
            handle.abort()
        return SaveMemory.Result()

    def _cancel(self, handle: Any) -> CancelResponse:
        self.canceled.set()
        return CancelResponse.ACCEPT


def saying(*poses: Pose | None, status: Status = Status.OK) -> Callable[[Any], Answer]:
    """Return what answers with evidence that has poses."""
    found = tuple(
        Evidence('camera', 10**9 + n, 'lens', f'camera/{n}', 0.5, pose=pose)
        for n, pose in enumerate(poses)
    )
    return lambda question: Answer(status, 'the camera saw none', text='left', evidence=found)


@pytest.fixture
def scene(ros: Any, live_node: Callable[..., Any], fake_engine: Any) -> Any:
    """Give an active node, what it says, and a navigator."""
    node = live_node({'pose.frame': 'floor'})
    node.trigger_configure()
    node.trigger_activate()
    return SimpleNamespace(engine=fake_engine, navigator=Navigator(ros.node('navigator')))


def go(*options: str) -> int:
    return EXAMPLE['main']([ASKED, *options], action=NavigateToPose)


@pytest.mark.parametrize(
    ('poses', 'goal'),
    [
        ((BODY,), 'floor 2.0 3.0 0.0 1.57'),
        ((None, OPTICAL, BODY), 'floor 5.0 3.0 0.0 1.57'),
    ],
    ids=['of a robot', 'of a camera'],
)
def test_the_best_evidence_with_a_pose_becomes_the_goal(
    scene: Any, capsys: pytest.CaptureFixture[str], poses: tuple[Pose | None, ...], goal: str
) -> None:
    scene.engine.answer = saying(*poses)
    assert go() == 0
    assert scene.navigator.goals == [goal]
    assert scene.engine.questions[-1].text == ASKED
    out = capsys.readouterr().out
    assert 'in floor, heading 90°' in out and out.endswith('there\n')
    scene.navigator.reaches = False
    assert go() == 1


def test_a_dry_run_goes_nowhere(scene: Any, capsys: pytest.CaptureFixture[str]) -> None:
    scene.engine.answer = saying(BODY)
    assert go('--dry-run') == 0
    assert 'seen from 2.00, 3.00 in floor' in capsys.readouterr().out
    assert scene.navigator.goals == []


@pytest.mark.parametrize(
    ('answer', 'says'),
    [
        (saying(None), 'no evidence has a pose: set pose.source'),
        (saying(BODY, status=Status.NOT_SEEN), 'the camera saw none'),
    ],
    ids=['no pose', 'not seen'],
)
def test_without_a_place_nothing_moves(
    scene: Any, capsys: pytest.CaptureFixture[str], answer: Any, says: str
) -> None:
    scene.engine.answer = answer
    assert go() == 1
    assert says in capsys.readouterr().err
    assert scene.navigator.goals == []


def test_ctrl_c_cancels_the_goal(scene: Any) -> None:
    def drive() -> None:
        _thread.interrupt_main()
        assert scene.navigator.canceled.wait(60)

    scene.engine.answer = saying(BODY)
    scene.navigator.drives = drive
    assert go() == 130
    assert scene.navigator.canceled.is_set()


def test_without_nav2_its_package_is_named(
    scene: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'nav2_msgs.action', None)
    assert EXAMPLE['main']([ASKED]) == 1
    assert 'sudo apt install ros-$ROS_DISTRO-nav2-msgs' in capsys.readouterr().err
