# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from typing import Any

import pytest

from livevlm_bench import scaling
from livevlm_bench.scaling import measure, resident_bytes, tail
from livevlm_bench.scaling_table import print_scaling
from livevlm_ros.replay.table import report_console

LENGTHS = (60, 80, 140)
ARCHIVED = 90


@pytest.fixture(scope='module')
def found() -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scaling, 'ARCHIVE_FRAMES', ARCHIVED)
        return measure(rounds=2, lengths=LENGTHS, steps=3)


def test_a_memory_grows_from_length_to_length(found: dict[str, Any]) -> None:
    assert [row['frames'] for row in found['rows']] == list(LENGTHS)
    first, second, last = found['rows']
    assert first['frames_held'] == 60 and second['frames_held'] == 80
    assert last['frames_held'] == 16 + ARCHIVED  # the archive is full
    assert first['pages_ranked'] < second['pages_ranked']
    assert json.loads(json.dumps(found)) == found


def test_questions_and_steps_stand_beside_those_of_a_young_memory(found: dict[str, Any]) -> None:
    for row in found['rows']:
        for mark in ('first_token', 'step'):
            for name in ('young', 'grown'):
                assert row[mark][name]['wall_ms']['p50'] > 0
                assert row[mark][name]['cpu_ms']['p50'] > 0
            ratio = row[mark]['times_as_long']
            assert 0 < ratio['p25'] <= ratio['p50'] <= ratio['p75']
        tails = row['step']['tails']['grown']['wall_ms']
        assert tails['p50'] <= tails['p99'] <= tails['most']


def test_bars_are_of_the_longest_stream(found: dict[str, Any]) -> None:
    growth, steps, ram, flat = found['bars']
    last = found['rows'][-1]
    assert growth['value'] == last['first_token']['times_as_long']['p50']
    assert growth['quotient'] == 'first token, 140 frames / 60'
    tails = last['step']['tails']['grown']['wall_ms']
    assert steps['numbers'] == [tails['p99'], tails['p50']]
    together = last['device_bytes'] + last['read_bytes'] + last['host_bytes']
    assert ram['numbers'] == [last['resident_bytes'] / 1e6, together / 1e6]
    assert flat['numbers'][0] == flat['numbers'][1]  # no length before it fills


def test_the_tail_is_of_all_times() -> None:
    times = [*[1.0] * 98, 5.0, 9.0, 9.0]
    assert tail(times) == {'p50': 1.0, 'p99': 9.0, 'most': 9.0}


def test_bytes_that_are_taken_are_seen() -> None:
    before = resident_bytes()
    taken = bytearray(b'x' * 50_000_000)
    assert 45e6 < resident_bytes() - before < 60e6
    del taken
    assert resident_bytes() - before < 10e6


def test_lengths_are_printed(found: dict[str, Any], capsys: pytest.CaptureFixture) -> None:
    print_scaling(found, report_console())
    out = capsys.readouterr().out
    shown = ('140', 'times as', 'p99', 'first token, 140 frames / 60', 'both with a full archive')
    assert [each for each in shown if each not in out] == []
