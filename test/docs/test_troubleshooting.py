# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""docs/troubleshooting.md explains messages as the code says them."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

SAYING = {
    *('debug', 'info', 'warning', 'error', 'exception'),  # of a logger
    *('print', 'refuse', '__init__'),  # the last of an error's
    *('Health', 'Verdict'),  # of /diagnostics
    *('Answer', 'cut', 'refusal'),  # of a question
}
"""What is called with the words that it says."""

Source = tuple[Path, ast.AST]


def test_messages_that_are_explained_are_those_of_the_code() -> None:
    page = (ROOT / 'docs/troubleshooting.md').read_text(encoding='utf-8')
    explained = [
        message
        for row in re.findall(r'^\| (`.*?) \|', page, re.MULTILINE)
        for message in re.findall(r'`([^`]+)`', row)
        if ' ' in message
    ]
    assert len(explained) > 50
    files = ['\n'.join(texts) for texts in said((ROOT / 'livevlm_ros').rglob('*.py')).values()]
    for message in explained:
        pieces = [piece.strip(' ') for piece in message.split('…') if len(piece.strip()) > 3]
        assert pieces, message
        assert any(all(piece in texts for piece in pieces) for texts in files), message


SOURCE = """
'''Nobody hears a docstring.'''
HELP = option(help='a help text')
FULL = 'the disk is full'

def problem(left):
    words = f'only {left} are left'
    return words if left else FULL

def check(left):
    if left == 'a comparison':
        raise ValueError('too few: ' + problem(left))
    log.warning('%s is odd', left)
"""


def test_only_what_is_said_is_a_message(tmp_path: Path) -> None:
    (tmp_path / 'source.py').write_text(SOURCE)
    (texts,) = said(tmp_path.iterdir()).values()
    expected = {'too few: ', 'only ', ' are left', 'the disk is full', '%s is odd'}
    assert set(texts) == expected


def said(files: Iterable[Path]) -> dict[Path, list[str]]:
    """
    Return the texts that are said, by source file, without what is filled into them.

    A text is said where it is raised, where it is given to one of `SAYING`, and where it makes
    what is said: the value of a name of the same file, or what a function returns.
    """
    nodes = [(f, n) for f in files for n in ast.walk(ast.parse(f.read_text(encoding='utf-8')))]
    values, returned = _values(nodes), _returned(nodes)
    texts: defaultdict[Path, list[str]] = defaultdict(list)
    left = list(_roots(nodes))
    while left:
        file, source = left.pop()
        for node in ast.walk(source):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts[file].append(node.value)
            if name := _name(node):
                left += [(file, value) for value in values.pop((file, name), ())]
                left += returned.pop(name, ())
    return texts


def _roots(nodes: Iterable[Source]) -> Iterator[Source]:
    """Give what is raised, and calls of what says its words."""
    for file, node in nodes:
        if isinstance(node, ast.Raise) and node.exc is not None:
            yield file, node.exc
        elif isinstance(node, ast.Call) and _name(node.func) in SAYING:
            yield file, node


def _values(nodes: Iterable[Source]) -> dict[tuple[Path, str], list[ast.AST]]:
    """Return what is assigned or appended to each name and attribute of a file."""
    values: defaultdict[tuple[Path, str], list[ast.AST]] = defaultdict(list)
    for file, node in nodes:
        if isinstance(node, ast.Assign):
            for target in (each for whole in node.targets for each in ast.walk(whole)):
                values[file, _name(target)].append(node.value)
        elif isinstance(node, ast.AugAssign | ast.NamedExpr):
            values[file, _name(node.target)].append(node.value)
        elif isinstance(node, ast.Call) and _name(node.func) in ('append', 'extend'):
            values[file, _name(node.func.value)] += node.args
    return values


def _returned(nodes: Iterable[Source]) -> dict[str, list[Source]]:
    """Return what each function returns."""
    returned: defaultdict[str, list[Source]] = defaultdict(list)
    for file, node in nodes:
        if isinstance(node, ast.FunctionDef):
            ends = (n for n in ast.walk(node) if isinstance(n, ast.Return | ast.Yield))
            returned[node.name] += [(file, end.value) for end in ends if end.value is not None]
    return returned


def _name(node: ast.AST) -> str:
    """Return the name of a variable, an attribute or a function; empty of anything else."""
    return getattr(node, 'id', '') or getattr(node, 'attr', '')
