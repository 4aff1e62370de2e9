# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from livevlm_ros.engine import Engine, Frame, Question
from livevlm_ros.engine.frames import see_frames
from livevlm_ros.memory import Memory, MemoryConfig
from livevlm_ros.pose import Pose

ASKED = Question('where was the truck ?', max_evidence=60)
SEEN = range(1, 41)  # seconds; more frames than short-term holds
GREY = np.full((2, 2, 3), 128, np.uint8)


def _pose(second: int) -> Pose | None:
    """Return where the camera was; each fifth frame has no pose."""
    return Pose(float(second), 0.5, 0.0) if second % 5 else None


@pytest.fixture
def film(make_saving: Callable[..., Engine], frame) -> Callable[..., Engine]:
    """Build engines that have seen a camera pass by, and go on with what the last one saved."""

    def film(seconds: range = SEEN, **settings) -> Engine:
        engine = make_saving(**settings)
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
    first = film()
    said = first.ask_now(ASKED).evidence
    first.cleanup()
    again = film(range(0)).ask_now(ASKED).evidence
    assert again == said
    assert all(isinstance(frame.pose, Pose) for frame in again if _second(frame) % 5)


def test_poses_are_told_only_in_the_frame_that_they_are_in(film):
    film(range(1, 20), pose_frame='odom').cleanup()
    film(range(20, 41), pose_frame='map').cleanup()
    for pose_frame, seconds in (('map', range(20, 41)), ('odom', range(1, 20))):
        engine = film(range(0), pose_frame=pose_frame)
        found = engine.ask_now(ASKED).evidence
        engine.cleanup()
        assert {_second(frame) < 20 for frame in found} == {True, False}
        assert {_second(frame) for frame in found if frame.pose} <= set(seconds)
        assert any(frame.pose for frame in found)


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


@pytest.fixture
def told(model, monkeypatch) -> list[float]:
    """Note the times of frames that the model is told."""
    seconds: list[float] = []
    encode = model.encode_frames

    def noted(images, given):
        seconds.extend(given)
        return encode(images)

    monkeypatch.setattr(model, 'encode_frames', noted)
    return seconds


def test_the_model_is_told_when_frames_came_since_the_start_of_the_stream(model, told) -> None:
    memory = Memory(MemoryConfig(), model.shape, ('front', 'rear'))

    def see(*frames: tuple[str, float]) -> None:
        made = [Frame(camera, round(second * 1e9), GREY) for camera, second in frames]
        see_frames(model, memory, [(frame, GREY) for frame in made])

    see(('front', 1000.0), ('rear', 1000.5))
    see(('front', 1090.25))
    see(('rear', 2000.0))
    assert told == [0.0, 0.5, 90.25, 1000.0]
    memory.clear()
    told.clear()
    see(('rear', 5000.0))
    see(('front', 4999.0))  # of before the start
    see(('rear', 5007.0))
    assert told == [0.0, 0.0, 7.0]
