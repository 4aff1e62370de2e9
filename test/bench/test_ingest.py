# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from typing import Any

import pytest

from livevlm_bench.ingest import ARCHIVED, BASELINE, ENCODED, KEPT, ROWS, Row, measure
from livevlm_bench.ingest_table import print_ingest
from livevlm_ros.memory import PRESETS
from livevlm_ros.replay.table import report_console

ASKED = (Row(BASELINE, 1), Row('balanced', 1), Row('balanced', 3))


@pytest.fixture(scope='module')
def found() -> dict[str, Any]:
    return measure(rounds=3, rows=ASKED, held=20)


def test_every_preset_is_fed_frame_by_frame_and_the_default_in_batches() -> None:
    assert {row.preset for row in ROWS if row.batch == 1} == set(PRESETS)
    assert {row.preset for row in ROWS if row.batch > 1} == {'balanced'}


def test_a_step_comes_to_its_marks_one_after_another(found: dict[str, Any]) -> None:
    assert [row['name'] for row in found['rows']] == ['rekv x1', 'balanced x1', 'balanced x3']
    for row in found['rows']:
        encoded, kept, archived = (
            row[mark]['wall_ms']['p50'] for mark in (ENCODED, KEPT, ARCHIVED)
        )
        assert 0 < encoded < kept < archived
        assert row[ARCHIVED]['cpu_ms']['p50'] > 0
        assert row['archive_lost'] == 0
    assert json.loads(json.dumps(found)) == found


def test_rates_are_of_frames_not_of_steps(found: dict[str, Any]) -> None:
    baseline, _, batched = found['rows']
    for row in (baseline, batched):
        expected = 1e3 * row['batch'] / row[ARCHIVED]['wall_ms']['p50']
        assert row['frames_per_s']['p50'] == pytest.approx(expected)
    assert baseline['times_as_fast']['p50'] == 1.0


def test_rates_are_printed(found: dict[str, Any], capsys: pytest.CaptureFixture) -> None:
    print_ingest(found, report_console())
    out = capsys.readouterr().out
    assert [
        each for each in ('balanced x3', 'archived', '3 steps in turn') if each not in out
    ] == []
