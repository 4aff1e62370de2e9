# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from livevlm_ros.engine import Frame
from livevlm_ros.engine.gate import FrameGate, sketch


@pytest.fixture
def gate() -> FrameGate:
    return FrameGate(on=True, similarity=0.98, heartbeat_s=5.0)


def _scene(seed: int) -> np.ndarray:
    """Return an image with something to see in it, [240, 320, 3]."""
    blocks = np.random.default_rng(seed).integers(0, 200, (8, 8, 3), np.uint8)
    return cv2.resize(blocks, (320, 240), interpolation=cv2.INTER_LINEAR)


def _plain(level: int) -> np.ndarray:
    return np.full((240, 320, 3), level, np.uint8)


def _noisy(pixels: np.ndarray, seed: int, sigma: float = 8.0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0.0, sigma, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def _at(second: float, camera: str = 'camera') -> Frame:
    return Frame(camera, round(second * 1e9), _plain(0))


def _alike(a: np.ndarray, b: np.ndarray) -> float:
    return float(sketch(a) @ sketch(b))


def test_a_frame_repeats_the_last_kept_one_and_another_scene_does_not(gate):
    assert not gate.repeats(_at(1), _scene(0))
    gate.keep(_at(1), _scene(0))
    assert gate.repeats(_at(2), _scene(0))
    assert not gate.repeats(_at(3), _scene(1))


def test_slow_changes_add_up_until_they_count(gate):
    scenes = [np.roll(_scene(0), 2 * second, axis=1) for second in range(40)]
    neighbours = [_alike(a, b) for a, b in zip(scenes, scenes[1:], strict=False)]
    assert min(neighbours) > 0.98
    gate.keep(_at(1), scenes[0])
    assert not all(gate.repeats(_at(1 + n / 10), scene) for n, scene in enumerate(scenes))


@pytest.mark.parametrize(('second', 'repeats'), [(5.999, True), (6.0, False), (60.0, False)])
def test_the_heartbeat_lets_a_frame_pass_in_any_case(gate, second, repeats):
    gate.keep(_at(1), _scene(0))
    assert gate.repeats(_at(second), _scene(0)) is repeats


def test_each_camera_is_compared_with_itself(gate):
    gate.keep(_at(1, 'left'), _scene(0))
    assert not gate.repeats(_at(2, 'right'), _scene(0))
    gate.keep(_at(2, 'right'), _scene(1))
    assert gate.repeats(_at(3, 'left'), _scene(0))


def test_a_cleared_gate_lets_the_next_frame_pass(gate):
    gate.keep(_at(1), _scene(0))
    gate.clear()
    assert not gate.repeats(_at(2), _scene(0))


def test_a_gate_that_is_off_lets_every_frame_pass():
    gate = FrameGate(on=False, similarity=0.0, heartbeat_s=5.0)
    gate.keep(_at(1), _scene(0))
    assert not gate.repeats(_at(2), _scene(0))


def test_nothing_repeats_another_scene_at_the_highest_similarity():
    gate = FrameGate(on=True, similarity=1.0, heartbeat_s=5.0)
    gate.keep(_at(1), _scene(0))
    assert not gate.repeats(_at(2), _noisy(_scene(0), 1))


def test_light_and_the_noise_of_a_sensor_are_no_change():
    scene = _scene(0)
    assert _alike(scene, scene // 2 + 60) > 0.99
    assert _alike(_noisy(scene, 1), _noisy(scene, 2)) > 0.99


def test_plain_images_are_alike_noise_or_not():
    assert _alike(_plain(0), _plain(255)) == pytest.approx(1.0)
    assert _alike(_noisy(_plain(100), 1, 2.0), _noisy(_plain(100), 2, 2.0)) > 0.98


def test_a_plain_image_is_unlike_a_scene():
    assert abs(_alike(_plain(100), _scene(0))) < 0.2


def test_a_small_thing_before_a_plain_wall_is_a_change():
    wall, visited = _plain(100), _plain(100)
    visited[120:144, 160:192] = 150  # a hundredth of the image
    assert _alike(wall, visited) < 0.9


def test_a_thing_as_light_as_what_is_behind_it_is_a_change():
    scene, visited = _scene(0), _scene(0)
    lightness = cv2.cvtColor(scene, cv2.COLOR_RGB2GRAY)[100:160, 100:180]
    visited[100:160, 100:180] = 0
    visited[100:160, 100:180, 0] = np.clip(lightness / 0.299, 0, 255)  # pure red
    assert _alike(scene, visited) < 0.9


def test_images_of_any_size_are_compared():
    scene = _scene(0)
    assert _alike(scene, cv2.resize(scene, (640, 480))) > 0.99
    assert np.linalg.norm(sketch(scene[:1, :1])) == pytest.approx(1.0)
