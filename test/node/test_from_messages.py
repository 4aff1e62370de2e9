# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

from dataclasses import replace
from typing import Any
from unittest.mock import ANY

import pytest

pytest.importorskip('torch')

from livevlm_interfaces.srv import Ask
from livevlm_ros.engine import MemorySizes, RecallCounts
from livevlm_ros.engine.messages import (
    Answer,
    Evidence,
    Finish,
    Latency,
    Scope,
    Source,
    Status,
)
from livevlm_ros.engine.slot import CameraStats, Dropped
from livevlm_ros.node.ask_service import fill_response
from livevlm_ros.node.cameras import CameraReport
from livevlm_ros.node.from_messages import to_answer, to_stats
from livevlm_ros.node.memory_state import MemoryTeller
from livevlm_ros.node.parameters import table
from livevlm_ros.node.traffic import TrafficStats
from livevlm_ros.pose import Pose

SIZES = MemorySizes(
    short_term_tokens=1,
    long_term_tokens=2,
    archive_tokens=3,
    device_bytes=4,
    read_bytes=5,
    host_bytes=6,
    disk_bytes=7,
    full_cache_bytes=8,
    short_term_frames=9,
    frames=10,
    evictions=11,
    context_truncated=True,
    oldest_stamp_ns=12,
    short_term_oldest_ns=19_000_000_020,
    long_term_capacity=21,
    archive_lost=18,
    disk_lost=True,
    recall=RecallCounts(
        speculated=13,
        corrected=14,
        questions=16,
        questions_corrected=17,
        exposed_s=0.25,
        hidden_s=0.5,
        failed=15,
    ),
)


CAMERA = CameraReport(
    name='camera',
    topics=('/camera/image_raw',),
    transport='raw',
    publishers=1,
    incompatible='',
    silent_s=0.1,
    encoding='rgb8',
    traffic=TrafficStats(received=24, fps=1.0, p50_ms=0.1, p99_ms=0.2, max_ms=0.3),
)


def test_an_answer_survives_the_service_whole() -> None:
    evidence = Evidence(
        'front',
        12_000_000_034,
        'lens',
        'front/12',
        0.5,
        Source.LONG_TERM,
        b'\xff\xd8',
        Pose(1.0, 2.0, 3.0),
    )
    answer = Answer(
        Status.PARTIAL,
        message='cut',
        request_id='q7',
        text='red',
        confidence=0.25,
        evidence=(evidence,),
        truncated=True,
        finish=Finish.BUDGET,
        scope_used=Scope.LONG_TERM,
        newest_stamp_ns=13_000_000_056,
        prompt_tokens=4,
        completion_tokens=5,
        frames_considered=6,
        retry_after_s=1.5,
        model_id='tiny',
        degradation=2,
        latency=Latency(queue_ms=0.5, first_token_ms=2.5, total_ms=8.0, budget_ms=100.0),
    )
    response = Ask.Response()
    fill_response(response, answer, asked_at_ns=14_000_000_000)
    assert to_answer(response) == answer


def test_an_answer_that_saw_no_frame_has_no_newest_one() -> None:
    response = Ask.Response()
    fill_response(response, Answer(Status.NO_EVIDENCE, confidence=0.0), asked_at_ns=1)
    assert to_answer(response).newest_stamp_ns == 0


def test_the_engines_statistics_survive_the_memorys_state(fake_engine: Any) -> None:
    frames = CameraStats(
        frames_in=24,
        frames_used=12,
        dropped=Dropped(rate=1, newer=2, gate=3, bad=1, paused=4),
        waiting=1,
        newest_stamp_ns=12_000_000_034,
    )
    stats = replace(fake_engine.stats(), cameras={'camera': frames}, memory=SIZES)
    defaults = {name: row.default for name, row in table().items()}
    message = MemoryTeller().message(stats, [CAMERA], defaults, now_ns=13_000_000_000)
    told = to_stats(message)
    assert told.memory is not None and told.memory == SIZES
    assert told.memory.recall == SIZES.recall
    assert told.cameras == {'camera': replace(frames, age_s=ANY)}


def test_before_the_node_has_told_anything_nothing_is_known() -> None:
    told = to_stats(None)
    assert told.memory is None
    assert told.frames_in == 0
