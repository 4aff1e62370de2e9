# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from dataclasses import replace

import pytest

from livevlm_ros.engine import Engine, Question
from livevlm_ros.pose import Pose

ASKED = Question('where was the truck ?', max_evidence=60)
SEEN = range(1, 41)  # seconds; more frames than short-term holds


def _pose(second: int) -> Pose | None:
    """Return where the camera was; each fifth frame has no pose."""
    return Pose(float(second), 0.5, 0.0) if second % 5 else None


@pytest.fixture
def film(make_saving: Callable[..., Engine], frame) -> Callable[[], Engine]:
    """Build engines that have seen a camera pass by, and go on with what the last one saved."""

    def film(seconds: range = SEEN) -> Engine:
        engine = make_saving()
        engine.load()
        for second in seconds:
            pose = _pose(second)
            engine.see(replace(frame(second), pose=lambda pose=pose: pose))
            assert engine.turn()
        return engine

    return film


def _second(frame) -> int:
    return frame.stamp_ns // 10**9


def test_evidence_and_recall_know_where_the_camera_was(film):
    engine = film()
    for asked in (ASKED, replace(ASKED, recalls=True)):
        found = engine.ask_now(asked).evidence
        assert min(map(_second, found)) < 30 and len(found) > 8  # archived ones among them
        assert [frame.pose for frame in found] == [_pose(_second(frame)) for frame in found]
        assert {frame.pose is None for frame in found} == {True, False}


def test_poses_outlive_the_engine(film):
    said = film().ask_now(ASKED).evidence
    film().cleanup()
    again = film(range(0)).ask_now(ASKED).evidence
    assert again == said
    assert all(isinstance(frame.pose, Pose) for frame in again if _second(frame) % 5)


def test_a_pose_is_looked_up_once_and_after_the_picture_is_encoded(make_engine, frame, model):
    order: list[str] = []
    model.on_encode = lambda images: order.append('encoded')
    engine = make_engine()
    engine.load()
    order.clear()

    def look_up() -> Pose:
        order.append('looked up')
        return Pose(1.0, 2.0, 3.0)

    engine.see(replace(frame(1), pose=look_up))
    assert order == []
    engine.turn()
    assert order == ['encoded', 'looked up']


def test_a_pose_that_is_known_needs_no_function(make_engine, frame):
    engine = make_engine()
    engine.load()
    engine.see(replace(frame(1), pose=Pose(1.0, 2.0, 3.0)))
    engine.turn()
    (found,) = engine.ask_now(ASKED).evidence
    assert found.pose == Pose(1.0, 2.0, 3.0)
