# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from livevlm_bench.over_ros.budgets import CLIENTS, measure
from livevlm_bench.over_ros.budgets_table import print_budgets
from livevlm_ros.replay.table import report_console


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_questions_over_ros_are_all_answered_and_so_is_a_crowd(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = measure(questions=40, crowd_s=5.0)
    assert json.loads(json.dumps(found)) == found
    whole = found['rows'][-1]
    assert whole['questions'] == 40 and found['lost'] == whole['lost'] == 0
    assert whole['right']['n'] > 20 and whole['right']['rate'] > 0.5
    clients = found['crowd']['clients']
    assert len(clients) == CLIENTS
    assert all(client['asked'] and not client['lost'] for client in clients)
    print_budgets(found, report_console())
    assert f'{CLIENTS} clients at once' in capsys.readouterr().out
