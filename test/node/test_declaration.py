# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

from collections.abc import Callable
from typing import Any

import pytest
from rcl_interfaces.srv import ListParameters
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from livevlm_ros.node.declaration import declare, unknown, values
from livevlm_ros.node.parameters import table

ROWS = table()
FLOAT = 'ask.default_budget'


@pytest.fixture
def given(ros: Any) -> Callable[..., Node]:
    """Give a maker of plain nodes that were given parameters at start."""

    def make(**parameters: Any) -> Node:
        overrides = [RosParameter(name, value=value) for name, value in parameters.items()]
        return ros.add(Node('plain', context=ros.context, parameter_overrides=overrides))

    return make


def test_a_whole_number_is_a_float_at_start(given: Any) -> None:
    node = given(**{FLOAT: 3})
    declare(node, [ROWS[FLOAT]])
    assert values(node, {FLOAT: ROWS[FLOAT]}) == {FLOAT: 3.0}
    assert type(node.get_parameter(FLOAT).value) is float


def test_a_whole_number_out_of_range_is_refused_as_a_float_is(given: Any) -> None:
    node = given(**{FLOAT: 4000})
    with pytest.raises(InvalidParameterValueException, match=FLOAT):
        declare(node, [ROWS[FLOAT]])


@pytest.mark.parametrize(
    ('name', 'value'), [(FLOAT, 'three'), (FLOAT, True), ('seed', 3.0), ('autostart', 1)]
)
def test_other_types_are_refused(given: Any, name: str, value: Any) -> None:
    node = given(**{name: value})
    with pytest.raises(InvalidParameterTypeException, match=name):
        declare(node, [ROWS[name]])


def test_a_whole_number_is_a_float_while_the_node_runs(live_node: Any) -> None:
    node = live_node()
    assert node.set_parameters([RosParameter(FLOAT, value=3)])[0].successful
    assert type(node.values()[FLOAT]) is float
    refused = node.set_parameters([RosParameter(FLOAT, value='three')])[0]
    assert not refused.successful


def test_the_name_of_before_is_refused_with_the_new_one(live_node: Any) -> None:
    with pytest.raises(ValueError, match='parameter cameras is called camera_names now'):
        live_node({'cameras': ['front', 'rear']})


def test_an_rclpy_that_hides_what_was_given_leaves_misspelt_names_untold(given: Any) -> None:
    node = given(**{'memory.presett': 'full'})
    assert unknown(node) == ['memory.presett']
    del node._parameter_overrides
    assert unknown(node) == []


def test_a_dump_of_all_parameters_is_a_tree(ros: Any, live_node: Any) -> None:
    """`ros2 param dump` puts each name into a tree of its parts, and crashes where it is none."""
    node = live_node({'camera_names': ['front', 'rear']})
    client = ros.node().create_client(ListParameters, '/livevlm/list_parameters')
    assert client.wait_for_service(60)
    names = client.call(ListParameters.Request(), timeout_sec=60).result.names
    assert 'cameras.rear.topic' in names
    tree: dict[str, Any] = {}
    for name in names:
        *path, last = name.split('.')
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        assert last not in branch
        branch[last] = node.get_parameter(name).value
    assert tree['camera_names'] == ['front', 'rear']
    assert tree['cameras']['front']['topic'] == 'front/image_raw'
