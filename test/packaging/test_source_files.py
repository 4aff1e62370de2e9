# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every source file names its copyright, says what it is, and is short enough to be read."""

import ast
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


@pytest.mark.parametrize('file', FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_source_file_has_its_header_and_is_short(file: Path) -> None:
    text = file.read_text(encoding='utf-8')
    assert text.startswith(COPYRIGHT)
    if file.is_relative_to(ROOT / 'livevlm_ros'):
        assert ast.get_docstring(ast.parse(text)), 'no module docstring'
    assert text.count('\n') <= MOST_LINES
