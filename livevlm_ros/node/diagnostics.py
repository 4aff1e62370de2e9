# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `/diagnostics` says: how the node is, and when nothing happens, why."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from livevlm_ros.engine.messages import Status
from livevlm_ros.node.cameras import CameraReport
from livevlm_ros.node.parameters import Values
from livevlm_ros.share import PROFILE_VARIABLE

if TYPE_CHECKING:
    from livevlm_ros.engine import EngineStats, MemorySizes
    from livevlm_ros.engine.slot import CameraStats

OK, WARN, ERROR, STALE = (
    DiagnosticStatus.OK,
    DiagnosticStatus.WARN,
    DiagnosticStatus.ERROR,
    DiagnosticStatus.STALE,
)
SILENT_S = 3.0  # a matched publisher from which no image came for so long is a fault
HANGING_S = 10.0  # a step or a token that takes longer, and `HANGING_TIMES` what is usual
HANGING_TIMES = 10.0
FOREIGN_STAMP_S = 3600.0  # a newest frame that is this far from now has another clock


@dataclass(frozen=True, slots=True)
class Health:
    """One entry of `/diagnostics`; `values` are shown as text."""

    task: str
    level: bytes
    message: str
    values: Mapping[str, object] = field(default_factory=dict)

    def to_message(self, node_name: str, hardware_id: str) -> DiagnosticStatus:
        """Return the ROS message."""
        return DiagnosticStatus(
            level=self.level,
            name=f'{node_name}: {self.task}',
            message=self.message,
            hardware_id=hardware_id,
            values=[KeyValue(key=key, value=_text(value)) for key, value in self.values.items()],
        )


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """
    The node's own state.

    :param label: of the lifecycle state
    :param loading: what is being loaded, or '' when nothing is
    :param problem: why the last transition failed, or ''
    """

    label: str
    loading: str = ''
    problem: str = ''


def healths(
    state: Lifecycle,
    reports: Sequence[CameraReport],
    stats: EngineStats | None,
    parameters: Values,
    *,
    refused: Mapping[Status, int],
    now_s: float,
) -> list[Health]:
    """
    Judge everything.

    :param stats: of the engine; None while there is none
    :param refused: replies that the engine has not seen, by status
    :param now_s: ROS time
    """
    found = [_model(state, stats)]
    if stats is not None:
        for report in reports:
            account = stats.cameras[report.name]
            found.append(camera_health(report, account, state, parameters, now_s=now_s))
        found += [_ingest(state, stats), _memory(stats), _ask(stats, refused, parameters)]
    return found


def _model(state: Lifecycle, stats: EngineStats | None) -> Health:
    if state.loading:
        return Health('model', WARN, f'model loading: {state.loading}')
    if state.problem:
        return Health('model', ERROR, state.problem)
    if stats is None or stats.model is None:
        return Health('model', STALE, f'no model is loaded: the node is {state.label}')
    model = stats.model
    values = {
        'model_id': model.model_id,
        'dtype': model.dtype,
        'device': model.device,
        'parameters': model.parameters,
        'load_s': model.load_s,
        **{f'warm_up_{work}': cost for work, cost in model.warm_up_ms.items()},
        **model.costs_ms,
    }
    return Health('model', OK, f'{model.model_id} on {model.device}', values)


def camera_health(
    camera: CameraReport,
    account: CameraStats,
    state: Lifecycle,
    parameters: Values,
    *,
    now_s: float,
) -> Health:
    """Say whether images of a camera come and are used, and if not, why."""
    age_s = now_s - account.used_stamp_ns / 1e9 if account.frames_used else None
    level, message = _camera_verdict(camera, account, state, parameters, age_s)
    traffic = camera.traffic
    values = {
        'topics': ' '.join(camera.topics),
        'transport': camera.transport,
        'encoding': camera.encoding,
        'publishers': camera.publishers,
        'incompatible_qos': camera.incompatible,
        'received': traffic.received,
        'frames_in': account.frames_in,
        'frames_used': account.frames_used,
        'frames_dropped': account.dropped.total,
        **{f'dropped_{why}': n for why, n in dataclasses.asdict(account.dropped).items()},
        'frames_waiting': account.waiting,
        'fps_in': traffic.fps,
        'silent_s': camera.silent_s,
        'frame_age_s': '' if age_s is None else age_s,
        'callback_p50_ms': traffic.p50_ms,
        'callback_p99_ms': traffic.p99_ms,
        'callback_max_ms': traffic.max_ms,
        'last_error': account.last_error,
    }
    return Health(f'camera/{camera.name}', level, message, values)


def _camera_verdict(
    camera: CameraReport,
    account: CameraStats,
    state: Lifecycle,
    parameters: Values,
    age_s: float | None,
) -> tuple[bytes, str]:
    where = ' or '.join(camera.topics)
    if state.label != 'active':
        return STALE, f'not subscribed: the node is {state.label}'
    if camera.incompatible and not camera.publishers:
        return ERROR, (
            f'a publisher on {where} offers a {camera.incompatible} that does not match; set '
            f'qos_overrides.{where}.subscription.{camera.incompatible.lower()} of this node'
        )
    if not camera.publishers:
        return WARN, f'no publisher on {where}'
    if camera.silent_s >= SILENT_S:
        return ERROR, _silence(camera, where)
    if account.last_error and not account.frames_used:
        return ERROR, f'no image could be used: {account.last_error}'
    period_s = 1 / parameters['ingest.target_fps']
    limit_s = max(parameters['diagnostics.warn_frame_age_s'], 2 * period_s)
    if age_s is not None and abs(age_s) > FOREIGN_STAMP_S:
        return WARN, f'newest frame is {age_s:.0f} s old: is use_sim_time set as in the camera?'
    if age_s is not None and age_s > limit_s:
        return WARN, f'newest frame in the memory is {age_s:.1f} s old'
    return OK, f'{camera.traffic.fps:.1f} images a second on {where}'


def _silence(camera: CameraReport, where: str) -> str:
    """Explain a publisher that is matched and not heard."""
    message = (
        f'{camera.publishers} publisher on {where}, but no image for {camera.silent_s:.1f} s.'
    )
    if camera.transport == 'raw' and not camera.traffic.received:
        profile = os.environ.get(PROFILE_VARIABLE)
        message += (
            ' Raw images are lost when one side lacks the Fast DDS profile: start the camera and '
            f'the node with {PROFILE_VARIABLE}=<share of livevlm_ros>/config/fastdds.xml '
            f'(this node: {profile or "not set"}), or use transport compressed.'
        )
    return message + ' Does the driver publish (ros2 topic hz)?'


def _ingest(state: Lifecycle, stats: EngineStats) -> Health:
    values = {
        'state': stats.state,
        'busy_with': stats.busy_with,
        'heartbeat_age_s': stats.heartbeat_age_s,
        'frames_in': stats.frames_in,
        'frames_used': stats.frames_used,
        'frames_dropped': stats.dropped.total,
        **{f'dropped_{why}': n for why, n in dataclasses.asdict(stats.dropped).items()},
        'frames_waiting': stats.waiting,
        'paused': stats.paused,
        'time_jumps': stats.time_jumps,
        'time_resets': stats.time_resets,
    }
    if state.label != 'active':
        return Health('ingest', STALE, f'stopped: the node is {state.label}', values)
    hanging_s = max(HANGING_S, HANGING_TIMES * stats.usual_s)
    if stats.busy_with != 'idle' and stats.heartbeat_age_s > hanging_s:
        hangs = (
            f'the engine hangs in {stats.busy_with} for {stats.heartbeat_age_s:.0f} s, '
            f'{stats.usual_s:.1f} s are usual'
        )
        return Health('ingest', ERROR, hangs, values)
    used = f'{stats.frames_used} frames used of {stats.frames_in}'
    if stats.paused:
        return Health('ingest', WARN, f'paused by ~/set_paused: {used}', values)
    return Health('ingest', OK, used, values)


def _memory(stats: EngineStats) -> Health:
    if stats.memory is None:
        return Health('memory', STALE, 'no memory yet')
    values, recall = dataclasses.asdict(stats.memory), stats.memory.recall
    del values['recall'], values['room']
    values |= {f'recall_{name}': value for name, value in dataclasses.asdict(recall).items()}
    values['recall_correction_rate'] = recall.correction_rate
    if stats.horizon is not None:
        values |= {'kept_s': stats.horizon.seconds, 'kept': stats.horizon.text}
    message = f'{stats.memory.frames} frames, {stats.memory.device_bytes / 1e6:.1f} MB'
    faults = _memory_faults(stats.memory)
    if stats.horizon is not None and stats.horizon.advice:
        faults.append(f'{stats.horizon.text}; {stats.horizon.advice}')
    if faults:
        return Health('memory', WARN, f'{"; ".join(faults)} ({message})', values)
    return Health('memory', OK, message, values)


def _memory_faults(memory: MemorySizes) -> list[str]:
    """Say what the memory could not keep or do since it was built."""
    faults = []
    if memory.context_truncated:
        faults.append('full: the oldest frames leave')
    if memory.archive_lost:
        faults.append(f'{memory.archive_lost} frames were not archived: too fast, or see the log')
    if memory.disk_lost:
        faults.append(
            "the archive's file cannot grow: make room on the disk, and clear the memory"
        )
    if memory.recall.failed:
        faults.append(f'{memory.recall.failed} choices ahead of questions failed: see the log')
    return faults


def _ask(stats: EngineStats, refused: Mapping[Status, int], parameters: Values) -> Health:
    ask = stats.ask
    by_status = Counter(ask.served) + Counter(refused)
    served = by_status.total()
    values = {
        'served': served,
        **{f'served_{status.name.lower()}': n for status, n in sorted(by_status.items())},
        'waiting': ask.waiting,
        'deadline_met': ask.deadline_met,
        'deadline_missed': ask.deadline_missed,
        **{f'first_token_{k}_ms': v for k, v in dataclasses.asdict(ask.first_token_ms).items()},
        **{f'total_{k}_ms': v for k, v in dataclasses.asdict(ask.total_ms).items()},
    }
    limit_ms = parameters['diagnostics.warn_p95_ms']
    if ask.total_ms.p95 > limit_ms:
        slow = f'95 % of the answers take up to {ask.total_ms.p95:.0f} ms'
        return Health('ask', WARN, slow, values)
    return Health('ask', OK, f'{served} questions served', values)


def _text(value: object) -> str:
    return f'{value:.3f}' if isinstance(value, float) else str(value)
