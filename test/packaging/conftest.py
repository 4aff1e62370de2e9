# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the packaging tests share: setup.py, and launch files run without starting nodes."""

import importlib.util
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType
from typing import Any
from unittest import mock

import pytest

ROOT = Path(__file__).resolve().parents[2]
STANDIN = Path(__file__).parent / 'standin'


@dataclass
class Started:
    """
    What a launch file would have started.

    :param arguments: the DeclareLaunchArgument actions by name
    :param nodes: what each node was made with, parameters and remappings as plain values
    :param environment: FASTDDS_DEFAULT_PROFILES_FILE of the nodes
    """

    arguments: dict[str, Any] = field(default_factory=dict)
    nodes: list[dict[str, Any]] = field(default_factory=list)
    environment: str = ''

    def node(self, executable: str) -> dict[str, Any]:
        """Return the one node with this executable."""
        (found,) = (node for node in self.nodes if node['executable'] == executable)
        return found


@pytest.fixture(scope='session')
def root() -> Path:
    """Return the folder of the repository."""
    return ROOT


@pytest.fixture(scope='session')
def setup_arguments() -> dict[str, Any]:
    """Return what setup.py hands to setuptools."""
    with pytest.MonkeyPatch.context() as patch, mock.patch('setuptools.setup') as setup:
        patch.chdir(ROOT)
        runpy.run_path('setup.py')
    return dict(setup.call_args.kwargs)


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Started]]:
    """Return a function that runs a launch file with arguments and records the nodes."""
    before = set(sys.modules)
    if importlib.util.find_spec('launch_ros') is None:
        monkeypatch.syspath_prepend(str(STANDIN))
    # A launch file may set it; undone after the test.
    monkeypatch.setenv('FASTDDS_DEFAULT_PROFILES_FILE', '')
    monkeypatch.delenv('FASTDDS_DEFAULT_PROFILES_FILE')
    yield run_launch_file
    for name in set(sys.modules) - before:
        if name.partition('.')[0] in ('launch', 'launch_ros'):
            del sys.modules[name]


def run_launch_file(path: Path, arguments: Mapping[str, str]) -> Started:
    """Run a launch file; nodes are recorded instead of started."""
    import launch_ros.actions

    import launch

    started = Started()

    class Recorded(launch.Action):
        def __init__(self, **options: Any) -> None:
            super().__init__()
            self.options = options

        def execute(self, context: Any) -> None:
            started.nodes.append(plain(self.options, context))
            started.environment = context.environment.get('FASTDDS_DEFAULT_PROFILES_FILE', '')

    def visit(entity: Any) -> None:
        if type(entity).__name__ == 'DeclareLaunchArgument':
            started.arguments.setdefault(entity.name, entity)
        for child in entity.visit(context) or ():
            visit(child)

    context = launch.LaunchContext()
    context.launch_configurations.update(arguments)
    with (
        mock.patch.object(launch_ros.actions, 'Node', Recorded, create=True),
        mock.patch.object(launch_ros.actions, 'LifecycleNode', Recorded, create=True),
    ):
        visit(runpy.run_path(str(path))['generate_launch_description']())
    return started


def plain(value: Any, context: Any) -> Any:
    """Return options of a node with substitutions and parameter values performed, by value."""
    if isinstance(value, dict):
        return {plain(key, context): plain(item, context) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, context) for item in value]
    if isinstance(value, FunctionType):
        return value.__name__
    if hasattr(value, 'evaluate'):
        return value.evaluate(context)
    return value.perform(context) if hasattr(value, 'perform') else value
