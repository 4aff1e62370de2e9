# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever keeps a camera's images from the memory is said, with what to do."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from livevlm_ros.engine.slot import CameraStats, Dropped
from livevlm_ros.node.camera_verdict import Verdict, verdict
from livevlm_ros.node.cameras import CameraReport
from livevlm_ros.node.diagnostics import ERROR, OK, WARN
from livevlm_ros.node.parameters import table
from livevlm_ros.node.traffic import Traffic, TrafficStats
from livevlm_ros.share import PROFILE_VARIABLE

DEFAULTS = {name: row.default for name, row in table().items()}
HEARD = CameraReport(
    name='camera',
    topics=('/camera/image',),
    transport='raw',
    publishers=1,
    incompatible='',
    silent_s=0.1,
    encoding='rgb8',
    traffic=TrafficStats(
        received=300, fps=30.0, p50_ms=0.1, p99_ms=0.2, max_ms=0.3, counted_s=10.0
    ),
)
SILENT = replace(HEARD, silent_s=4.0, traffic=replace(HEARD.traffic, received=0, fps=0.0))
ABSENT = replace(HEARD, publishers=0)
USED = CameraStats(frames_in=300, frames_used=9, dropped=Dropped(rate=291))
REFUSED = CameraStats(dropped=Dropped(bad=1), last_error="image encoding '32FC1' is depth")
REPUBLISH = 'ros2 run image_transport republish --ros-args -p in_transport:=ffmpeg'


def judge(
    report: CameraReport = HEARD,
    account: CameraStats = USED,
    age_s: float | None = 0.5,
    **given: object,
) -> Verdict:
    """Judge with parameters of the camera that differ from the defaults."""
    given = {f'cameras.camera.{name}': value for name, value in given.items()}
    return verdict(report, account, {**DEFAULTS, **given}, age_s=age_s)


@pytest.mark.parametrize(
    ('report', 'level', 'says'),
    [
        (ABSENT, WARN, 'no publisher on /camera/image: start the camera, or set cameras.camera.'),
        (
            replace(ABSENT, beside=('compressed',)),
            WARN,
            '/camera/image/compressed has a publisher: set cameras.camera.transport to auto or co',
        ),
        (replace(ABSENT, beside=('ffmpeg',)), WARN, REPUBLISH),
        (
            replace(ABSENT, incompatible='RELIABILITY'),
            ERROR,
            'qos_overrides./camera/image.subscription.reliability',
        ),
        (
            replace(ABSENT, wrong_type='foxglove_msgs/msg/CompressedVideo'),
            ERROR,
            'foxglove_msgs/msg/CompressedVideo is published on /camera/image, expected sensor_msg',
        ),
        (replace(HEARD, incompatible='DURABILITY'), WARN, 'images come, but a publisher on'),
        (SILENT, ERROR, 'fastdds.xml'),
        (replace(HEARD, silent_s=4.0), ERROR, 'ros2 topic hz'),
        (
            replace(SILENT, beside=('compressed',)),
            ERROR,
            'But /camera/image/compressed has a publisher: set cameras.camera.transport to auto',
        ),
        (
            replace(
                SILENT,
                topics=('/camera/image/compressed',),
                transport='compressed',
                beside=('raw',),
            ),
            ERROR,
            'But /camera/image has a publisher: set cameras.camera.transport to auto or raw',
        ),
    ],
)
def test_why_no_image_comes_is_said(report: CameraReport, level: bytes, says: str) -> None:
    found = judge(report)
    assert found.level == level
    assert says in found.message
    assert found.fault


def test_a_camera_whose_images_are_all_refused_is_never_ok() -> None:
    found = judge(account=REFUSED)
    assert (found.level, found.fault) == (ERROR, 'refused')
    assert "'32FC1' is depth" in found.message
    later = replace(REFUSED, frames_used=50, bad_in_row=3)
    assert judge(account=later).level == ERROR
    assert "the last 3 images were refused: image encoding '32FC1'" in judge(account=later).message


def test_a_few_bad_frames_among_good_ones_are_no_fault() -> None:
    assert judge(account=replace(REFUSED, frames_used=50, bad_in_row=2)).level == OK


def test_a_frame_that_is_old_warns_and_one_of_another_clock_says_so() -> None:
    assert judge(age_s=10.0) == Verdict(WARN, 'newest frame in the memory is 10.0 s old')
    assert 'newest frame is 86400 s ahead: is use_sim_time' in judge(age_s=-86400.0).message
    assert judge(age_s=86400.0).fault == 'other clock'
    assert judge(age_s=None).level == OK


def test_a_camera_that_is_slower_than_expected_warns() -> None:
    assert judge(expected_rate=40.0).level == OK
    found = judge(expected_rate=41.0)
    assert (found.level, found.fault) == (WARN, 'slow')
    assert found.message == '30.0 images a second on /camera/image, expected 41'
    just_begun = replace(HEARD, traffic=replace(HEARD.traffic, counted_s=4.9))
    assert judge(just_begun, expected_rate=41.0).level == OK


def levels(
    monkeypatch: pytest.MonkeyPatch, rate: float, *, expected: float, window_s: float
) -> list[bytes]:
    """Judge a camera of a steady rate again and again, at all phases of it."""
    now_s, images, traffic, found = 0.0, 0, Traffic(), []
    monkeypatch.setattr(time, 'monotonic', lambda: now_s)
    for look in range(round((2 * window_s + 50) / 0.37)):
        now_s = 0.37 * look
        while images <= now_s * rate:
            traffic.add(images / rate, 1e-3)
            images += 1
        report = replace(HEARD, traffic=traffic.stats(window_s))
        given = {'cameras.camera.expected_rate': expected, 'diagnostics.window_s': window_s}
        found.append(verdict(report, USED, {**DEFAULTS, **given}, age_s=0.5).level)
    return found


@pytest.mark.parametrize('window_s', [1.0, 3.0, 60.0])
@pytest.mark.parametrize('rate', [0.1, 0.5, 30.0])
def test_only_a_camera_that_is_slower_than_expected_warns_whatever_the_rate_and_the_window(
    monkeypatch: pytest.MonkeyPatch, rate: float, window_s: float
) -> None:
    assert set(levels(monkeypatch, rate, expected=rate, window_s=window_s)) == {OK}
    slow = levels(monkeypatch, rate / 2, expected=rate, window_s=window_s)
    told = WARN if window_s * rate >= 4 else OK
    assert set(slow[-len(slow) // 4 :]) == {told}


def test_an_optional_camera_that_is_missing_is_no_fault() -> None:
    for missing in (ABSENT, replace(HEARD, silent_s=9.0)):
        found = judge(missing, optional=True)
        assert (found.level, found.fault) == (OK, '')
        assert found.message.startswith('optional, and missing: ')
    for at_fault in (replace(ABSENT, incompatible='RELIABILITY'), replace(ABSENT, wrong_type='a')):
        assert judge(at_fault, optional=True) == judge(at_fault)
    assert judge(account=REFUSED, optional=True).level == ERROR


def test_compressed_images_are_not_blamed_on_the_dds_profile() -> None:
    assert 'fastdds' not in judge(replace(SILENT, transport='compressed')).message


def test_the_profile_of_this_process_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROFILE_VARIABLE, '/etc/dds.xml')
    assert 'this node: /etc/dds.xml' in judge(SILENT).message
    monkeypatch.delenv(PROFILE_VARIABLE)
    assert 'this node: not set' in judge(SILENT).message
