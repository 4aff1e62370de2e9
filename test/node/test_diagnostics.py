# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip('torch')

from livevlm_ros.engine import MemorySizes, RecallCounts
from livevlm_ros.engine.horizon import Horizon
from livevlm_ros.engine.messages import Status
from livevlm_ros.engine.slot import CameraStats, Dropped
from livevlm_ros.engine.stats import Percentiles
from livevlm_ros.engine.watch import Watch, WatchState
from livevlm_ros.node.cameras import CameraReport
from livevlm_ros.node.diagnostics import ERROR, OK, STALE, WARN, Health, Lifecycle, healths
from livevlm_ros.node.parameters import table
from livevlm_ros.node.ros_clock import ClockReport
from livevlm_ros.node.traffic import TrafficStats

DEFAULTS = {name: row.default for name, row in table().items()}
ACTIVE = Lifecycle('active')
NOW = ClockReport(now_ns=1_000_000_000_000)
HEARD = CameraReport(
    name='camera',
    topics=('/camera/image_raw',),
    transport='raw',
    publishers=1,
    incompatible='',
    silent_s=0.1,
    encoding='rgb8',
    traffic=TrafficStats(received=300, fps=30.0, p50_ms=0.1, p99_ms=0.2, max_ms=0.3),
)
NOTHING = replace(HEARD.traffic, received=0, fps=0.0)
USED = CameraStats(
    frames_in=300, frames_used=9, dropped=Dropped(rate=291), used_stamp_ns=999_500_000_000
)


def judge(
    fake_engine: Any, report: CameraReport, account: CameraStats, **stats: Any
) -> dict[str, Health]:
    made = replace(fake_engine.stats(), cameras={'camera': account}, **stats)
    return by_task(healths(ACTIVE, [report], made, DEFAULTS, refused={}, clock=NOW))


def by_task(found: list[Health]) -> dict[str, Health]:
    return {health.task: health for health in found}


def camera(fake_engine: Any, report: CameraReport, account: CameraStats = USED) -> Health:
    return judge(fake_engine, report, account)['camera/camera']


def test_a_camera_that_works_is_ok_and_accounts_for_each_frame(fake_engine: Any) -> None:
    health = camera(fake_engine, HEARD)
    assert health.level == OK
    assert '30.0 images a second on /camera/image_raw' in health.message
    assert health.values['frames_in'] == 300
    assert health.values['dropped_rate'] == 291
    assert health.values['frame_age_s'] == pytest.approx(0.5)
    assert health.values['callback_p99_ms'] == 0.2


@pytest.mark.parametrize(
    ('clock', 'level', 'says'),
    [
        (ClockReport(True), WARN, 'nothing has come on /clock'),
        (ClockReport(True, still_s=5.0), ERROR, 'nothing has come on /clock (no publisher on it)'),
        (ClockReport(True, still_s=5.0, publishers=1), ERROR, '/clock (1 publisher on it): play'),
        (ClockReport(True, 5, still_s=6.0), WARN, 'stood still for 6 s'),
        (ClockReport(True, 5, still_s=600.0, publishers=1), OK, '1 publisher'),
        (ClockReport(True, 5, still_s=0.1), OK, 'no publisher'),
    ],
    ids=['not yet', 'never came', 'silent', 'ended', 'paused', 'goes on'],
)
def test_a_clock_that_is_silent_says_what_to_do(
    fake_engine: Any, clock: ClockReport, level: bytes, says: str
) -> None:
    made = replace(fake_engine.stats(), cameras={'camera': USED})
    found = by_task(healths(ACTIVE, [HEARD], made, DEFAULTS, refused={}, clock=clock))
    assert found['clock'].level == level
    assert says in found['clock'].message
    assert bool(found['clock'].fault) == (level != OK)
    if clock.silent:
        assert found['camera/camera'].level == OK  # no frame is too old without a time


def test_who_has_no_simulated_time_hears_nothing_of_the_clock(fake_engine: Any) -> None:
    assert 'clock' not in judge(fake_engine, HEARD, USED)


@pytest.mark.parametrize(
    ('state', 'level', 'says'),
    [
        (Lifecycle('configuring', loading='weights 0%, 2.0 s'), WARN, 'weights 0%, 2.0 s'),
        (Lifecycle('unconfigured', problem='configure failed: no file'), ERROR, 'no file'),
        (Lifecycle('unconfigured'), STALE, 'unconfigured'),
    ],
    ids=['loading', 'failed', 'not yet'],
)
def test_a_model_that_is_not_there_says_why(state: Lifecycle, level: bytes, says: str) -> None:
    (health,) = healths(state, [], None, DEFAULTS, refused={}, clock=NOW)
    assert (health.task, health.level) == ('model', level)
    assert says in health.message


def test_a_hanging_engine_is_an_error(fake_engine: Any) -> None:
    found = judge(fake_engine, HEARD, USED, busy_with='step', heartbeat_age_s=60.0)
    assert found['ingest'].level == ERROR
    assert 'hangs in step for 60 s' in found['ingest'].message
    idle = judge(fake_engine, HEARD, USED, busy_with='idle', heartbeat_age_s=60.0)
    assert idle['ingest'].level == OK


def test_a_slow_engine_does_not_hang(fake_engine: Any) -> None:
    slow = {'busy_with': 'step', 'usual_s': 6.5}
    found = judge(fake_engine, HEARD, USED, heartbeat_age_s=64.0, **slow)
    assert found['ingest'].level == OK
    found = judge(fake_engine, HEARD, USED, heartbeat_age_s=66.0, **slow)
    assert found['ingest'].level == ERROR
    assert '6.5 s are usual' in found['ingest'].message


SIZES = MemorySizes(**dict.fromkeys(MemorySizes.__slots__, 0) | {'recall': RecallCounts()})


def test_a_memory_that_lost_nothing_is_ok_and_tells_what_it_counts(fake_engine: Any) -> None:
    health = judge(fake_engine, HEARD, USED, memory=replace(SIZES, frames=7))['memory']
    assert (health.level, health.message) == (OK, '7 frames, 0.0 MB')
    lost = {'archive_lost', 'disk_lost', 'recall_failed', 'recall_questions_corrected'}
    assert lost <= health.values.keys()


@pytest.mark.parametrize(
    ('changed', 'says'),
    [
        ({'context_truncated': True}, 'the oldest frames leave'),
        ({'archive_lost': 3}, '3 frames were not archived'),
        ({'disk_lost': True}, "the archive's file cannot grow"),
        ({'recall': RecallCounts(failed=2)}, '2 choices ahead of questions failed'),
        ({'archive_lost': 3, 'disk_lost': True}, 'see the log; the archive'),
    ],
)
def test_a_memory_that_lost_something_warns(
    fake_engine: Any, changed: dict[str, Any], says: str
) -> None:
    health = judge(fake_engine, HEARD, USED, memory=replace(SIZES, **changed))['memory']
    assert health.level == WARN
    assert says in health.message


def test_changes_that_a_kill_would_cost_are_counted(fake_engine: Any) -> None:
    health = judge(fake_engine, HEARD, USED, memory=SIZES, unsaved=3)['memory']
    assert health.level == WARN
    assert '3 changes would be lost by a kill' in health.message
    assert health.values['unsaved'] == 3


def test_a_memory_that_is_not_saved_warns(fake_engine: Any) -> None:
    why = 'the memory is not saved: no space left'
    health = judge(fake_engine, HEARD, USED, memory=SIZES, snapshot_problem=why)['memory']
    assert health.level == WARN
    assert why in health.message


def test_other_work_that_failed_warns(fake_engine: Any) -> None:
    health = judge(fake_engine, HEARD, USED, turns_failed=2)['ingest']
    assert health.level == WARN
    assert 'failed 2 times: see the log' in health.message


@pytest.mark.parametrize(
    ('horizon', 'level', 'message'),
    [
        (Horizon(7800.0, 'kept for 2 h'), OK, '7 frames, 0.0 MB'),
        (Horizon(230.0, 'kept for 3 min', 'raise it'), WARN, 'kept for 3 min; raise it (7 frames'),
    ],
)
def test_how_long_everything_is_kept_is_told_and_minutes_warn(
    fake_engine: Any, horizon: Horizon, level: bytes, message: str
) -> None:
    held = replace(SIZES, frames=7)
    health = judge(fake_engine, HEARD, USED, memory=held, horizon=horizon)['memory']
    assert health.level == level
    assert health.message.startswith(message)
    assert (health.values['kept_s'], health.values['kept']) == (horizon.seconds, horizon.text)


def test_slow_answers_warn(fake_engine: Any) -> None:
    slow = replace(fake_engine.stats().ask, total_ms=Percentiles(900.0, 2500.0, 2600.0, 2700.0))
    assert judge(fake_engine, HEARD, USED, ask=slow)['ask'].level == WARN


def test_a_watch_that_is_not_answered_or_falls_behind_warns(fake_engine: Any) -> None:
    assert 'watches' not in judge(fake_engine, HEARD, USED)
    state = WatchState(
        Watch('open ?', watch_id='gate', every_frames=1), 'yes', rounds=9, skipped=9
    )

    def health(**fields: Any) -> Health:
        watches = (state, replace(state, **fields))
        return judge(fake_engine, HEARD, USED, watches=watches)['watches']

    assert health().level == OK and health().values['gate_rounds'] == 9
    short = health(problem='a latency_budget of 0.1 s is too short: cut')
    assert (short.level, short.fault) == (WARN, 'unanswered')
    assert short.message == 'gate: a latency_budget of 0.1 s is too short: cut'
    behind = health(skipped=10)
    assert behind.level == WARN and 'most rounds are skipped' in behind.message


def test_an_inactive_node_is_stale_not_broken(fake_engine: Any) -> None:
    stats = replace(fake_engine.stats(), cameras={'camera': USED})
    inactive = Lifecycle('inactive')
    found = healths(inactive, [HEARD], stats, DEFAULTS, refused={}, clock=NOW)
    assert {h.level for h in found if h.task in ('camera/camera', 'ingest')} == {STALE}


@pytest.mark.parametrize(('target_fps', 'level'), [(1.0, WARN), (0.1, OK), (0.5, WARN)])
def test_a_frame_is_old_only_when_the_next_one_is_overdue(
    fake_engine: Any, target_fps: float, level: bytes
) -> None:
    stats = replace(
        fake_engine.stats(), cameras={'camera': replace(USED, used_stamp_ns=988_000_000_000)}
    )
    values = {**DEFAULTS, 'ingest.target_fps': target_fps}
    found = by_task(healths(ACTIVE, [HEARD], stats, values, refused={}, clock=NOW))
    assert found['camera/camera'].level == level


def test_what_the_node_refused_itself_counts_as_served(fake_engine: Any) -> None:
    ask = replace(fake_engine.stats().ask, served={Status.OK: 4, Status.INVALID: 1})
    stats = replace(fake_engine.stats(), cameras={'camera': USED}, ask=ask)
    refused = {Status.INVALID: 2, Status.NOT_ACTIVE: 3}
    found = by_task(healths(ACTIVE, [HEARD], stats, DEFAULTS, refused=refused, clock=NOW))
    served = {k: v for k, v in found['ask'].values.items() if k.startswith('served')}
    assert served == {
        'served': 10,
        'served_ok': 4,
        'served_invalid': 3,
        'served_not_active': 3,
    }


def test_a_health_becomes_a_message() -> None:
    message = Health('ask', OK, 'fine', {'p95': 1.23456, 'n': 3}).to_message('r1/livevlm', 'cpu')
    assert (message.name, message.level, message.hardware_id) == ('r1/livevlm: ask', OK, 'cpu')
    assert [(v.key, v.value) for v in message.values] == [('p95', '1.235'), ('n', '3')]


def test_a_memory_that_is_paused_is_told(fake_engine: Any) -> None:
    ingest = judge(fake_engine, HEARD, USED, paused=True)['ingest']
    assert ingest.level == WARN and 'paused by ~/set_paused' in ingest.message
    assert ingest.values['paused'] is True
