# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Write what a running node says of itself into docs/node.md and config/sros2/policy.xml.

`make node-page` runs it, after a topic, service, action or parameter has changed. The text beside
a topic, service or action in docs/node.md is written by hand and stays; a new one begins with the
first line of its interface file.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.sax.saxutils import escape

import rclpy
from rclpy.action import ActionServer, get_action_server_names_and_types_by_node
from rclpy.context import Context
from rclpy.parameter import Parameter as RosParameter

from livevlm_ros.node.node import LiveVlmNode
from livevlm_ros.node.parameter import Parameter
from livevlm_ros.node.parameters import table

ROOT = Path(__file__).resolve().parents[1]
PAGE, POLICY = ROOT / 'docs/node.md', ROOT / 'config/sros2/policy.xml'

GRAPH_S = 30.0  # for the graph to have all of a node
NAMESPACE, NAME = '/robot1', 'livevlm'  # so that relative and private names can be told apart
STANDARD = ('rcl_interfaces/', 'lifecycle_msgs/', 'type_description_interfaces/', 'rosgraph_msgs/')
"""Packages whose types every lifecycle node uses."""

PLAIN = ('rcl_interfaces/', 'type_description_interfaces/')
"""The same of services that every node has."""

SETTABLE = {'live': 'any time', 'unconfigured': 'unconfigured', 'start': 'start'}
ASKING = (
    'ask',
    '~/recall',
    '~/query_timeline',
    '~/get_frame',
    '~/get_info',
    '~/get_parameters',
    '~/list_watches',
)
"""Services that change nothing."""

STREAM = 'ask_stream'
HEARD = ('/clock', '/tf', '/tf_static')
"""Topics that the node hears where `use_sim_time` or `pose.source: tf` say so."""


@dataclass(frozen=True)
class Contract:
    """What a node offers and hears: types by name, private or relative where it can be."""

    publishes: Mapping[str, str]
    subscribes: Mapping[str, str]
    services: Mapping[str, str]
    actions: Mapping[str, str]

    def holds_all_of(self, node: LiveVlmNode) -> bool:
        """Return whether nothing that the node has made is missing."""
        servers = [each for each in node.waitables if isinstance(each, ActionServer)]
        return (
            self.publishes.keys() >= {_short(each.topic_name) for each in node.publishers}
            and self.subscribes.keys() >= {_short(each.topic_name) for each in node.subscriptions}
            and self.services.keys() >= {_short(each.service_name) for each in node.services}
            and len(self.actions) == len(servers)
        )


def read_contract() -> Contract:
    """Return the contract of a node that runs, with every form of image and with odometry."""
    forms = []
    with running({'pose.source': 'odom'}) as node:
        for transport in ('raw', 'compressed'):
            given = RosParameter('cameras.camera.transport', value=transport)
            (done,) = node.set_parameters([given])
            assert done.successful, done.reason
            node.trigger_configure()
            node.trigger_activate()
            forms.append(whole_contract_of(node))
            node.trigger_deactivate()
            node.trigger_cleanup()
    one, other = forms
    assert (one.services, one.actions) == (other.services, other.actions)
    both = {**one.subscribes, **other.subscribes}
    return Contract(one.publishes, dict(sorted(both.items())), one.services, one.actions)


@contextmanager
def running(parameters: Mapping[str, Any]) -> Iterator[LiveVlmNode]:
    """Give an unconfigured node without a model, in a namespace."""
    context = Context()
    rclpy.init(context=context)
    given = {'autostart': False, **parameters}
    node = LiveVlmNode(
        make_engine=lambda values, stage: Silent(),
        context=context,
        namespace=NAMESPACE,
        parameter_overrides=[RosParameter(name, value=value) for name, value in given.items()],
    )
    try:
        yield node
        node.close()
    finally:
        node.destroy_node()
        rclpy.try_shutdown(context=context)


class Silent:
    """An engine that sees and says nothing."""

    def start(self) -> None:
        """Do nothing."""

    def stop(self, timeout_s: float) -> bool:
        """Do nothing, at once."""
        return True

    def cleanup(self) -> None:
        """Do nothing."""

    def stats(self) -> Any:
        """Return what configure asks for."""
        return SimpleNamespace(horizon=None, model=None)


def whole_contract_of(node: LiveVlmNode) -> Contract:
    """
    Return the contract of a node once the graph, which is filled bit by bit, has all of it.

    :raises TimeoutError: if the graph does not have it within `GRAPH_S`
    """
    deadline = time.monotonic() + GRAPH_S
    while not (found := contract_of(node)).holds_all_of(node):
        if time.monotonic() > deadline:
            raise TimeoutError(f'the graph has only {found} after {GRAPH_S} s')
        time.sleep(0.05)
    return found


def contract_of(node: LiveVlmNode) -> Contract:
    """Return the contract of a node as the graph has it."""
    given = (NAME, NAMESPACE)
    actions = _named(get_action_server_names_and_types_by_node(node, *given))
    parts = [
        _named(found)
        for found in (
            node.get_publisher_names_and_types_by_node(*given),
            node.get_subscriber_names_and_types_by_node(*given),
            node.get_service_names_and_types_by_node(*given),
        )
    ]
    publishes, subscribes, services = (
        {name: kind for name, kind in part.items() if '/_action/' not in name} for part in parts
    )
    return Contract(publishes, subscribes, services, actions)


def _named(found: Iterable[tuple[str, list[str]]]) -> dict[str, str]:
    """Return types by name, shortened, in order."""
    return dict(sorted((_short(name), kinds[0]) for name, kinds in found))


def _short(name: str) -> str:
    for prefix, instead in ((f'{NAMESPACE}/{NAME}/', '~/'), (f'{NAMESPACE}/', '')):
        if name.startswith(prefix):
            return instead + name.removeprefix(prefix)
    return name


def own(part: Mapping[str, str]) -> dict[str, str]:
    """Leave out what every lifecycle node has."""
    return {name: kind for name, kind in part.items() if not kind.startswith(STANDARD)}


def page(contract: Contract, text: str) -> str:
    """Return docs/node.md with its tables as they are to be; its prose stays."""
    told = dict(re.findall(r'^\| `([^`]+)` \|.*\| ([^|\n]*) \|$', text, re.MULTILINE))
    tables = {
        'subscribes': _interfaces('topic', own(contract.subscribes), told),
        'publishes': _interfaces('topic', own(contract.publishes), told),
        'services': _interfaces('service', own(contract.services), told),
        'actions': _interfaces('action', contract.actions, told),
        'parameters': _parameters(),
    }
    for name, rows in tables.items():
        begin, end = f'<!-- {name} -->\n', f'\n<!-- end of {name} -->'
        before, rest = text.split(begin)
        text = before + begin + '\n'.join(rows) + end + rest.split(end, 1)[1]
    return text


def _interfaces(what: str, part: Mapping[str, str], told: Mapping[str, str]) -> Iterator[str]:
    yield f'| {what} | type | |'
    yield '|---|---|---|'
    for name, kind in part.items():
        yield f'| `{name}` | {_linked(kind)} | {told.get(name) or _first_line(kind)} |'


def _file(kind: str) -> Path | None:
    """Return the file of an interface of ours."""
    package, folder, name = kind.split('/')
    return (
        ROOT / package / folder / f'{name}.{folder}' if package == 'livevlm_interfaces' else None
    )


def _linked(kind: str) -> str:
    package, _, name = kind.split('/')
    file = _file(kind)
    return f'[`{name}`](../{file.relative_to(ROOT)})' if file else f'`{package}/{name}`'


def _first_line(kind: str) -> str:
    """Return what an interface file says that it is."""
    file = _file(kind)
    if file is None:
        raise SystemExit(f'say in {PAGE.name} what it is for that has the type {kind}')
    line = file.read_text(encoding='utf-8').splitlines()[0].removeprefix('# ').rstrip('.')
    return line[0].lower() + line[1:]


def _parameters() -> Iterator[str]:
    yield '| parameter | default | values | set | |'
    yield '|---|---|---|---|---|'
    for row in table().values():
        text = row.text.rstrip('.').replace('|', r'\|')
        fields = (f'`{row.name}`', _default(row), _values(row), SETTABLE[row.change], text)
        yield f'| {" | ".join(fields)} |'


def _default(row: Parameter) -> str:
    if isinstance(row.default, tuple):
        return f'`[{", ".join(row.default)}]`'
    if isinstance(row.default, bool):
        return f'`{str(row.default).lower()}`'
    return f'`{row.default}`' if row.default != '' else '`""`'


def _values(row: Parameter) -> str:
    if row.choices:
        return ', '.join(f'`{choice}`' if choice else '`""`' for choice in row.choices)
    if row.low is not None:
        return f'{row.low:.15g} to {row.high:.15g}'
    pattern = row.pattern.replace('|', r'\|')
    return f'`{pattern}`' if pattern else ''


def policy(contract: Contract) -> str:
    """Return the SROS2 policy of the node and of a client that may ask and look, and no more."""
    every_node = [name for name, kind in contract.services.items() if kind.startswith(PLAIN)]
    heard = [*contract.subscribes, *HEARD]
    asked = [_absolute(name) for name in ASKING]
    seen = [_absolute(name) for name in own(contract.publishes)]
    node = [
        _rule('topics', 'publish', [*contract.publishes, 'ask/_service_event']),
        _rule('topics', 'subscribe', heard),
        _rule('services', 'reply', contract.services),
        _rule('actions', 'execute', contract.actions),
    ]
    client = [
        _rule('topics', 'publish', ['/parameter_events', '/rosout']),
        _rule('topics', 'subscribe', [*seen, '/clock']),
        _rule('services', 'request', asked),
        _rule('services', 'reply', every_node),
        _rule('actions', 'call', [_absolute(STREAM)]),
    ]
    enclaves = [_enclave('livevlm', node), _enclave('livevlm_client', client)]
    return '\n'.join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<!-- Written by docs/node_page.py from a running node; see docs/node.md. -->',
            '<policy version="0.2.0">',
            '  <enclaves>',
            *enclaves,
            '  </enclaves>',
            '</policy>\n',
        ]
    )


def _absolute(name: str) -> str:
    return '/' + name.replace('~', NAME).removeprefix('/')


def _enclave(name: str, rules: Iterable[str]) -> str:
    head = (
        f'    <enclave path="/{name}">\n      <profiles>\n        <profile ns="/" node="{name}">\n'
    )
    foot = '\n        </profile>\n      </profiles>\n    </enclave>'
    return head + '\n'.join(rules) + foot


def _rule(kind: str, may: str, names: Iterable[str]) -> str:
    one = kind.removesuffix('s')
    listed = [f'            <{one}>{escape(name)}</{one}>' for name in sorted(set(names))]
    return '\n'.join([f'          <{kind} {may}="ALLOW">', *listed, f'          </{kind}>'])


def main() -> None:
    """Write both."""
    contract = read_contract()
    PAGE.write_text(page(contract, PAGE.read_text(encoding='utf-8')), encoding='utf-8')
    POLICY.write_text(policy(contract), encoding='utf-8')


if __name__ == '__main__':
    main()
