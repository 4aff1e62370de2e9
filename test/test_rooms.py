# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Each room imports only the rooms it may: what a reader of one need not know of the others."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / 'livevlm_ros'

MAY_IMPORT = {
    'node': {'engine', 'world', 'replay'},  # a recording goes through ROS as it goes offline
    'tools': {'node', 'engine', 'replay'},  # a node's clients, or an engine of their own
    'api': {'engine', 'replay'},
    'engine': {'memory', 'model'},
    'memory': {'livevlm_kernels'},
    'model': {'livevlm_kernels', 'memory'},
    'replay': {'engine', 'world'},
    'world': set(),
    'training': {'model', 'world'},
}
ANYBODY = {
    'bit_depth',
    'durations',
    'freed',
    'image_file',
    'images',
    'intrinsics',
    'late',
    'pictures',
    'plain',
    'pose',
    'seconds',
    'share',
    'weights',
}
FRONT = {'__init__': {'api'}}  # what `from livevlm_ros import` gives
COMMANDS = {'cli'}
ANY_ROOM = {*COMMANDS, 'doctor', 'terminal'}
# What the model knows of the memory.
SEAM = {'RESERVED_POSITIONS', 'CacheShape', 'FramePositions', 'View'}
ROS = {'rclpy', 'livevlm_interfaces', 'sensor_msgs', 'lifecycle_msgs', 'diagnostic_msgs'}

MODULES = {
    '.'.join(file.relative_to(PACKAGE).with_suffix('').parts): file
    for file in PACKAGE.rglob('*.py')
}


def _imports(module: str) -> Iterator[tuple[str, str]]:
    """Give what a module imports anywhere, late or for types: where from, which name."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, '') for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f'{module} has a relative import'
            yield from ((node.module or '', alias.name) for alias in node.names)


def _neighbours(module: str) -> set[str]:
    """Return the rooms and top-level modules a module imports, but for its own room."""
    found = set()
    for source, name in _imports(module):
        package, _, inside = source.partition('.')
        if package in ('livevlm_kernels', 'livevlm_bench'):
            found.add(package)
        elif package == 'livevlm_ros':
            found.add((inside or name).split('.')[0])
    return found - {module.split('.')[0], '__version__'}


def test_the_table_names_every_room():
    rooms = {folder.name for folder in PACKAGE.iterdir() if (folder / '__init__.py').is_file()}
    assert rooms == MAY_IMPORT.keys() | COMMANDS
    alone = {module for module in MODULES if '.' not in module}
    assert alone == {'__init__', *ANYBODY, *ANY_ROOM} - COMMANDS


@pytest.mark.parametrize('module', sorted(MODULES))
def test_a_module_imports_only_the_rooms_its_own_may(module):
    room = module.split('.')[0]
    if room in ANY_ROOM:
        return
    allowed = {'engine'} if room in ANYBODY else (MAY_IMPORT | FRONT).get(room, set())
    assert _neighbours(module) <= allowed | ANYBODY


def test_the_model_knows_the_seam_of_the_memory_and_no_more():
    known = {
        name
        for module in MODULES
        if module.startswith('model.')
        for source, name in _imports(module)
        if source.startswith('livevlm_ros.memory')
    }
    assert known <= SEAM


@pytest.mark.parametrize('module', sorted(MODULES.keys() - {'doctor'}))  # it looks for everything
def test_only_the_node_knows_ros_and_it_knows_no_tensors(module):
    packages = {source.split('.')[0] for source, _ in _imports(module)}
    if module.startswith('node.'):
        assert not packages & {'torch', 'transformers'}
    else:
        assert not packages & ROS
