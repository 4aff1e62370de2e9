# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_ros.engine import EngineConfig, Question
from livevlm_ros.engine.admission import InvalidQuestion, admissible


@pytest.mark.parametrize('tiny', [0.0, 5e-324, 1e-320, 1e-40, 9e-7])
def test_a_temperature_that_no_logit_survives_is_greedy(tiny):
    assert admissible(Question('now ?', temperature=tiny), EngineConfig()).temperature == 0.0
    assert admissible(Question('now ?'), EngineConfig(temperature=tiny)).temperature == 0.0


def test_a_temperature_that_can_be_used_is_kept():
    assert admissible(Question('now ?', temperature=1e-6), EngineConfig()).temperature == 1e-6


def test_a_crowd_of_unknown_cameras_gets_a_short_refusal():
    crowd = tuple(f'{number}' + 'x' * 1000 for number in range(5000))
    with pytest.raises(
        InvalidQuestion, match="got '0x+', '1x+', '2x+' and 4997 more, "
    ) as refused:
        admissible(Question('now ?', cameras=crowd), EngineConfig())
    assert len(str(refused.value)) < 1000
