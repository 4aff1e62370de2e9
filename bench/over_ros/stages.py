# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Faults of the engine: a stage of its work raises, whatever it may be."""

from __future__ import annotations

from functools import partial
from random import Random

from livevlm_bench.over_ros.breakable import FAILURES, STAGES
from livevlm_bench.over_ros.fault import DIAGNOSTICS, FaultClass
from livevlm_bench.over_ros.rig import Rig
from livevlm_bench.over_ros.sensors import STEADY

SHARE = 44
TOLD_BY = {
    'encode': ((f'camera/{STEADY}', 'dropped_bad'),),
    'step': ((f'camera/{STEADY}', 'dropped_bad'),),
    'archive': (('memory', 'archive_lost'),),
    'read': (('ask', 'served_error'), ('ingest', 'turns_failed')),  # costs are measured, too
    'decode': (('ask', 'served_error'), ('ingest', 'turns_failed')),
}
NOT_SAVED = 'not saved'


def stage_faults() -> list[FaultClass]:
    """Return a class of faults for each stage."""
    return [FaultClass(f'{stage}-raises', SHARE, partial(_fail, stage)) for stage in STAGES]


def _fail(stage: str, rig: Rig, draw: Random) -> str:
    rig.sensors.publish(STEADY, rig.sensors.picture())
    told = TOLD_BY.get(stage, ())
    before = [rig.number(*count) for count in told]
    order = rig.orders / stage
    new = order.with_suffix('.new')
    new.write_text(draw.choice(sorted(FAILURES)), encoding='utf-8')
    new.rename(order)
    rig.until(lambda: not order.exists(), f'{stage} is reached')
    if not told:
        rig.until(lambda: NOT_SAVED in rig.message('memory'), f'a failed {stage} is told')
        rig.until(lambda: NOT_SAVED not in rig.message('memory'), 'the memory is saved again')
        return DIAGNOSTICS
    rig.until(
        lambda: any(rig.number(*count) > was for count, was in zip(told, before, strict=True)),
        f'a failed {stage} is told',
    )
    return DIAGNOSTICS
