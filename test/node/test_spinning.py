# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

from pathlib import Path

import pytest
import rclpy
from rclpy.node import Node

from livevlm_ros.node.spinning import Refused, enter_ros


@pytest.fixture(autouse=True)
def outside_ros() -> None:
    yield
    rclpy.try_shutdown()


def plain() -> Node:
    return Node('plain')


def test_a_node_is_made_inside_ros_with_its_arguments() -> None:
    node = enter_ros(plain, ['--ros-args', '-r', '__node:=renamed'])
    assert node.get_name() == 'renamed'
    node.destroy_node()


def test_a_malformed_parameter_file_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / 'flat.yaml'
    file.write_text('/**:\n  seed: 3\n', encoding='utf-8')
    with pytest.raises(Refused) as refused:
        enter_ros(plain, ['--ros-args', '--params-file', str(file)])
    assert str(file) in str(refused.value)
    assert str(refused.value).endswith('Cannot have a value before ros__parameters at line 2')


def test_what_a_node_refuses_ends_ros() -> None:
    def refusing() -> Node:
        raise ValueError('bag is empty')

    with pytest.raises(Refused, match='bag is empty'):
        enter_ros(refusing, [])
    assert not rclpy.ok()
