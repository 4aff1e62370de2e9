# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from livevlm_ros.engine import Frame
from livevlm_ros.engine.frames import see_frames
from livevlm_ros.memory import Memory, MemoryConfig

GREY = np.full((2, 2, 3), 128, np.uint8)


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
