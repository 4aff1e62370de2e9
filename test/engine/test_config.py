# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import pytest

from livevlm_ros.engine import EngineConfig


def test_the_defaults_are_valid():
    assert EngineConfig().cameras == ('camera',)


@pytest.mark.parametrize(
    ('settings', 'complaint'),
    [
        ({'target_fps': 0.0}, 'target_fps must be between 0.001 and 1000, got 0.0'),
        ({'target_fps': math.nan}, 'target_fps must be between 0.001 and 1000, got nan'),
        ({'gate_similarity': 98.0}, 'gate_similarity must be between 0 and 1, got 98.0'),
        ({'gate_heartbeat_s': 0.0}, 'gate_heartbeat_s must be between 0.001 and 3600, got 0.0'),
        ({'max_blind_ms': -1.0}, 'max_blind_ms must be between 1 and 3.6e+06, got -1.0'),
        ({'default_budget_s': 31.0}, 'default_budget_s must be between 0 and 30, got 31.0'),
        ({'queue_size': 0}, 'queue_size must be between 1 and 1000, got 0'),
        ({'default_max_tokens': 513}, 'default_max_tokens must be between 1 and 512, got 513'),
        ({'temperature': 9.0}, 'temperature must be between 0 and 5, got 9.0'),
        ({'max_evidence': 0}, 'max_evidence must be between 1 and 255, got 0'),
        ({'autosave_s': -1.0}, 'autosave_s must be between 0 and 86400, got -1.0'),
        ({'autosave_s': 9.0}, 'autosave_s is 9, but snapshot is off: set it'),
        ({'snapshot': True}, "snapshot needs a folder: set the memory's path"),
        ({'threads': -1}, 'threads must be between 0 and 1024, got -1'),
        ({'seed': -1}, 'seed must be between 0'),
        ({'on_jump': 'ignore'}, "on_jump must be one of keep, reset, drop, got 'ignore'"),
        ({'skip_static': 'all'}, "skip_static must be one of none, frames, tokens, got 'all'"),
        ({'cameras': ()}, 'cameras must be distinct names, at least one, got ()'),
        ({'cameras': ('left', 'left')}, 'cameras must be distinct names'),
        ({'cameras': ('left', '')}, 'cameras must be distinct names'),
    ],
)
def test_a_setting_out_of_range_is_refused_naming_it(settings, complaint):
    with pytest.raises(ValueError, match='.*') as error:
        EngineConfig(**settings)
    assert complaint in str(error.value)


def test_every_bad_setting_is_named_at_once():
    with pytest.raises(ValueError, match='queue_size.*on_jump'):
        EngineConfig(queue_size=0, on_jump='never')
