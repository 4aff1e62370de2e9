# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `/diagnostics` says: how the node is, and when nothing happens, why."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from livevlm_ros.engine.messages import Status
from livevlm_ros.node.camera_verdict import Verdict, verdict
from livevlm_ros.node.cameras import CameraReport
from livevlm_ros.node.parameters import Values
from livevlm_ros.node.poses import PoseReport
from livevlm_ros.node.ros_clock import ClockReport

if TYPE_CHECKING:
    from livevlm_ros.engine import EngineStats, MemorySizes
    from livevlm_ros.engine.slot import CameraStats
    from livevlm_ros.engine.watch import WatchState

OK, WARN, ERROR, STALE = (
    DiagnosticStatus.OK,
    DiagnosticStatus.WARN,
    DiagnosticStatus.ERROR,
    DiagnosticStatus.STALE,
)
HANGING_S = 10.0  # a step or a token that takes longer, and `HANGING_TIMES` what is usual
HANGING_TIMES = 10.0
STILL_S = 5.0  # for which /clock may stand still without a publisher, or not have come yet


@dataclass(frozen=True, slots=True)
class Health:
    """
    One entry of `/diagnostics`; `values` are shown as text.

    :param fault: kind of what the console must tell, or ''
    """

    task: str
    level: bytes
    message: str
    values: Mapping[str, object] = field(default_factory=dict)
    fault: str = ''

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
    clock: ClockReport,
    poses: PoseReport | None = None,
) -> list[Health]:
    """
    Judge everything.

    :param stats: of the engine; None while there is none
    :param refused: replies that the engine has not seen, by status
    :param poses: of frames; None without a source of poses
    """
    found = [_model(state, stats)]
    if clock.simulated:
        found.append(_clock(clock))
    if stats is not None:
        now_s = 0.0 if stats.paused else clock.now_ns / 1e9  # then no frame is too old
        for report in reports:
            account = stats.cameras[report.name]
            found.append(camera_health(report, account, state, parameters, now_s=now_s))
        if poses is not None:
            found.append(_poses(state, poses))
        found += [_ingest(state, stats), _memory(stats), _ask(stats, refused, parameters)]
        if stats.watches:
            found.append(_watches(stats.watches))
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
        'weights': model.weights,
        'weight_bytes': model.weight_bytes,
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
    """
    Say whether images of a camera come and are used, and if not, why.

    :param now_s: ROS time; 0: there is none
    """
    age_s = now_s - account.used_stamp_ns / 1e9 if account.frames_used and now_s else None
    found = Verdict(STALE, f'not subscribed: the node is {state.label}')
    if state.label == 'active':
        found = verdict(camera, account, parameters, age_s=age_s)
    traffic = camera.traffic
    values = {
        'topics': ' '.join(camera.topics),
        'transport': camera.transport,
        'encoding': camera.encoding,
        'bits': camera.bits if '16' in camera.encoding else '',
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
    return Health(f'camera/{camera.name}', found.level, found.message, values, found.fault)


def _clock(clock: ClockReport) -> Health:
    values = {'still_s': clock.still_s, 'publishers': clock.publishers}
    cure = 'play the bag with --clock, start the simulator, or set use_sim_time to false'
    who = f'{clock.publishers or "no"} publisher on it'
    if clock.silent:
        silence = f'use_sim_time is set, but nothing has come on /clock ({who}): {cure}'
        level = ERROR if clock.still_s >= STILL_S else WARN
        return Health('clock', level, silence, values, 'silent')
    if not clock.publishers and clock.still_s >= STILL_S:
        ended = f'/clock has stood still for {clock.still_s:.0f} s ({who}): {cure}'
        return Health('clock', WARN, ended, values, 'ended')
    return Health('clock', OK, f'ROS time comes from /clock, {who}', values)


def _poses(state: Lifecycle, poses: PoseReport) -> Health:
    settings, missing = poses.settings, sum(poses.missing.values())
    values = {
        'source': settings.source,
        'frame': settings.frame,
        'found': poses.found,
        'missing': missing,
        **{f'missing_{kind}': n for kind, n in sorted(poses.missing.items())},
        'missing_in_row': poses.missing_in_row,
        'last_missing': poses.why,
    }
    if state.label != 'active':
        return Health('poses', STALE, f'not looked up: the node is {state.label}', values)
    if poses.missing_in_row:
        lacking = f'the last {poses.missing_in_row} frames have no pose: {poses.why}'
        return Health('poses', WARN, lacking, values, 'no pose')
    have = f'{poses.found} of {poses.found + missing} frames have their pose in {settings.frame}'
    return Health('poses', OK, have, values)


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
        'turns_failed': stats.turns_failed,
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
        return Health('ingest', ERROR, hangs, values, 'hangs')
    used = f'{stats.frames_used} frames used of {stats.frames_in}'
    if stats.paused:
        return Health('ingest', WARN, f'paused by ~/set_paused: {used}', values)
    if stats.turns_failed:
        failed = f'{used}; other work of the engine failed {stats.turns_failed} times: see the log'
        return Health('ingest', WARN, failed, values)
    return Health('ingest', OK, used, values)


def _memory(stats: EngineStats) -> Health:
    if stats.memory is None:
        return Health('memory', STALE, 'no memory yet')
    values, recall = dataclasses.asdict(stats.memory), stats.memory.recall
    del values['recall'], values['room']
    values |= {f'recall_{name}': value for name, value in dataclasses.asdict(recall).items()}
    values['recall_correction_rate'] = recall.correction_rate
    values['unsaved'] = stats.unsaved
    if stats.horizon is not None:
        values |= {'kept_s': stats.horizon.seconds, 'kept': stats.horizon.text}
    message = f'{stats.memory.frames} frames, {stats.memory.device_bytes / 1e6:.1f} MB'
    faults = _memory_faults(stats.memory)
    if stats.unsaved:
        faults.append(f'{stats.unsaved} changes would be lost by a kill: see the log')
    if stats.snapshot_problem:
        faults.append(stats.snapshot_problem)
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


def _watches(watches: Sequence[WatchState]) -> Health:
    values: dict[str, object] = {}
    for state in watches:
        counts = {'rounds': state.rounds, 'skipped': state.skipped, 'events': state.events}
        told = counts | {'took_ms': 1e3 * state.took_s, 'answer': state.answer}
        values |= {f'{state.watch.watch_id}_{name}': value for name, value in told.items()}
    faults = [f'{state.watch.watch_id}: {state.problem}' for state in watches if state.problem]
    if faults:
        return Health('watches', WARN, '; '.join(faults), values, 'unanswered')
    behind = [state.watch.watch_id for state in watches if state.skipped > state.rounds]
    if behind:
        late = f'most rounds are skipped, for want of time: {", ".join(behind)}'
        return Health('watches', WARN, late, values)
    return Health('watches', OK, f'{len(watches)} watches', values)


def _text(value: object) -> str:
    return f'{value:.3f}' if isinstance(value, float) else str(value)
