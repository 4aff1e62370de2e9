# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Which field of which configuration a setting is: one table for parameters, `--set` and replay.

Imports no torch, so that names may be asked for at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from livevlm_ros.engine.config import EngineConfig
from livevlm_ros.memory import MemoryConfig
from livevlm_ros.model import ModelConfig

MODEL = {
    f'model.{field}': field for field in ('path', 'dtype', 'device', 'weights', 'image_tokens')
}

MEMORY = {
    f'memory.{field}': field
    for field in (
        'preset',
        'short_term_frames',
        'long_term_frames',
        'eviction',
        'archive_bits',
        'archive_host_bytes',
        'archive_disk_bytes',
        'path',
        'full_max_tokens',
    )
} | {
    'retrieval.by': 'retrieval',
    'retrieval.frames': 'retrieval_frames',
    'retrieval.tau': 'tau',
}

ENGINE = {
    'ingest.target_fps': 'target_fps',
    'ingest.gate': 'gate',
    'ingest.gate_similarity': 'gate_similarity',
    'ingest.gate_heartbeat_s': 'gate_heartbeat_s',
    'ingest.skip_static': 'skip_static',
    'ask.default_max_tokens': 'default_max_tokens',
    'ask.temperature': 'temperature',
    'ask.max_evidence': 'max_evidence',
    'ask.min_confidence': 'min_confidence',
    'ask.max_doubt': 'max_doubt',
    'model.threads': 'threads',
    'time.on_jump': 'on_jump',
    'seed': 'seed',
}

ONLINE = {
    'ingest.max_blind_ms': 'max_blind_ms',
    'ask.default_budget': 'default_budget_s',
    'ask.max_budget': 'max_budget_s',
    'ask.queue_size': 'queue_size',
    'memory.snapshot': 'snapshot',
    'memory.autosave_s': 'autosave_s',
    'memory.snapshots_kept': 'snapshots_kept',
    'pose.frame': 'pose_frame',
}
"""Fields of the engine's that mean nothing without a clock, a queue or a life after this one."""


def configuration(values: Mapping[str, Any], cameras: Sequence[str]) -> EngineConfig:
    """
    Build the engine's configuration; what is not given has its default.

    :param values: by the names above; others are passed over
    :raises ValueError: naming a field that is out of range, or fields that cannot go together
    """

    def given(fields: Mapping[str, str]) -> dict[str, Any]:
        return {field: values[name] for name, field in fields.items() if name in values}

    return EngineConfig(
        cameras=tuple(cameras),
        model=ModelConfig(**given(MODEL)),
        memory=MemoryConfig(**given(MEMORY)),
        **given(ENGINE | ONLINE),
    )
