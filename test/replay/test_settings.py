# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.settings import KINDS, engine_config


def test_a_replay_runs_in_float32_and_the_embedded_model_on_one_thread() -> None:
    config = engine_config()
    assert config.model.dtype == 'float32' and config.torch_threads == 1
    assert engine_config(model='/some/folder').torch_threads == 0


def test_settings_go_over_the_rest_by_the_names_of_the_node() -> None:
    config = engine_config(
        preset='full',
        fps=2.0,
        given=[
            'memory.preset=recent',
            'memory.short_term_frames=32',
            'ingest.target_fps=0.5',
            'ingest.gate=true',
            'ingest.gate_similarity=0.9',
            'ingest.gate_heartbeat_s=7',
            'ask.temperature=0.7',
            'model.threads=3',
            'time.on_jump=drop',
            'seed=9',
        ],
    )
    assert config.memory.preset == 'recent' and config.memory.short_term_frames == 32
    assert config.target_fps == 0.5 and config.temperature == 0.7 and config.threads == 3
    assert config.on_jump == 'drop' and config.seed == 9
    assert (config.gate, config.gate_similarity, config.gate_heartbeat_s) == (True, 0.9, 7.0)
    assert engine_config(given=['ingest.gate=false']).gate is False


def test_every_offered_setting_can_be_set() -> None:
    default = engine_config()
    for name in KINDS:
        value = {
            'memory.preset': 'full',
            'memory.eviction': 'fifo',
            'memory.path': '/somewhere',
            'model.path': 'x',
            'model.dtype': 'bfloat16',
            'model.device': 'cuda',
            'model.weights': 'int8',
            'ingest.gate': 'true',
            'ingest.gate_similarity': '0.9',
            'ingest.skip_static': 'frames',
            'ask.min_confidence': '0.9',
            'retrieval.by': 'means',
            'time.on_jump': 'drop',
        }.get(name, '4')
        given = ['memory.path=/tmp'] if name == 'memory.archive_disk_bytes' else []
        base = engine_config(given=given) if given else default
        assert engine_config(given=[*given, f'{name}={value}']) != base, name


@pytest.mark.parametrize(
    'setting, says',
    [
        ('memory.short_term_frames', 'expected name=value'),
        ('memory.colour=3', r"no setting 'memory.colour'; expected one of memory\.preset"),
        ('frames=3', "no setting 'frames'"),
        ('memory.short_term_frames=many', "expected a whole number, got 'many'"),
        ('memory.short_term_frames=1.5', "expected a whole number, got '1.5'"),
        ('ask.temperature=warm', "expected a number, got 'warm'"),
        ('ingest.gate=yes', "expected true or false, got 'yes'"),
        ('ingest.gate_similarity=2', 'gate_similarity must be'),
        ('memory.preset=elephant', "preset must be one of .*got 'elephant'"),
        ('memory.short_term_frames=0', 'short_term_frames must be'),
        ('memory.archive_bits=5', 'archive_bits must be one of'),
        ('memory.archive_disk_bytes=9', 'needs a folder'),
        ('retrieval.by=luck', 'retrieval must be one of tokens, means, frames'),
        ('retrieval.frames=0', 'retrieval_frames is 0'),
        ('retrieval.frames=1.5', "expected a whole number, got '1.5'"),
        ('ingest.target_fps=-1', 'target_fps must be'),
        ('model.dtype=int4', 'dtype must be one of'),
        ('model.device=tpu', 'device must be'),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_by_name(setting: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        engine_config(given=[setting])
