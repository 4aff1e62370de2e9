# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a camera's images come and are used; and if not, why, and what to do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from diagnostic_msgs.msg import DiagnosticStatus

from livevlm_ros.images import republish_command
from livevlm_ros.node.cameras import TYPES, UNREAD, CameraReport
from livevlm_ros.node.parameters import Values
from livevlm_ros.share import PROFILE_VARIABLE

if TYPE_CHECKING:
    from livevlm_ros.engine.slot import CameraStats
    from livevlm_ros.node.traffic import TrafficStats

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
FOREIGN_STAMP_S = 3600.0  # a newest frame that is this far from now has another clock
REFUSED_IN_ROW = 3  # bad frames after which every one is held to be
LEAST_SHARE = 0.75  # of the images that are expected
COUNTED_S = 5.0  # or the whole window, before which fewer images say nothing
COUNTED = 4  # images that are to come before fewer say something


ABSENT = ('no publisher', 'silent')
"""Faults of a camera that is not there, or not switched on."""


class Verdict(NamedTuple):
    """
    What to say of a camera.

    :param fault: its kind, by which the console tells a new one; '' when nothing is at fault
    """

    level: bytes
    message: str
    fault: str = ''


def verdict(
    camera: CameraReport,
    account: CameraStats,
    parameters: Values,
    *,
    age_s: float | None,
) -> Verdict:
    """
    Judge a camera of an active node.

    :param age_s: of the newest frame in the memory by ROS time; None without one or the other
    """
    name, where = camera.name, ' or '.join(camera.topics)
    missing = _missing(camera, where)
    if missing is not None:
        may_be = parameters[f'cameras.{name}.optional'] and missing.fault in ABSENT
        return Verdict(OK, f'optional, and missing: {missing.message}') if may_be else missing
    if account.last_error and not account.frames_used:
        return Verdict(ERROR, f'no image could be used: {account.last_error}', 'refused')
    if account.bad_in_row >= REFUSED_IN_ROW:
        refused = f'the last {account.bad_in_row} images were refused: {account.last_error}'
        return Verdict(ERROR, refused, 'refused')
    if camera.incompatible:
        return Verdict(WARN, f'images come, but {_mismatch(camera, where)}', 'qos')
    period_s = 1 / parameters['ingest.target_fps']
    limit_s = max(parameters['diagnostics.warn_frame_age_s'], 2 * period_s)
    if age_s is not None and abs(age_s) > FOREIGN_STAMP_S:
        way = 'old' if age_s > 0 else 'ahead'
        return Verdict(
            WARN,
            f'newest frame is {abs(age_s):.0f} s {way}: is use_sim_time set as in the camera?',
            'other clock',
        )
    if age_s is not None and age_s > limit_s:
        return Verdict(WARN, f'newest frame in the memory is {age_s:.1f} s old')
    rate = f'{camera.traffic.fps:.1f} images a second on {where}'
    expected = parameters[f'cameras.{name}.expected_rate']
    if _is_slow(camera.traffic, expected, parameters['diagnostics.window_s']):
        return Verdict(WARN, f'{rate}, expected {expected:g}', 'slow')
    return Verdict(OK, rate)


def _is_slow(traffic: TrafficStats, expected: float, window_s: float) -> bool:
    """Return whether too few images came, where so many were to come that one is no matter."""
    counted_s = traffic.counted_s
    if counted_s < min(COUNTED_S, window_s) or counted_s * expected < COUNTED:
        return False
    return traffic.fps < LEAST_SHARE * expected


def _missing(camera: CameraReport, where: str) -> Verdict | None:
    """Say why no image comes; None if they do."""
    if not camera.publishers:
        return _unpublished(camera, where)
    if camera.silent_s >= camera.patience_s:
        return Verdict(ERROR, _silence(camera, where), 'silent')
    return None


def _unpublished(camera: CameraReport, where: str) -> Verdict:
    if camera.incompatible:
        return Verdict(ERROR, _mismatch(camera, where), 'qos')
    if camera.wrong_type:
        return Verdict(
            ERROR,
            f'{camera.wrong_type} is published on {where}, expected sensor_msgs/msg/Image or '
            f'CompressedImage: set cameras.{camera.name}.topic to the topic of the images',
            'wrong type',
        )
    message = f'no publisher on {where}'
    if camera.beside:
        return Verdict(WARN, f'{message}; {_cure(camera)}', 'other transport')
    return Verdict(
        WARN,
        f'{message}: start the camera, or set cameras.{camera.name}.topic',
        'no publisher',
    )


def _mismatch(camera: CameraReport, where: str) -> str:
    return (
        f'a publisher on {where} offers a {camera.incompatible} that does not match; set '
        f'qos_overrides.{where}.subscription.{camera.incompatible.lower()} of this node'
    )


def _silence(camera: CameraReport, where: str) -> str:
    """Explain a publisher that is matched and not heard."""
    message = (
        f'{camera.publishers} publisher on {where}, but no image for {camera.silent_s:.1f} s.'
    )
    if camera.beside:
        return f'{message} But {_cure(camera)}'
    if camera.transport == 'raw' and not camera.traffic.received:
        profile = os.environ.get(PROFILE_VARIABLE)
        message += (
            ' Raw images are lost when one side lacks the Fast DDS profile: start the camera and '
            f'the node with {PROFILE_VARIABLE}=<share of livevlm_ros>/config/fastdds.xml '
            f'(this node: {profile or "not set"}), or use transport compressed.'
        )
    return message + ' Does the driver publish (ros2 topic hz)?'


def _cure(camera: CameraReport) -> str:
    """Say how to come by images that are published in another form."""
    base, form = camera.topics[0].removesuffix('/compressed'), camera.beside[0]
    if form in TYPES:
        topic = base if form == 'raw' else f'{base}/{form}'
        return f'{topic} has a publisher: set cameras.{camera.name}.transport to auto or {form}'
    assert form in UNREAD
    return (
        f'{base}/{form} has a publisher, whose packets are no pictures: run '
        f'"{republish_command(base, form)}" and set cameras.{camera.name}.topic to {base}_decoded'
    )
