# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every kind of bad image and question against a real node: one clear message, and it lives."""

from __future__ import annotations

import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image

from livevlm_interfaces.srv import Ask
from livevlm_ros.node.client import Client
from livevlm_ros.node.diagnostics import OK

pytestmark = pytest.mark.slow

SIZE = (48, 64)  # height, width
JPEG = cv2.imencode('.jpg', np.full((*SIZE, 3), 90, np.uint8))[1].tobytes()


@dataclass
class Rig:
    """A real node that hears a raw and a compressed camera."""

    client: Client
    process: Any
    eventually: Callable[..., Any]
    stamp_s: int = 100
    publishers: dict[str, Any] = field(default_factory=dict)

    def values(self, camera: str) -> dict[str, str]:
        """Return what the diagnostics say of a camera, newer than this call."""
        before = self.client.status(f'camera/{camera}')
        self.eventually(lambda: self.client.status(f'camera/{camera}') is not before)
        return {v.key: v.value for v in self.client.status(f'camera/{camera}').values}

    def publish(self, message: Any, *, stamp_s: int | None = None) -> None:
        """Publish an image with the next stamp, or a given one."""
        self.stamp_s += 2
        message.header.stamp.sec = self.stamp_s if stamp_s is None else stamp_s
        self.publishers['raw' if isinstance(message, Image) else 'jpeg'].publish(message)

    def count(self, camera: str, key: str) -> int:
        return int(self.values(camera)[key])


@pytest.fixture(scope='module')
def rig(shared_ros: Any, shared_processes: Any, eventually: Callable[..., Any]) -> Iterator[Rig]:
    process = shared_processes.node(
        {
            'camera_names': '[raw, jpeg]',
            'cameras.jpeg.transport': 'compressed',
            'time.on_jump': 'drop',
            'diagnostics.period': 0.1,
            'ingest.target_fps': 2.0,
            'ask.min_confidence': 0.0,  # random weights are sure of nothing
        }
    )
    with Client() as client:
        rig = Rig(client, process, eventually)
        driver = shared_ros.node('driver')
        qos = QoSProfile(depth=5)
        rig.publishers = {
            'raw': driver.create_publisher(Image, 'raw/image_raw', qos),
            'jpeg': driver.create_publisher(CompressedImage, 'jpeg/image_raw/compressed', qos),
        }
        eventually(lambda: all(p.get_subscription_count() for p in rig.publishers.values()), 120)
        yield rig
        assert process.popen.poll() is None


def raw(**fields: Any) -> Image:
    height, width = SIZE
    message = Image(height=height, width=width, encoding='rgb8', step=3 * width)
    message.data = array.array('B', bytes(height * width * 3))
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def jpeg(data: bytes) -> CompressedImage:
    return CompressedImage(format='jpeg', data=array.array('B', data))


@pytest.mark.parametrize(
    ('message', 'says'),
    [
        (raw(height=0), 'expected at least 1x1'),
        (raw(height=480, width=640, step=1920), 'expected 921600'),
        (raw(step=10, data=bytes(48 * 192 + 1)), 'step of 10 bytes'),
        (raw(encoding='rainbow8'), "'rainbow8'"),
        (raw(encoding='32FC1'), "'32FC1'"),
        (raw(data=array.array('B', bytes(100))), 'data of 100 bytes'),
        (jpeg(JPEG[:-10]), 'cut off'),
        (jpeg(b'\xff\xd8\xff\xe0 no picture at all \xff\xda \xff\xd9'), 'no frame header'),
        (jpeg(b''), '0 bytes'),
    ],
    ids=['empty', 'size', 'step', 'encoding', 'depth', 'truncated', 'cut jpeg', 'corrupt jpeg',
         'no data'],
)  # fmt: skip
def test_a_bad_image_is_counted_and_named_and_the_next_good_one_is_used(
    rig: Rig, message: Any, says: str
) -> None:
    camera = 'raw' if isinstance(message, Image) else 'jpeg'
    good = raw() if camera == 'raw' else jpeg(JPEG)
    bad_before = rig.count(camera, 'dropped_bad')
    rig.publish(message)
    rig.eventually(lambda: rig.count(camera, 'dropped_bad') > bad_before)
    assert says in rig.values(camera)['last_error']
    used_before = rig.count(camera, 'frames_used')
    rig.publish(good)
    rig.eventually(lambda: rig.count(camera, 'frames_used') > used_before)


def test_a_stream_of_damaged_pictures_leaves_a_few_lines_that_name_the_camera(rig: Rig) -> None:
    png = cv2.imencode('.png', np.random.default_rng(1).integers(0, 255, (*SIZE, 3), np.uint8))[1]
    changed = png.tobytes()[:900] + b'damaged' + png.tobytes()[907:]
    early = JPEG[: len(JPEG) // 2] + JPEG[-2:]
    before, bad_before = rig.process.said(), rig.count('jpeg', 'dropped_bad')
    for _ in range(10):
        for data in (changed, early, JPEG[:-10]):
            came = rig.count('jpeg', 'received')
            rig.publish(jpeg(data))
            rig.eventually(lambda came=came: rig.count('jpeg', 'received') > came)
    rig.eventually(lambda: rig.count('jpeg', 'dropped_bad') >= bad_before + 10)
    lines = rig.process.said().removeprefix(before).splitlines()
    assert all(line.startswith('[') for line in lines), lines  # of the log, not of a decoder
    told = [line for line in lines if 'bad frame dropped: camera jpeg' in line]
    assert 1 <= len(told) < 6, lines


def test_a_stamp_that_runs_back_is_counted_and_named(rig: Rig) -> None:
    rig.publish(raw())
    bad_before = rig.count('raw', 'dropped_bad')
    rig.publish(raw(), stamp_s=50)
    rig.eventually(lambda: rig.count('raw', 'dropped_bad') > bad_before)
    assert '50' in rig.values('raw')['last_error']
    assert 'later' in rig.values('raw')['last_error']


def test_frames_in_are_used_dropped_or_waiting(rig: Rig) -> None:
    for camera in ('raw', 'jpeg'):
        values = rig.values(camera)
        parts = [int(v) for k, v in values.items() if k.startswith('dropped_')]
        assert int(values['frames_dropped']) == sum(parts)
        known = int(values['frames_used']) + sum(parts) + int(values['frames_waiting'])
        assert int(values['received']) == int(values['frames_in']) == known


@pytest.mark.parametrize(
    ('question', 'says'),
    [
        ('', 'empty'),
        ('   ', 'empty'),
        ('why ' * 25_000, '100'),
        ('what color was the zeppelin ?', 'zeppelin'),
    ],
    ids=['empty', 'blank', '100,000 characters', 'unknown word'],
)
def test_a_bad_question_is_refused_by_name(rig: Rig, question: str, says: str) -> None:
    response = rig.client.send(question).wait(60)
    assert response.status == Ask.Response.STATUS_INVALID
    assert says in response.status_message
    assert response.answer == ''


@pytest.mark.parametrize(
    ('field', 'value'),
    [('max_tokens', 4_000_000), ('temperature', float('nan')), ('temperature', 1e9),
     ('temperature', float('inf')), ('choices', ['yes']),
     ('memory_scope', 77), ('cameras', ['rear'])],
)  # fmt: skip
def test_a_bad_field_is_refused_by_name(rig: Rig, field: str, value: Any) -> None:
    response = rig.client.send('what color was the car ?', **{field: value}).wait(60)
    assert response.status == Ask.Response.STATUS_INVALID
    assert field in response.status_message


def test_a_time_that_ends_before_it_begins_is_refused(rig: Rig) -> None:
    times = {'time_start': Time(sec=9), 'time_end': Time(sec=3)}
    response = rig.client.send('what color was the car ?', **times).wait(60)
    assert response.status == Ask.Response.STATUS_INVALID
    assert 'time_start: got 9.000 s, after the end at 3.000 s' in response.status_message


def test_a_time_of_which_nothing_is_known_has_no_evidence(rig: Rig) -> None:
    ages_ago = Time(sec=1)
    response = rig.client.send('what color was the car ?', time_end=ages_ago).wait(60)
    assert response.status == Ask.Response.STATUS_NO_EVIDENCE


def test_a_negative_budget_is_refused(rig: Rig) -> None:
    response = rig.client.send('what color was the car ?', budget_s=-1.0).wait(60)
    assert response.status == Ask.Response.STATUS_INVALID
    assert 'latency_budget' in response.status_message


def test_a_budget_of_one_millisecond_is_answered_with_the_deadline(rig: Rig) -> None:
    response = rig.client.send('what color was the car ?', budget_s=0.001).wait(60)
    assert response.status in (Ask.Response.STATUS_DEADLINE, Ask.Response.STATUS_OVERLOADED)
    assert response.status_message
    assert response.latency.budget_ms == pytest.approx(1.0)


def test_after_all_that_a_good_question_is_answered(rig: Rig) -> None:
    assert rig.client.wait_for_status('ingest', OK, 60)
    response = rig.client.send('what color was the car ?', budget_s=10.0, max_tokens=1).wait(60)
    assert response.status in (Ask.Response.STATUS_OK, Ask.Response.STATUS_PARTIAL)
    assert response.frames_considered > 0
