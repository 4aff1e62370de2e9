# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""docs/node.md, the SROS2 policy and the layouts name what a running node has, and no more."""

import gc
import json
import re
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from rcl_interfaces.srv import ListParameters

from livevlm_interfaces.msg import AnswerRecord
from livevlm_interfaces.srv import Ask
from livevlm_ros.node.parameters import table

ROOT = Path(__file__).parents[2]
MADE = runpy.run_path(str(ROOT / 'docs/node_page.py'))
STALE = 'run `make node-page`'
OF_RCLPY = {'use_sim_time', 'start_type_description_service'}
PAGE = (ROOT / 'docs/node.md').read_text(encoding='utf-8')
POLICY = ElementTree.parse(ROOT / 'config/sros2/policy.xml').getroot()


@pytest.fixture(scope='module')
def contract() -> Any:
    """Give the contract of a node that has just run."""
    return MADE['read_contract']()


def listed(what: str) -> list[str]:
    """Return the first column of a table of the page."""
    rows = PAGE.split(f'<!-- {what} -->\n')[1].split(f'<!-- end of {what} -->')[0]
    return re.findall(r'^\| `([^`]+)`', rows, re.MULTILINE)


def everything(contract: Any) -> set[str]:
    """Return all topics and services by their full names."""
    parts = (contract.publishes, contract.subscribes, contract.services)
    return {absolute(name) for part in parts for name in part}


def absolute(name: str) -> str:
    return '/' + name.replace('~', 'livevlm').removeprefix('/')


def test_page_and_policy_are_what_a_running_node_makes_of_them(contract: Any) -> None:
    assert MADE['page'](contract, PAGE) == PAGE, STALE
    made = MADE['policy'](contract)
    assert made == (ROOT / 'config/sros2/policy.xml').read_text(encoding='utf-8'), STALE


def test_text_written_by_hand_stays_and_what_is_new_says_what_its_file_says(contract: Any) -> None:
    ask = next(line for line in PAGE.splitlines() if line.startswith('| `ask` |'))
    by_hand = PAGE.replace(ask, ask.rsplit('|', 2)[0] + '| by hand |')
    recall = next(line for line in PAGE.splitlines() if line.startswith('| `~/recall` |'))
    made = MADE['page'](contract, by_hand.replace(f'{recall}\n', ''))
    assert '/Ask.srv) | by hand |\n' in made
    assert '/Recall.srv) | find the frames that a question wants, without an answer' in made


def test_every_parameter_that_a_client_finds_is_on_the_page(
    ros: Any, live_node: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    live_node()
    client = ros.node().create_client(ListParameters, '/livevlm/list_parameters')
    assert client.wait_for_service(60)
    reply = client.call_async(ListParameters.Request())
    eventually(reply.done)
    names = set(reply.result().result.names)
    ours = {name for name in names if name not in OF_RCLPY and not name.startswith('qos_over')}
    assert ours == set(listed('parameters')) == set(table())


def test_another_node_sees_what_the_page_lists(
    ros: Any, live_node: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    gc.collect()  # a node of this name that was destroyed stays in the graph until it is collected
    node = live_node({'pose.source': 'odom', 'cameras.camera.transport': 'raw'})
    node.trigger_configure()
    node.trigger_activate()
    peer = ros.node()
    found = {
        'publishes': lambda: peer.get_publisher_names_and_types_by_node('livevlm', '/'),
        'subscribes': lambda: peer.get_subscriber_names_and_types_by_node('livevlm', '/'),
        'services': lambda: peer.get_service_names_and_types_by_node('livevlm', '/'),
    }
    for what, look in found.items():
        names = {absolute(name) for name in listed(what)} - {'/camera/image_raw/compressed'}
        eventually(lambda look=look, names=names: names <= {name for name, _ in look()})


def rules(enclave: str) -> Iterator[tuple[str, str, str]]:
    """Give what a policy allows an enclave: kind, what may be done, and the full name."""
    profile = POLICY.find(f"enclaves/enclave[@path='/{enclave}']/profiles/profile")
    assert profile is not None
    for rule in profile:
        ((may, allowed),) = rule.attrib.items()
        assert allowed == 'ALLOW'
        for name in rule:
            full = (name.text or '').replace('~', f'/{profile.attrib["node"]}')
            yield name.tag, may, '/' + full.removeprefix('/')


def test_the_policy_lets_the_node_do_all_that_it_does_and_no_more(contract: Any) -> None:
    given = set(rules('livevlm'))
    heard = {'/clock', '/tf', '/tf_static'}
    parts = [
        ('topic', 'publish', {*contract.publishes, 'ask/_service_event'}),
        ('topic', 'subscribe', contract.subscribes.keys() | heard),
        ('service', 'reply', set(contract.services)),
        ('action', 'execute', set(contract.actions)),
    ]
    assert given == {(kind, may, absolute(n)) for kind, may, names in parts for n in names}


def test_the_policy_lets_a_client_ask_and_change_nothing(contract: Any) -> None:
    given = set(rules('livevlm_client'))
    asked = {name for kind, may, name in given if may in ('request', 'call')}
    assert {'/ask', '/ask_stream', '/livevlm/recall'} <= asked
    assert asked <= everything(contract) | {absolute(name) for name in contract.actions}
    assert not {name for name in asked if re.search('set_|clear|load|save|change|watch$', name)}


def test_the_foxglove_layout_shows_topics_that_exist(contract: Any) -> None:
    layout = json.loads((ROOT / 'config/foxglove.json').read_text(encoding='utf-8'))
    keys = ('imageTopic', 'topicPath', 'topicToRender', 'serviceName', 'value')
    text = json.dumps(layout['configById'])
    shown = re.findall(rf'"(?:{"|".join(keys)})": "(/[^"]+)"', text)
    assert len(shown) == 9
    for path in shown:
        name, *fields = path.split('.')
        assert name in everything(contract)
        if fields:  # of the plot
            assert hasattr(AnswerRecord().latency, fields[1]), path
    request = json.loads(layout['configById']['CallService!ask']['requestPayload'])
    assert request.keys() <= Ask.Request.get_fields_and_field_types().keys()
    placed = set(re.findall(r'"(\w+!\w+)"', json.dumps(layout['layout'])))
    assert placed == layout['configById'].keys()


def test_the_rviz_config_shows_topics_that_exist(contract: Any) -> None:
    config = yaml.safe_load((ROOT / 'config/livevlm.rviz').read_text(encoding='utf-8'))
    manager = config['Visualization Manager']
    shown = [each['Topic']['Value'] for each in manager['Displays'] if 'Topic' in each]
    assert '/livevlm/annotated/compressed' in shown
    assert set(shown) <= everything(contract)
    assert manager['Global Options']['Fixed Frame'] == table()['pose.frame'].default
