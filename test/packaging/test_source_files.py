# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Source files name their copyright, say what they are, are short, and obey no stranger."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    'livevlm_ros',
    'kernels',
    'bench',
    'launch',
    'docs',
    'examples',
    'livevlm_interfaces',
    'test',
)
FILES = [ROOT / 'setup.py', *(file for name in FOLDERS for file in (ROOT / name).rglob('*.py'))]
COPYRIGHT = """\
# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
MOST_LINES = 400
# What runs code that comes in a file or a text, where data would do.
UNPICKLES = ('pickle', 'cPickle', 'cloudpickle', 'dill', 'joblib', 'marshal', 'shelve')
RUNS = ('eval', 'exec', 'os.system', 'os.popen', 'torch.load', 'yaml.load', 'yaml.unsafe_load')
ASKS = ('shell', 'allow_pickle', 'trust_remote_code')


@pytest.mark.parametrize('file', FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_source_file_has_its_header_and_is_short(file: Path) -> None:
    text = file.read_text(encoding='utf-8')
    assert text.startswith(COPYRIGHT)
    if file.is_relative_to(ROOT / 'livevlm_ros'):
        assert ast.get_docstring(ast.parse(text)), 'no module docstring'
    assert text.count('\n') <= MOST_LINES


@pytest.mark.parametrize('command', [['check'], ['format', '--check']], ids=' '.join)
def test_the_linter_has_nothing_to_say(command: list[str]) -> None:
    pytest.importorskip('ruff')
    ran = subprocess.run(
        [sys.executable, '-m', 'ruff', *command, '.'], cwd=ROOT, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def running_strangers(tree: ast.AST) -> set[str]:
    """Return what in a module would run code that came as data."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names if name.name in UNPICKLES)
        elif isinstance(node, ast.ImportFrom):
            found.update({node.module or ''} & set(UNPICKLES))
        elif isinstance(node, ast.Call):
            found.update({ast.unparse(node.func)} & set(RUNS))
            said = {each.arg for each in node.keywords if ast.unparse(each.value) != 'False'}
            found.update(said & set(ASKS))
    return found


@pytest.mark.parametrize('code', ['import pickle', 'torch.load(f)', 'run(c, shell=True)'])
def test_what_would_run_a_strangers_code_is_noticed(code: str) -> None:
    assert running_strangers(ast.parse(code))


def test_nothing_of_the_product_runs_a_strangers_code() -> None:
    files = [
        f for name in ('livevlm_ros', 'kernels', 'launch') for f in (ROOT / name).rglob('*.py')
    ]
    trees = {file: ast.parse(file.read_text(encoding='utf-8')) for file in files}
    assert not {file: found for file, tree in trees.items() if (found := running_strangers(tree))}
