# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Running text to drop facts into: what every installation of Python has, or a folder of one's own.

What Python has are its language reference, as `help()` prints it, and the docstrings of its
library; other versions of Python have other text.
"""

from __future__ import annotations

import ast
import re
import sysconfig
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

from livevlm_bench.facts import HALVES
from livevlm_ros.replay.errors import BadInput

LETTERS = (120, 1200)
"""Fewest and most letters of a paragraph."""

LEAST_PROSE = 0.92
"""Share of letters and spaces of a paragraph at least: less is code or a table."""

LONGEST_SENTENCE = 400
"""Letters of a sentence at most."""

Paragraph = tuple[str, ...]
"""Sentences."""


def built_in_filler(half: str) -> tuple[Paragraph, ...]:
    """
    Return the paragraphs of one of `facts.HALVES`, those of every second text.

    :raises BadInput: where Python is installed without its sources
    """
    found = tuple(_sentences(part) for part, of in _built_in().items() if of == half)
    if not found:
        raise BadInput('Python is installed without its sources here: give a folder with --text')
    return found


@cache
def _built_in() -> dict[str, str]:
    """Return the half that each paragraph belongs to."""
    halves: dict[str, str] = {}
    for number, text in enumerate([*_topics(), *_docstrings()]):
        for part in _prose(text):
            halves.setdefault(part, HALVES[number % len(HALVES)])
    return halves


def read_filler(folder: Path) -> tuple[Paragraph, ...]:
    """
    Read all text of a folder, *.txt and *.md.

    :raises BadInput: for no folder, or one without a paragraph
    """
    files = sorted(file for file in folder.rglob('*') if file.suffix in ('.txt', '.md'))
    texts = (file.read_text(encoding='utf-8', errors='replace') for file in files)
    found = tuple(
        _sentences(part) for part in dict.fromkeys(chain.from_iterable(map(_prose, texts)))
    )
    if not found:
        raise BadInput(
            f'--text {folder}: expected a folder with *.txt or *.md that have paragraphs of '
            f'{LETTERS[0]} to {LETTERS[1]} letters'
        )
    return found


def _topics() -> list[str]:
    """Return the language reference by topic."""
    try:
        from pydoc_data.topics import topics
    except ImportError:
        return []
    return [topics[name] for name in sorted(topics)]


def _docstrings() -> list[str]:
    """Return the docstrings of each module of the standard library, in one text."""
    return [
        '\n\n'.join(_documented(file))
        for file in sorted(Path(sysconfig.get_path('stdlib')).glob('*.py'))
    ]


def _documented(file: Path) -> Iterator[str]:
    tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (
            told := ast.get_docstring(node)
        ):
            yield told


def _prose(text: str) -> Iterator[str]:
    """Cut a text into paragraphs, each on one line, and leave out what is no prose."""
    for part in re.split(r'\n\s*\n', text):
        line = ' '.join(part.split())
        if _is_prose(line):
            yield line


def _is_prose(part: str) -> bool:
    if not LETTERS[0] <= len(part) <= LETTERS[1] or part[-1] not in '.:!?':
        return False
    plain = sum(letter.isalpha() or letter == ' ' for letter in part)
    return (
        part[0].isupper()
        and plain >= LEAST_PROSE * len(part)
        and max(map(len, _sentences(part))) <= LONGEST_SENTENCE
    )


def _sentences(part: str) -> Paragraph:
    return tuple(re.split(r'(?<=[.!?]) (?=[A-Z])', part))
