# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import ast
import sys
from pathlib import Path

import pytest

ROOM = Path(__file__).resolve().parents[2] / 'kernels'
MAY_IMPORT = {'torch', 'triton', 'livevlm_kernels', *sys.stdlib_module_names}


@pytest.mark.parametrize('file', sorted(ROOM.glob('*.py')), ids=lambda file: file.stem)
def test_kernels_know_nothing_but_torch_and_triton(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding='utf-8'))):
        if isinstance(node, ast.ImportFrom):
            assert (node.module or '').split('.')[0] in MAY_IMPORT and not node.level
        elif isinstance(node, ast.Import):
            assert {alias.name.split('.')[0] for alias in node.names} <= MAY_IMPORT


def test_kernels_are_where_this_test_looks() -> None:
    assert {'page_scores.py', 'page_scores_triton.py'} <= {file.name for file in ROOM.glob('*.py')}
