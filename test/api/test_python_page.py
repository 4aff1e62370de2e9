# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""docs/python.md is what the docstrings make of it, and its examples do what it says."""

import contextlib
import io
import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / 'docs'
PAGE = (DOCS / 'python.md').read_text(encoding='utf-8')
EXAMPLE = re.compile(r'```python\n(.*?)```\n(?:\n```text\n(.*?)```\n)?', re.DOTALL)


def without_numbers(text: str) -> str:
    return re.sub(r'\d+(\.\d+)?', '0', text)


def test_the_page_is_current() -> None:
    pytest.importorskip('griffe')
    made = runpy.run_path(str(DOCS / 'python_page.py'))['page']()
    assert made == PAGE, 'run `make python-page`'


def test_the_examples_end_with_what_is_shown() -> None:
    examples, names = EXAMPLE.findall(PAGE), {}
    assert len(examples) == PAGE.count('```python') == 5
    for code, shown in examples:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, 'docs/python.md', 'exec'), names)
        assert without_numbers(printed.getvalue()) == without_numbers(shown)
