# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path
from typing import Any

import pytest

from livevlm_bench.over_ros.faults import (
    MOST_GROWTH_MB,
    MOST_OVER_MS,
    fault_classes,
    main,
    promises_broken,
)
from livevlm_bench.over_ros.faults_table import print_faults
from livevlm_ros.replay.table import report_console

KEPT: dict[str, Any] = {
    'class': 'step raises',
    'injected': 3,
    'told': {'diagnostics': 3},
    'broken': [],
    'alive': True,
    'asked': 20,
    'lost': 0,
    'over_ms': MOST_OVER_MS,
    'over_at_node_ms': 20.0,
    'resident_mb': [400.0, 400.0 + MOST_GROWTH_MB],
    'took_s': 2.0,
}


def test_a_thousand_faults_have_every_class() -> None:
    classes = fault_classes()
    assert sum(kind.share for kind in classes) >= 1000
    assert len({kind.name for kind in classes}) == len(classes)


def test_promises_that_are_kept_are_none_that_are_broken() -> None:
    assert promises_broken([KEPT]) == []


@pytest.mark.parametrize(
    ('row', 'says'),
    [
        ({'lost': 2}, '2 questions got no reply'),
        ({'asked': 0, 'over_ms': None, 'took_s': 12.0}, 'nobody asked in 12 s'),
        ({'over_ms': MOST_OVER_MS + 1}, '101 ms after its budget'),
        ({'resident_mb': [400.0, 401.0 + MOST_GROWTH_MB]}, 'grew by 51 MB'),
        ({'broken': ['step raises 0: ended'], 'alive': False}, 'step raises 0: ended'),
    ],
)
def test_a_promise_that_is_broken_is_told(row: dict[str, Any], says: str) -> None:
    [broken] = promises_broken([{**KEPT, **row}])
    assert says in broken


def test_the_table_says_what_was_done_and_what_came_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_faults({'rows': [KEPT], 'broken': ['x [y]']}, report_console())
    said = capsys.readouterr().out
    assert 'step raises' in said and '3 faults, 1 promises broken' in said and 'x [y]' in said


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_node_outlives_some_faults_of_every_class_and_tells_of_each(tmp_path: Path) -> None:
    main(['--count', '40', '--seed', '1', '--json', str(tmp_path / 'faults.json')])
    rows = json.loads((tmp_path / 'faults.json').read_text())['rows']
    assert [row['class'] for row in rows] == [kind.name for kind in fault_classes()]
    assert sum(row['asked'] for row in rows) > 0
    for row in rows:
        assert row['broken'] == [] and row['lost'] == 0
        assert row['alive'] and sum(row['told'].values()) == row['injected'] > 0
        assert not row['lost']
