# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from livevlm_bench.over_ros.endurance import measure, print_endurance
from livevlm_bench.over_ros.street import Account
from livevlm_ros.replay.table import report_console

SEEN = {
    'received': '9',
    'frames_in': '9',
    'frames_used': '2',
    'frames_dropped': '6',
    'frames_waiting': '1',
    'callback_p99_ms': '0.5',
    'transport': 'raw',
}


@pytest.mark.parametrize(('changed', 'whole'), [({}, True), ({'frames_used': '1'}, False)])
def test_an_account_is_whole_when_each_image_is_somewhere(
    changed: dict[str, str], whole: bool
) -> None:
    assert Account.of(SEEN | changed).is_whole is whole


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_half_a_minute_of_work_with_viewers_accounts_for_every_image(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = measure(minutes=0.4, viewers=3)
    assert json.loads(json.dumps(found)) == found
    assert found['accounted']
    alone, looked_at = found['page']['rows']
    assert (alone['viewers'], looked_at['viewers']) == (0, 3)
    assert alone['pictures_per_viewer_s']['p50'] == 0.0 < looked_at['pictures_per_viewer_s']['p25']
    assert looked_at['used_per_s']['p50'] > 0.5
    assert 'step, with viewers / without' in [bar['quotient'] for bar in found['bars']]
    assert found['rounds'] > 3
    assert sum(found['streams'].values()) >= 3 and not found['streams']['lost']
    print_endurance(found, report_console())
    assert 'images accounted for: yes' in capsys.readouterr().out
