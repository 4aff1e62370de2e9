# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from rcl_interfaces.msg import ParameterType
from rclpy.exceptions import InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from livevlm_ros.node import parameters
from livevlm_ros.node.declaration import declare
from livevlm_ros.node.parameter import Parameter
from livevlm_ros.node.parameters import check_cameras, engine_config, table
from livevlm_ros.share import share_file

ROOM = Path(parameters.__file__).parent
ROWS = table()


class Recording(dict[str, Any]):
    """A mapping that notes what is read."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)


@pytest.mark.parametrize('row', ROWS.values(), ids=lambda row: row.name)
def test_each_parameter_is_described_and_bounded(row: Parameter) -> None:
    assert len(row.text.split()) >= 3
    assert row.text.endswith('.')
    if isinstance(row.default, int | float) and not isinstance(row.default, bool):
        assert row.low is not None and row.high is not None
        assert row.low <= row.default <= row.high
    assert row.refuse(row.default) == ''


def test_the_yaml_file_holds_every_parameter_with_its_default_and_a_word_about_it() -> None:
    text = share_file('config/livevlm.yaml').read_text(encoding='utf-8')
    given = yaml.safe_load(text)['/**']['ros__parameters']
    defaults = {
        name: list(row.default) if isinstance(row.default, tuple) else row.default
        for name, row in ROWS.items()
    }
    assert given == defaults
    assert {name: type(value) for name, value in given.items()} == {
        name: type(value) for name, value in defaults.items()
    }
    for name in defaults:
        assert re.search(rf'^    {re.escape(name)}: .+  # \w+', text, re.M), name


@pytest.mark.usefixtures('needs_torch')
def test_every_parameter_is_used() -> None:
    values = Recording({name: row.default for name, row in ROWS.items()})
    engine_config(values)
    source = '\n'.join(
        file.read_text(encoding='utf-8')
        for file in ROOM.glob('*.py')
        if file.name != 'parameters.py'
    )
    for name in ROWS.keys() - values.read:
        word = name.replace('cameras.camera.', 'cameras.{name}.')
        assert f"['{word}']" in source or f"'{word}']" in source or f"{word}'" in source, name


@pytest.mark.usefixtures('needs_torch')
def test_an_engine_gets_what_the_parameters_say() -> None:
    values = {name: row.default for name, row in ROWS.items()}
    values |= {
        'camera_names': ['front', 'rear'],
        'memory.preset': 'full',
        'ask.queue_size': 3,
        'ingest.gate': True,
        'ingest.gate_similarity': 0.9,
        'ingest.gate_heartbeat_s': 7.0,
        'model.threads': 2,
        'time.on_jump': 'drop',
        'memory.path': '/somewhere',
        'memory.snapshot': True,
        'memory.autosave_s': 60.0,
    }
    config = engine_config(values)
    assert config.cameras == ('front', 'rear')
    assert (config.memory.preset, config.queue_size, config.threads) == ('full', 3, 2)
    assert config.on_jump == 'drop'
    assert (config.memory.path, config.snapshot, config.autosave_s) == ('/somewhere', True, 60.0)
    assert (config.gate, config.gate_similarity, config.gate_heartbeat_s) == (True, 0.9, 7.0)


@pytest.mark.usefixtures('needs_torch')
def test_the_small_embedded_model_leaves_the_other_cores_to_ros() -> None:
    values = {name: row.default for name, row in ROWS.items()}
    assert engine_config(values).torch_threads == 1
    assert engine_config({**values, 'model.path': '/models/large'}).torch_threads == 0
    assert engine_config({**values, 'model.threads': 4}).threads == 4


@pytest.mark.parametrize('names', [[], ['a', 'a'], ['front camera'], ['']])
def test_camera_names_that_cannot_be_parameters_are_refused(names: list[str]) -> None:
    with pytest.raises(ValueError, match='camera_names'):
        check_cameras(names)


def test_the_node_declares_the_table_and_nothing_else_of_its_own(live_node: Any) -> None:
    node = live_node({'camera_names': ['front', 'rear']})
    names = node.get_parameters_by_prefix('')
    declared = {name for name in names if not name.startswith(('use_sim', 'qos_'))}
    assert declared - {'start_type_description_service'} == set(table(['front', 'rear']))
    for name in declared & set(table(['front', 'rear'])):
        assert node.describe_parameter(name).description
    described = node.describe_parameter('ingest.target_fps')
    assert described.type == ParameterType.PARAMETER_DOUBLE
    assert described.floating_point_range[0].to_value == 120.0


BAD = {
    'too low': {n: type(r.default)(r.low - 1) for n, r in ROWS.items() if r.low is not None},
    'too high': {n: type(r.default)(r.high * 2) for n, r in ROWS.items() if r.high is not None},
    'no choice': {n: 'no such thing' for n, r in ROWS.items() if r.choices or r.pattern},
}


@pytest.mark.parametrize('values', BAD.values(), ids=BAD.keys())
def test_values_out_of_range_are_refused_at_start(ros: Any, values: dict[str, Any]) -> None:
    given = [RosParameter(name, value=value) for name, value in values.items()]
    node = ros.add(Node('plain', context=ros.context, parameter_overrides=given))
    assert values
    for name in values:
        with pytest.raises((InvalidParameterValueException, ValueError), match=re.escape(name)):
            declare(node, [ROWS[name]])


def test_live_parameters_change_at_once_and_others_only_while_unconfigured(live_node: Any) -> None:
    node = live_node()

    def set_to(name: str, value: Any) -> Any:
        return node.set_parameters([RosParameter(name, value=value)])[0]

    assert set_to('memory.short_term_frames', 8).successful
    assert not set_to('ask.queue_size', 4).successful
    assert not set_to('ask.introspection', 'all').successful
    assert set_to('ask.introspection', 'contents').successful
    node.trigger_configure()
    assert set_to('ask.default_budget', 1.0).successful
    refused = set_to('memory.short_term_frames', 4)
    assert not refused.successful
    assert 'unconfigured' in refused.reason
    assert not set_to('ask.default_budget', -1.0).successful


def test_the_default_budget_stays_within_the_longest(live_node: Any) -> None:
    node = live_node()
    expected = 'ask.default_budget is 60, expected at most ask.max_budget, 30'
    budget, most = (RosParameter(f'ask.{n}', value=60.0) for n in ('default_budget', 'max_budget'))
    (refused,) = node.set_parameters([budget])
    assert (refused.successful, refused.reason) == (False, expected)
    assert node.set_parameters_atomically([budget, most]).successful


@pytest.mark.usefixtures('needs_torch')
def test_budgets_that_contradict_each_other_are_named_at_configure_and_can_be_set_right(
    live_node: Any,
) -> None:
    def load(values: Any, stage: Any) -> Any:
        return engine_config(values)

    node = live_node({'ask.default_budget': 2.0, 'ask.max_budget': 1.0}, make_engine=load)
    node.trigger_configure()
    assert node.state().problem == (
        'configure failed: ask.default_budget is 2, expected at most ask.max_budget, 1'
    )
    assert node.set_parameters([RosParameter('ask.introspection', value='metadata')])[0].successful
    assert node.set_parameters([RosParameter('ask.default_budget', value=0.5)])[0].successful
    assert engine_config(node.values()).default_budget_s == 0.5


@pytest.mark.parametrize(
    ('given', 'meant'),
    [
        ('memory.presett', '; did you mean memory.preset?'),
        ('model', '; did you mean model.path?'),
        ('colour', ''),
    ],
)
def test_a_misspelt_parameter_is_told_with_the_one_it_resembles(
    live_node: Any, capfd: pytest.CaptureFixture[str], given: str, meant: str
) -> None:
    live_node({given: 'full'})
    (line,) = [line for line in capfd.readouterr().err.splitlines() if 'not known' in line]
    assert line.endswith(f'parameter {given} is not known and has no effect{meant}')
