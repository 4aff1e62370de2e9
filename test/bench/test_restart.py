# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from typing import Any

import pytest
import torch

from livevlm_bench import restart
from livevlm_bench.restart import measure, print_restart
from livevlm_bench.shapes import qwen2
from livevlm_bench.timed_layers import Language, random_language
from livevlm_ros.replay.table import report_console


def _small() -> Language:
    config = qwen2(hidden=32, mlp=32, layers=3, heads=4, kv_heads=2)
    return random_language('small', config, tokens_per_frame=4, dtype=torch.float32)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(restart, 'half_billion', _small)
    return measure(rounds=2, frames=300)


def test_a_memory_is_read_back_cold_and_warm(found: dict[str, Any]) -> None:
    assert [row['name'] for row in found['rows']] == ['cold', 'warm']
    for row in found['rows']:
        assert 0 < row['checked_s']['p50'] < row['restored_s']['p50'] < 10
    assert [each['met'] for each in found['bars']] == [True, True]
    assert found['bytes'] > 284 * 2 * 3 * 2 * 4 * 8  # of the archive's records alone
    assert json.loads(json.dumps(found)) == found


def test_what_was_found_is_printed(
    found: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    print_restart(found, report_console())
    printed = capsys.readouterr().out
    assert 'small, balanced, 300 frames' in printed
    assert 'restart of 300 frames, cold / 10 s' in printed
