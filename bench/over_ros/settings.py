# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Faults of parameters: set at random, inside and outside of what they take."""

from __future__ import annotations

import math
from random import Random
from typing import Any

from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter as RosParameter

from livevlm_bench.over_ros.fault import REPLY, FaultClass, Untold
from livevlm_bench.over_ros.rig import Rig
from livevlm_bench.over_ros.sensors import STEADY
from livevlm_ros.node.parameters import table

ODD: tuple[Any, ...] = (
    True,
    -1,
    0,
    2**63 - 1,
    -(2**63),
    0.0,
    -1.0,
    1e-320,
    1e308,
    math.nan,
    math.inf,
    '',
    'cpu',
    '../../etc',
    'x' * 10_000,
    ['a', 'a'],
    [1.5],
)
GET_S = 20.0


def parameter_faults() -> list[FaultClass]:
    """Return the class of parameters."""
    return [FaultClass('parameter', 150, _set)]


def _set(rig: Rig, draw: Random) -> str:
    """Set a parameter: it must take the value as it was given, or say why not."""
    rows = table((STEADY,))
    name = draw.choice([*sorted(rows), 'memory.presett', 'no such'])
    row = rows.get(name)
    value = draw.choice(ODD)
    if row is not None and draw.random() < 0.3:
        value = row.default if not isinstance(row.default, tuple) else list(row.default)
    given = RosParameter(name, value=value).to_parameter_msg()
    request = SetParameters.Request(parameters=[given])
    [result] = rig.client.call(SetParameters, 'set_parameters', request).results
    if not result.successful:
        if not result.reason:
            raise Untold(f'{name} = {value!r:.60}: refused without a reason')
        return REPLY
    now = rig.client.parameters([name], GET_S)
    if now is None or now[name] != value:
        raise Untold(f'{name} = {value!r:.60}: taken, but it is {now}')
    return REPLY
