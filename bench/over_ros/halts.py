# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Faults of the machine: the node stands still for a while, as when it is swapped out."""

from __future__ import annotations

import time
from random import Random

from livevlm_bench.over_ros.fault import DIAGNOSTICS, FaultClass, Untold
from livevlm_bench.over_ros.process import stopped
from livevlm_bench.over_ros.rig import TOLD_S, Rig

UNDER_WAY_S = 0.1  # what was sent before the node stood still


def halt_faults() -> list[FaultClass]:
    """Return the class of nodes that stand still."""
    return [FaultClass('node-stopped', 15, _stop)]


def _stop(rig: Rig, draw: Random) -> str:
    """Stop the node: its diagnostics fall silent, which monitors see, and go on with it."""
    with rig.asker.excused(), stopped(rig.node.pid):
        time.sleep(UNDER_WAY_S)
        before = rig.client.status('ingest')
        time.sleep(draw.uniform(0.2, 1.5))
        if rig.client.status('ingest') is not before:
            raise Untold('a node that was stopped went on')
    if not rig.client.wait_for_news('ingest', TOLD_S):
        raise Untold('a node that was stopped does not go on')
    return DIAGNOSTICS
