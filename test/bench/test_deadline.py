# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from livevlm_bench.deadline import Asked, counted, measure
from livevlm_bench.deadline_table import print_deadline
from livevlm_ros.engine import Answer, Latency, Scope, Status
from livevlm_ros.engine.budget import RESERVE_S, Rung
from livevlm_ros.replay.table import report_console

SHORT = {'scope_used': Scope.SHORT_TERM, 'degradation': Rung.SHORT_TERM}


def asked(
    budget_s: float,
    status: Status = Status.OK,
    *,
    took_s: float = 0.04,
    prefill_ms: float = 20.0,
    waited_ms: float = 0.0,
    **answer: object,
) -> Asked:
    latency = Latency(prefill_ms=prefill_ms, queue_ms=waited_ms)
    return Asked(budget_s, took_s, Answer(status, latency=latency, **answer))


def test_a_reply_after_its_budget_is_late_whatever_it_says() -> None:
    found = counted(
        [asked(0.1, took_s=0.11), asked(0.1, Status.DEADLINE, took_s=0.1001)], step_ms=0.0
    )
    assert found['rows'][-1]['late'] == 2
    assert found['rows'][-1]['least_left_ms'] == pytest.approx(-10)


def test_no_time_is_said_wrongly_only_where_short_term_would_have_fitted() -> None:
    fits_ms = 40 + 15 + 1e3 * RESERVE_S
    refused = [
        asked((fits_ms - 1) / 1e3, Status.DEADLINE),
        asked((fits_ms + 1) / 1e3, Status.DEADLINE),
        asked((fits_ms + 1) / 1e3, Status.DEADLINE, waited_ms=2.0),
    ]
    found = counted([*[asked(0.5, prefill_ms=40.0, **SHORT)] * 9, *refused], step_ms=15.0)
    assert found['fits_ms'] == fits_ms
    assert found['rows'][-1]['refused_though_it_fits'] == 1
    assert found['rows'][-1]['statuses'] == {'OK': 9, 'DEADLINE': 3}
    assert found['rows'][-1]['rungs'] == {'SHORT_TERM': 9}


def test_each_question_counts_in_the_range_of_its_budget() -> None:
    found = counted([asked(0.06), asked(0.3), asked(0.3), asked(1.7)], step_ms=0.0)
    assert [row['questions'] for row in found['rows']] == [1, 0, 2, 0, 1, 4]


def test_answers_that_are_scored_have_a_rate_and_others_none() -> None:
    scored = [asked(0.3)._replace(right=right) for right in (True, True, False, None)]
    found = counted([*scored, asked(1.7)], step_ms=0.0)
    assert found['rows'][2]['right'] == {'n': 3, 'rate': pytest.approx(2 / 3)}
    assert found['rows'][4]['right'] is None


@pytest.mark.slow
def test_a_short_stream_is_asked_and_every_reply_comes(capsys: pytest.CaptureFixture) -> None:
    found = measure(frames=120, questions=20, frames_per_s=30)
    assert json.loads(json.dumps(found)) == found
    whole = found['rows'][-1]
    assert whole['questions'] == 20 == sum(whole['statuses'].values())
    assert whole['late'] == 0
    assert 60 < found['frames_used'] <= 120
    print_deadline(found, report_console())
    assert '20 questions while 120 frames came' in capsys.readouterr().out
