# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import ast
from pathlib import Path

import pytest

ROOM = Path(__file__).resolve().parents[2] / 'bench'
ROOMS = {'engine', 'memory', 'model', 'replay', 'world'}


@pytest.mark.parametrize('file', sorted(ROOM.glob('*.py')), ids=lambda file: file.stem)
def test_measurements_do_not_know_ros(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding='utf-8'))):
        if isinstance(node, ast.ImportFrom) and (node.module or '').startswith('livevlm_ros'):
            assert (node.module or '').split('.')[1] in ROOMS


def test_measurements_are_where_this_test_looks() -> None:
    assert (ROOM / 'question_suite.py').is_file()
