# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""package.xml, setup.py, requirements and constraints agree with each other and with the code."""

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import livevlm_ros

PACKAGES = ('.', 'livevlm_interfaces')
ROOMS = ('livevlm_ros', 'kernels', 'bench')
# Import name -> (rosdep key, name for pip) of what is not part of ROS, or has another name there.
LIBRARIES = {
    'PIL': ('python3-pil', 'pillow'),
    'cv2': ('python3-opencv', 'opencv-python-headless'),
    'huggingface_hub': ('python3-transformers-pip', 'transformers'),
    'jinja2': ('python3-jinja2', 'jinja2'),
    'matplotlib': ('python3-matplotlib', 'matplotlib'),
    'mcap': ('mcap-ros2-support', 'mcap'),
    'numpy': ('python3-numpy', 'numpy'),
    'rich': ('python3-rich', 'rich'),
    'rosbags': ('python3-rosbags-pip', 'rosbags'),
    'safetensors': ('python3-transformers-pip', 'safetensors'),
    'starlette': ('python3-fastapi', 'starlette'),  # apt's brings it along
    'tf2_ros': ('tf2_ros_py', ''),
    'tokenizers': ('python3-transformers-pip', 'tokenizers'),
    'torch': ('python3-pytorch-pip', 'torch'),
    'transformers': ('python3-transformers-pip', 'transformers'),
    'typer': ('python3-typer', 'typer'),
    'uvicorn': ('python3-uvicorn', 'uvicorn'),
    'websockets': ('python3-websockets', 'websockets'),
    'yaml': ('python3-yaml', 'pyyaml'),
    'zstandard': ('mcap-ros2-support', 'zstandard'),
}
# Import names of what an extra of setup.py brings.
OF_AN_EXTRA = {
    **dict.fromkeys(('anyio', 'mcp', 'pydantic', 'starlette', 'uvicorn'), 'mcp'),
    'pyarrow': 'sets',
}


def manifest(folder: Path) -> Any:
    """Return a parsed package.xml."""
    return pytest.importorskip('catkin_pkg.package').parse_package(str(folder))


def requirement_name(line: str) -> str:
    """Return the normal form of a requirement's package name."""
    found = re.match(r'[\w.-]+', line)
    assert found, line
    return re.sub(r'[-_.]+', '-', found[0]).lower()


def requirements(file: Path) -> dict[str, str]:
    """Return the lines of a requirements file by package name."""
    lines = file.read_text(encoding='utf-8').splitlines()
    return {requirement_name(line): line for line in lines if line and line[0] not in '#-'}


@pytest.mark.parametrize('folder', PACKAGES)
def test_package_xml_is_valid(root: Path, folder: str) -> None:
    warnings: list[str] = []
    package = manifest(root / folder)
    package.validate(warnings=warnings)
    assert warnings == []
    assert package.package_format == 3
    assert package.licenses == ['Apache-2.0']
    assert 'Apache License' in (root / folder / 'LICENSE').read_text(encoding='utf-8')


def test_the_version_is_everywhere_the_same(root: Path, setup_arguments: dict[str, Any]) -> None:
    interfaces = (root / 'livevlm_interfaces/pyproject.toml').read_text(encoding='utf-8')
    assert f'\nversion = "{livevlm_ros.__version__}"\n' in interfaces
    assert setup_arguments['version'] == livevlm_ros.__version__
    for folder in PACKAGES:
        assert manifest(root / folder).version == livevlm_ros.__version__


def test_the_changelog_begins_with_what_is_new(root: Path) -> None:
    text = (root / 'CHANGELOG.rst').read_text(encoding='utf-8')
    newest = re.findall(r'^(.+)\n-+$', text, flags=re.MULTILINE)[0]
    assert newest == 'Forthcoming' or newest.startswith(livevlm_ros.__version__)


def imported(root: Path) -> set[str]:
    """Return the top-level packages that the product imports, without our own and Python's."""
    names: set[str] = set()
    for file in (file for name in ROOMS for file in (root / name).rglob('*.py')):
        for node in ast.walk(ast.parse(file.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition('.')[0])
    own = {'livevlm_ros', 'livevlm_kernels', 'livevlm_bench'}
    return names - set(sys.stdlib_module_names) - own


def test_every_import_is_a_declared_dependency(
    root: Path, setup_arguments: dict[str, Any]
) -> None:
    declared = {dependency.name for dependency in manifest(root).exec_depends}
    for_pip = {requirement_name(line) for line in setup_arguments['install_requires']}
    for name, extra in OF_AN_EXTRA.items():
        lines = setup_arguments['extras_require'][extra]
        assert name in map(requirement_name, lines), f'setup.py does not declare {name}'
    optional = {'cv_bridge', 'triton', *OF_AN_EXTRA}  # used where an installation has it
    for name in imported(root) - optional:
        key, package = LIBRARIES.get(name, (name, ''))
        assert key in declared, f'package.xml does not declare {key} for import {name}'
        assert not package or package in for_pip, f'setup.py does not declare {package}'


def test_every_library_that_is_declared_is_imported(
    root: Path, setup_arguments: dict[str, Any]
) -> None:
    wanted = {requirement_name(line) for line in setup_arguments['install_requires']}
    used = {LIBRARIES[name][1] for name in imported(root) & LIBRARIES.keys()}
    assert wanted - used == {'setuptools'}  # for ament


def test_every_requirement_is_pinned(root: Path, setup_arguments: dict[str, Any]) -> None:
    pins = requirements(root / 'constraints.txt')
    assert all(re.fullmatch(r'[\w.-]+==[\w.]+', line) for line in pins.values())
    wanted = {requirement_name(line) for line in setup_arguments['install_requires']}
    for extra in ('mcp', 'sets', 'test'):
        wanted |= {requirement_name(line) for line in setup_arguments['extras_require'][extra]}
    wanted |= requirements(root / 'requirements.txt').keys()
    wanted |= requirements(root / 'requirements-dev.txt').keys()
    assert wanted - pins.keys() == set()
    assert pins['torch'] == 'torch==2.13.0'


def test_the_interfaces_bring_the_ros_that_the_node_runs_on(root: Path) -> None:
    text = (root / 'requirements.txt').read_text(encoding='utf-8')
    running, _, _ = text.partition('\n\n')
    interfaces = tomllib.loads((root / 'livevlm_interfaces/pyproject.toml').read_text('utf-8'))
    wanted = [line for line in running.splitlines() if not line.startswith('#')]
    assert interfaces['project']['dependencies'] == wanted


def test_every_data_file_exists(root: Path, setup_arguments: dict[str, Any]) -> None:
    installed = dict(setup_arguments['data_files'])
    for files in installed.values():
        assert files
        assert all((root / file).is_file() for file in files)
    assert 'config/fastdds.xml' in installed['share/livevlm_ros/config']
    assert 'launch/camera.launch.py' in installed['share/livevlm_ros/launch']


def test_every_entry_point_can_be_called(setup_arguments: dict[str, Any]) -> None:
    pytest.importorskip('rclpy')
    from importlib.metadata import EntryPoint

    for script in setup_arguments['entry_points']['console_scripts']:
        name, value = script.split(' = ')
        assert callable(EntryPoint(name, value, 'console_scripts').load())
