# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of the table, declared on a node and guarded against values they do not take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from livevlm_ros.node.parameters import Parameter, Values, contradiction


def declare(node: Node, rows: Iterable[Parameter]) -> None:
    """
    Declare parameters with description, range and constraints.

    :raises ValueError: naming the parameter whose given value is not allowed
    """
    for row in rows:
        default = list(row.default) if isinstance(row.default, tuple) else row.default
        node.declare_parameter(row.name, default, descriptor(row))
        reason = row.refuse(node.get_parameter(row.name).value)
        if reason:
            raise ValueError(reason)


def descriptor(row: Parameter) -> ParameterDescriptor:
    """Return a parameter's description as ROS shows it."""
    described = ParameterDescriptor(
        description=row.describe(),
        additional_constraints=row.constraints(),
        read_only=row.change == 'start',
    )
    if row.low is not None and row.high is not None:
        if isinstance(row.default, float):
            described.floating_point_range = [
                FloatingPointRange(from_value=row.low, to_value=row.high)
            ]
        else:
            described.integer_range = [
                IntegerRange(from_value=int(row.low), to_value=int(row.high))
            ]
    return described


def values(node: Node, rows: Mapping[str, Parameter]) -> dict[str, Any]:
    """Return the present value of each parameter of the table."""
    return {name: node.get_parameter(name).value for name in rows}


def review(
    rows: Mapping[str, Parameter],
    changed: Sequence[RosParameter[Any]],
    *,
    present: Values,
    configured: bool,
) -> SetParametersResult:
    """
    Say whether parameters may be set so, now.

    :param present: the value of each parameter of the table before
    :param configured: whether the node has a configuration that the change would not reach
    """
    for parameter in changed:
        row = rows.get(parameter.name)
        if row is None:
            continue
        reason = row.refuse(parameter.value)
        if not reason and configured and row.change == 'unconfigured':
            reason = (
                f'{row.name} can only be set while the node is unconfigured: clean it up first'
            )
        if reason:
            return SetParametersResult(successful=False, reason=reason)
    new = {parameter.name: parameter.value for parameter in changed}
    reason = contradiction({**present, **new})
    if reason and not contradiction(present):
        return SetParametersResult(successful=False, reason=reason)
    return SetParametersResult(successful=True)


def unknown(node: Node) -> list[str]:
    """Return the names that were given to the node and that it does not take: misspelt, mostly."""
    given: Iterable[str] = node._parameter_overrides  # rclpy has no public way to ask
    return sorted(
        name
        for name in given
        if not node.has_parameter(name) and not name.startswith('qos_overrides.')
    )
