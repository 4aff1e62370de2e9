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
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from livevlm_ros.node.parameters import RENAMED, Parameter, Values, contradiction


def declare(node: Node, rows: Iterable[Parameter]) -> None:
    """
    Declare parameters with description, range and constraints.

    :raises ValueError: naming the parameter whose given value is not allowed
    """
    for row in rows:
        default = list(row.default) if isinstance(row.default, tuple) else row.default
        try:
            node.declare_parameter(row.name, default, descriptor(row))
        except InvalidParameterTypeException:
            value = given(node, row.name)
            fit = as_float(row, value)
            if fit is value:
                raise
            node.declare_parameter(row.name, fit, descriptor(row), ignore_override=True)
        reason = row.refuse(node.get_parameter(row.name).value)
        if reason:
            raise ValueError(reason)


def given(node: Node, name: str) -> Any:
    """Return the value that an undeclared parameter was given at start, None if none was."""
    value = node.declare_parameter(name, None, ParameterDescriptor(dynamic_typing=True)).value
    node.undeclare_parameter(name)
    return value


def refuse_renamed(node: Node) -> None:
    """
    Refuse parameters by their names of before.

    :raises ValueError: naming the old and the new one
    """
    for old, new in RENAMED.items():
        if given(node, old) is not None:
            raise ValueError(f'parameter {old} is called {new} now: rename it')


def as_float(row: Parameter, value: Any) -> Any:
    """Return a whole number as the float that the parameter takes: YAML's 3 is an integer."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole and isinstance(row.default, float) else value


def with_floats(
    rows: Mapping[str, Parameter], changed: Iterable[RosParameter[Any]]
) -> list[RosParameter[Any]]:
    """Return parameters that are about to be set, each with the type that it takes."""

    def typed(parameter: RosParameter[Any]) -> RosParameter[Any]:
        row, value = rows.get(parameter.name), parameter.value
        fit = as_float(row, value) if row else value
        return parameter if fit is value else RosParameter(parameter.name, value=fit)

    return [typed(parameter) for parameter in changed]


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
    """
    Return the names that were given to the node and that it does not take: misspelt, mostly.

    rclpy has no public way to ask; a release that has another name for it finds none.
    """
    names: Iterable[str] = getattr(node, '_parameter_overrides', ())
    return sorted(
        name
        for name in names
        if not node.has_parameter(name) and not name.startswith('qos_overrides.')
    )
